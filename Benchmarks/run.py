#!/usr/bin/env python3
"""Measures Mags and its peers on this machine. `script/bench` calls it.

"Time to first output" runs from the submit call's first byte to the first byte of the script's output at the caller.
ComputeSDK's method ("create to first command") runs from the create call to the return of the first trivial command:
here the end of a whole job. Every answer is checked; a wrong one counts as a failure, not as a time.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Tests" / "Integration")]

import machine  # noqa: E402
import memory  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from measure import Client, at_once, collect, command, summary  # noqa: E402
from rig.server import Server  # noqa: E402

HELLO = ("echo hi", b"hi\n")
PYTHON = ("#!/usr/bin/env python3\nprint('hi')\n", b"hi\n")


def parts(pairs):
    """Measurements of whole jobs, by what is clocked."""
    values, failed = pairs
    return {
        "first_byte": summary([value["first_byte"] for value in values], failed),
        "submit": summary([value["submit"] for value in values], failed),
        "end": summary([value["end"] for value in values], failed),
    }


def with_full_pool(server, count):
    client = Client(server.port, server.token)
    results = {}

    def full(_):
        server.wait_for_full_pool()

    for name, (script, expected) in (("echo hi", HELLO), ("python3", PYTHON)):
        results[name] = parts(collect(count, lambda _: client.first_byte(script, expected), full))
    results["command"] = summary(*collect(
        count, lambda _: command(server.mags.arguments("run", "echo hi"), b"hi\n", server.mags.environment), full))
    results["command, version only"] = summary(*collect(
        count, lambda _: _version(server)))
    client.close()
    return results


def _version(server):
    """What a start of the command costs without any work."""
    import subprocess

    begun = time.perf_counter()
    subprocess.run(server.mags.arguments("version"), env=server.mags.environment, capture_output=True, check=False)
    return (time.perf_counter() - begun) * 1000


def at_rate(server, count, gap):
    """Jobs that start `gap` seconds apart, whether or not the ones before have ended."""
    server.wait_for_full_pool()
    clients = [Client(server.port, server.token) for _ in range(count)]
    values, failed, took = at_once(count, lambda number: clients[number].first_byte(*HELLO), gap)
    for client in clients:
        client.close()
    return {**parts((values, failed)), "all_seconds": round(took, 2)}


def empty_pool(binaries, count):
    """A server that keeps no machine waiting: each job restores its own."""
    with Server(binaries, pool=0) as server:
        client = Client(server.port, server.token)
        collect(1, lambda _: client.first_byte(*HELLO))
        return parts(collect(count, lambda _: client.first_byte(*HELLO)))


def cold_template(binaries, count):
    """From the start of the server to the first output, when no template has ever been made."""
    values = []
    for _ in range(count):
        with tempfile.TemporaryDirectory(prefix="mags-bench-") as folder:
            for part in ("boot", "images"):
                os.symlink(pathlib.Path(os.environ["MAGS_CACHE"]) / part, pathlib.Path(folder) / part)
            os.chmod(folder, 0o755)
            begun = time.perf_counter()
            with Server(binaries, pool=1, environment={"MAGS_CACHE": folder}) as server:
                started = time.perf_counter()
                client = Client(server.port, server.token)
                first = client.first_byte(*HELLO)
                values.append((started - begun) * 1000 + first["first_byte"])
    return summary(values)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--binaries", required=True)
    arguments.add_argument("--output", help="folder for the results; a quick run keeps none unless it is given")
    arguments.add_argument("--count", type=int, default=50)
    arguments.add_argument("--quick", action="store_true", help="a tenth of everything: to see that it works")
    options = arguments.parse_args()
    count = 5 if options.quick else options.count
    bursts = (5, 10) if options.quick else (20, 100)
    idle_seconds = 3 if options.quick else 30

    results = {}
    with Server(options.binaries) as server:
        accelerator = server.api.run("true").get("accelerator")
        results["machine"] = machine.describe(accelerator)

        def step(name, work):
            print(f"  {name}", flush=True)
            begun = time.monotonic()
            results[name] = work()
            print(f"      {time.monotonic() - begun:.0f} s", flush=True)

        server.wait_for_full_pool()
        step("idle", lambda: memory.measure(server, idle_seconds))
        step("pool full", lambda: with_full_pool(server, count))
        step("sustained 1 per second", lambda: at_rate(server, count, 1.0))
        step("staggered 200 ms", lambda: at_rate(server, count, 0.2))
        for size in bursts:
            step(f"burst of {size}", lambda: at_rate(server, size, 0.0))
    step("pool empty", lambda: empty_pool(options.binaries, count))
    step("cold template", lambda: cold_template(options.binaries, 1 if options.quick else 3))
    step("peers", lambda: peers.measure(count, bursts[-1]))

    table = report.table(results, bursts)
    print("\n" + table)
    if options.output or not options.quick:
        folder = pathlib.Path(options.output or HERE / "results")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{results['machine']['date'][:10]}-{accelerator}"
        (folder / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
        (folder / f"{name}.md").write_text(table)
        print(f"written to {folder / name}.json and .md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
