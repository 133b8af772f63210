"""The results as a page."""


def milliseconds(value):
    return "–" if value is None else f"{value:,.1f}"


def row(name, figures, note=""):
    if not figures or "p50" not in figures:
        return f"| {name} | – | – | – | – | – | {note or figures.get('why', 'absent') if figures else note} |"
    return (
        f"| {name} | {milliseconds(figures['p50'])} | {milliseconds(figures['p95'])} | {milliseconds(figures['p99'])} "
        f"| {milliseconds(figures['max'])} | {100 * figures['success_rate']:.1f} % of {figures['count']} | {note} |")


def ratio(one, other):
    return f"{one / other:.2f}" if one and other else "–"


def table(results, bursts):
    machine, full, peers = results["machine"], results["pool full"], results["peers"]
    lines = [
        f"# Measured on {machine['date']}",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {round(machine['memory_mb'] / 1024)} GiB, Linux {machine['kernel']}, "
        f"{machine['qemu']}; accelerator **{machine['accelerator']}**; load at the start {machine['load_at_start']}.",
        "Made by `script/bench`; milliseconds; every answer was checked.",
        "",
        "| time to first output | p50 | p95 | p99 | worst | right | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        row("pool full, one after another", full["echo hi"]["first_byte"]),
        row("the same, a python3 script", full["python3"]["first_byte"]),
        row("sustained, one a second", results["sustained 1 per second"]["first_byte"]),
        row("staggered, every 200 ms", results["staggered 200 ms"]["first_byte"]),
    ]
    for size in bursts:
        burst = results[f"burst of {size}"]
        lines.append(row(f"burst of {size}", burst["first_byte"], f"all served in {burst['all_seconds']} s"))
    lines += [
        row("pool empty", results["pool empty"]["first_byte"]),
        row("cold: server started, no template", results["cold template"]),
        "",
        "| whole | p50 | p95 | p99 | worst | right | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        row("`mags run 'echo hi'`", full["command"]),
        row("ComputeSDK's method: create to first command's return", full["echo hi"]["end"], "pool full"),
        row("the same, sustained", results["sustained 1 per second"]["end"]),
        row(f"the same, burst of {bursts[-1]}", results[f"burst of {bursts[-1]}"]["end"]),
    ]
    for name, figures in peers.items():
        lines.append(row(f"peer: {name} `echo hi`", figures.get("echo hi"), figures.get("why", "")))
        if "python3" in figures:
            lines.append(row(f"peer: {name} `python3 -c …`", figures["python3"]))
    lines += ["", *where_the_time_goes(full), "", *ratios(results, bursts), "", *costs(results["idle"])]
    return "\n".join(lines) + "\n"


def where_the_time_goes(full):
    """Medians of parts: they add up to the whole only nearly."""
    submit = full["echo hi"]["submit"].get("p50")
    first = full["echo hi"]["first_byte"].get("p50")
    end = full["echo hi"]["end"].get("p50")
    whole = full["command"].get("p50")
    start = full["command, version only"].get("p50")
    if None in (submit, first, end, whole, start):
        return []
    return [
        "| where a warm run's milliseconds go | p50 |", "| --- | --- |",
        f"| submit call, to its answer | {submit:.1f} |",
        f"| from there to the first output byte (claim, script's start, first read) | {first - submit:.1f} |",
        f"| from there to the end as the caller knows it | {end - first:.1f} |",
        f"| the command's own start and end (`mags version`) | {start:.1f} |",
        f"| what the command adds besides | {whole - end - start:.1f} |",
        f"| whole command | {whole:.1f} |",
    ]


def ratios(results, bursts):
    lines = ["| beside a peer in the same run | Mags | peer | ratio |", "| --- | --- | --- | --- |"]
    size = bursts[-1]
    mags = results["pool full"]["command"].get("p50")
    for name, figures in results["peers"].items():
        if figures.get("absent"):
            continue
        peer = figures["echo hi"].get("p50")
        lines.append(f"| `mags run 'echo hi'` : {name} | {milliseconds(mags)} | {milliseconds(peer)} | {ratio(mags, peer)} |")
        ours, theirs = results[f"burst of {size}"]["all_seconds"], figures[f"burst of {size}"]["all_seconds"]
        lines.append(f"| burst of {size}, seconds : {name} | {ours} | {theirs} | {ratio(ours, theirs)} |")
        one_by_one = round(size * (peer or 0) / 1000, 1)
        lines.append(f"| burst of {size}, seconds : {size} × {name} | {ours} | {one_by_one} | {ratio(ours, one_by_one)} |")
    return lines


def costs(idle):
    private = idle["private_mb_per_machine"] or {"median": 0, "max": 0}
    cpu = idle["idle_cpu_percent_of_one_core"]
    roles = ", ".join(f"{name} {value} MB" for name, value in idle["private_mb_of_roles"].items())
    shares = ", ".join(f"{name} {value} %" for name, value in cpu.items() if name != "machines_together")
    return [
        "| what waiting costs | |", "| --- | --- |",
        f"| private memory of a waiting machine ({idle['machines']} of them) | median {private['median']} MB, "
        f"most {private['max']} MB |",
        f"| CPU of the server, idle, pool full, over {idle['seconds']} s, of one core | {shares} |",
        f"| CPU of all waiting machines together | {cpu['machines_together']} % |",
        f"| private memory of the server's processes | {roles} |",
    ]
