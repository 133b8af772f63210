"""Nothing outlives its owner: the host before, at rest, and after the server has ended."""

import os
import re
import subprocess

from rig import host
from rig.scenario import equal, scenario, wait_for

# A server's things carry its number, and its control groups its name.
NUMBERS = re.compile(r"mags[-_](\d+)(p\d+)?\b")
GROUPS = re.compile(r"^cgroup .*/mags-([0-9a-f]{8})(/|$)")


def snapshot(server):
    """What is there, without what other servers on this host make and unmake meanwhile."""
    own_name, own_number = server.marks or (None, None)

    def is_foreign(name):
        if group := GROUPS.search(name):
            return group.group(1) != own_name
        number = NUMBERS.search(name)
        return bool(number) and number.group(1) != str(own_number)

    return {
        "kernel objects": {name for name in host.kernel_objects() if not is_foreign(name)},
        "processes": set(host.processes_of(server)),
        "listeners": host.tcp_listeners() & {f"tcp {address}:{server.port:04X}" for address in ("0100007F", "00000000")},
        "unix sockets": {path for path in host.unix_sockets() if path.startswith(str(server.folder))},
        "files": host.files_below(server.home / "run", server.home / "machines"),
    }


def check_equal(before, after, when):
    for what in before:
        new = after[what] - before[what]
        equal(new, set(), f"{what} that are left {when}")


def at_rest(server):
    """As many machines as the pool keeps, and for each exactly one process and one cable."""
    status = server.pool_status()
    cables = [name for name in host.kernel_objects() if re.fullmatch(rf"link mags-{server.marks[1]}p\d+", name)]
    machines = host.machines_of(server)
    folders = os.listdir(server.home / "machines")
    counts = {"total": status["total_vms"], "processes": len(machines), "folders": len(folders)}
    if os.geteuid() == 0:
        counts["cables"] = len(cables)
    is_calm = status["busy_vms"] == 0 and status["waiting_jobs"] == 0 and status["warming_vms"] == 0 \
        and status["idle_vms"] == status["resting_size"]
    return is_calm and set(counts.values()) == {status["resting_size"]}


def work(server):
    """Every way in which a job can end."""
    api = server.api
    jobs = [api.submit(f"echo {number}") for number in range(20)]
    jobs += [api.submit("exit 3"), api.submit("sleep 100", timeout=1), api.submit("kill -9 $$")]
    jobs.append(api.submit("sleep 100 & exit 0"))
    stopped = api.submit("sleep 100")
    wait_for("it runs", lambda: api.status(stopped)["status"] == "running", 60)
    api.stop(stopped)
    for job in jobs + [stopped]:
        api.wait(job, 120)


def audit(stage, disturb):
    server = stage.own_server()
    before = snapshot(server)
    with server:
        server.wait_for_full_pool()
        work(server)
        disturb(server)
        wait_for("the host is at rest again, at most 30 s after the last demand", lambda: at_rest(server), 45, 0.5)
        server.stop()
        after = snapshot(server)
        # The marks are gone with the server; what carries them would show here.
        check_equal(before, after, "after the server has ended")


@scenario(limit=400)
def after_work_and_an_orderly_end_the_host_is_as_before(stage):
    audit(stage, lambda server: None)


@scenario(limit=400)
def after_a_crash_of_every_role_and_an_orderly_end_the_host_is_as_before(stage):
    def crash(server):
        for role in ("host", "api", "edge"):
            server.wait_for_role(role, server.kill(role))
        wait_for("the server answers again", server.is_healthy, 60)
        work(server)

    audit(stage, crash)


@scenario(limit=400)
def after_a_crash_of_everything_script_down_leaves_the_host_as_before(stage):
    server = stage.own_server()
    before = snapshot(server)
    with server:
        server.wait_for_full_pool()
        work(server)
        server.api.submit("sleep 100")
        server.kill_everything_but_machines()
        down = subprocess.run(
            [stage.script("down")], env={**os.environ, "MAGS_HOME": str(server.home)}, capture_output=True, text=True,
            timeout=120)
        equal(down.returncode, 0, f"exit code of script/down ({down.stdout}{down.stderr})")
        after = snapshot(server)
        after["files"] = before["files"]
        check_equal(before, after, "after script/down")
