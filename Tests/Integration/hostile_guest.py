"""A guest that takes all it can get harms neither the host nor its siblings."""

import json
import os
import pathlib
import shutil
import time

from rig import host
from rig.scenario import contains, equal, scenario, wait_for

HOSTILE = {
    "fork bomb": "echo begun; bomb() { bomb | bomb & }; bomb; sleep 120",
    "memory hog": "#!/usr/bin/env python3\nprint('begun', flush=True)\nheld = []\n"
                  "while True: held.append(bytearray(8 << 20))\n",
    "disk filler": "echo begun; cat /dev/zero > /root/fill; echo full; cat /dev/zero > /tmp/fill; sleep 120",
    "log flood": "echo begun; yes 'a line of the flood, and one more of it, and so on'",
}

# Root in a guest takes the port of PID 1 and writes what frames it likes.
FORGER = """#!/usr/bin/env python3
import ctypes, os, select, struct, time
call = ctypes.CDLL(None, use_errno=True).syscall
theirs = next(int(n) for n in os.listdir('/proc/1/fd') if 'vport' in os.readlink('/proc/1/fd/' + n))
port = call(438, call(434, 1, 0), theirs, 0)
def send(kind, payload=b'', stream=1):
    data = struct.pack('<BBHI', kind, 0, stream, len(payload)) + payload
    while data:
        select.select([], [port], [])
        try:
            data = data[os.write(port, data):]
        except BlockingIOError:
            pass
print('begun', flush=True)
# PID 1 must not be in the middle of a frame of its own.
time.sleep(0.5)
"""
STARTED, STDOUT, REPLY, PONG = 66, 67, 72, 73


def latencies(server, count):
    """Milliseconds of small runs, each of which must be right."""
    took = []
    for number in range(count):
        begun = time.perf_counter()
        end = server.api.run(f"echo sibling-{number}", seconds=60)
        took.append((time.perf_counter() - begun) * 1000)
        equal(end["stdout"], f"sibling-{number}\n".encode(), "a sibling's output")
    return sorted(took)


def beside(stage, *names):
    with stage.own_server() as server:
        server.wait_for_full_pool()
        quiet = latencies(server, 10)
        roles = server.pids()
        free = shutil.disk_usage(server.folder).free
        jobs = {}
        for name in names:
            jobs[name] = server.api.submit(HOSTILE[name])
        for name, job in jobs.items():
            wait_for(f"the {name} has begun", lambda: server.api.output(job).startswith(b"begun"), 60)
        machines = [server.machine_pid(server.api.status(job)["vm_id"]) for job in jobs.values()]
        noisy = latencies(server, 20)
        middle = len(noisy) // 2
        print(f"        sibling beside {', '.join(names)}: p50 {noisy[middle]:.0f} ms, worst {noisy[-1]:.0f} ms "
              f"(quiet: {quiet[5]:.0f} ms)")
        equal(server.pids(), roles, "the server's processes")
        used = free - shutil.disk_usage(server.folder).free
        assert used < 8 << 30, f"the host's disk lost {used >> 20} MiB"
        with open("/proc/loadavg") as load:
            running = int(load.read().split()[3].split("/")[1])
        assert running < 5000, f"{running} threads on the host"
        for name, job in jobs.items():
            server.api.stop(job)
            end = server.api.wait(job, 60)
            assert end["status"] in ("stopped", "error", "completed"), f"the {name} is {end['status']}"
        wait_for("no machine is busy", lambda: server.pool_status()["busy_vms"] == 0, 60, 0.2)
        for pid in machines:
            wait_for("the hostile machine is gone", lambda: not pathlib.Path(f"/proc/{pid}").exists(), 30, 0.2)


@scenario(limit=400)
def a_fork_bomb_harms_nobody_else(stage):
    beside(stage, "fork bomb")


@scenario(limit=400)
def a_memory_hog_harms_nobody_else(stage):
    beside(stage, "memory hog")


@scenario(limit=400)
def a_disk_filler_harms_nobody_else(stage):
    beside(stage, "disk filler")


@scenario(limit=400)
def a_log_flood_harms_nobody_else(stage):
    beside(stage, "log flood")


@scenario(limit=900, nightly=True)
def all_of_them_at_once_harm_nobody_else(stage):
    beside(stage, *HOSTILE, *(() if os.cpu_count() < 4 else HOSTILE))


def ends_as_lost(server, job, seconds, why="broke the wire's rules"):
    """The job fails because of its guest, and nothing else does."""
    end = server.api.wait(job, seconds)
    equal(end["status"], "error", "status of a job whose guest breaks the rules")
    contains(json.dumps(end), why, "what is said of it")
    wait_for("no machine is busy", lambda: server.pool_status()["busy_vms"] == 0, 60, 0.2)


@scenario(limit=400)
def a_guest_that_ignores_its_credit_ends_and_leaves_a_bounded_spool(stage):
    with stage.own_server() as server:
        roles = server.pids()
        flood = FORGER + f"while True: send({STDOUT}, b'x' * 32768)\n"
        # Nobody reads what the command writes: a reader that is attached, and takes nothing.
        with server.mags.start("run", flood) as command:
            job = wait_for("the job is there", lambda: server.api.get("/mags-jobs")["jobs"], 60)[0]["request_id"]
            try:
                ends_as_lost(server, job, 300, "more standard output than it was allowed")
                spool = (server.home / "jobs" / job / "output").stat().st_size
                assert spool < 90 << 20, f"the spool has {spool >> 20} MiB"
            finally:
                command.kill()
        equal(server.pids(), roles, "the server's processes")
        equal(server.api.run("echo on")["stdout"], b"on\n", "a run afterwards")


@scenario(limit=300)
def a_guest_cannot_extend_its_time_or_say_what_nobody_asked(stage):
    with stage.own_server() as server:
        roles = server.pids()
        forged = {
            "a second start": f"while True: send({STARTED}, bytes(4)); time.sleep(0.2)\n",
            "pongs": f"while True: send({PONG}, bytes(8), 0)\n",
            "replies": f"while True: send({REPLY}, bytes(12), 0)\n",
            "another stream": f"while True: send({STDOUT}, b'x', 7)\n",
            "empty output": f"while True: send({STDOUT})\n",
        }
        jobs = [server.api.submit(FORGER + tail, timeout=60) for tail in forged.values()]
        for job in jobs:
            ends_as_lost(server, job, 50)
        equal(server.pids(), roles, "the server's processes")
