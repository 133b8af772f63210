"""Clones of one template are different machines."""

import json
import time

from rig.scenario import equal, scenario

MACHINES = 20
# The clock comes first: before anything else of the user's runs.
SCRIPT = r"""#!/usr/bin/env python3
import time
now = time.time()
import json, os, random, subprocess, sys, tempfile, uuid

def text(path):
    with open(path) as file:
        return file.read().strip()

print(json.dumps({
    "clock": now,
    "boot id": text("/proc/sys/kernel/random/boot_id"),
    "machine id": text("/etc/machine-id"),
    "uuid": text("/proc/sys/kernel/random/uuid"),
    "uuid4": str(uuid.uuid4()),
    "urandom": os.urandom(32).hex(),
    "getrandom": os.getrandom(32).hex(),
    "random": random.random(),
    "hash": hash("a string"),
    "shell": subprocess.run(["bash", "-c", "echo $RANDOM$RANDOM$RANDOM$SRANDOM"], capture_output=True, text=True).stdout,
    "mktemp": tempfile.mktemp(),
}))
"""
SHELL = "cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid /etc/machine-id; od -An -N32 -tx1 /dev/urandom; " \
    "echo $RANDOM-$RANDOM-$RANDOM-$SRANDOM; date +%s.%N"


def run_all(api, script):
    """Submits one after another, so that each claim's instant is known, and returns (before, after, output)."""
    seen = []
    for _ in range(MACHINES):
        before = time.time()
        job = api.submit(script)
        end = api.wait(job, 120)
        seen.append((before, time.time(), api.output(job).decode()))
        equal(end["status"], "completed", "status")
    return seen


def all_different(what, values):
    equal(len(set(values)), len(values), f"different values of {what} in {len(values)} machines")


@scenario(limit=400)
def twenty_machines_never_share_anything_random(stage):
    seen = [json.loads(output) for _, _, output in run_all(stage.server.api, SCRIPT)]
    for key in seen[0]:
        all_different(key, [one[key] for one in seen])


@scenario(limit=400)
def twenty_machines_with_shell_scripts_never_share_anything_random(stage):
    outputs = [output.splitlines() for _, _, output in run_all(stage.server.api, SHELL)]
    for line, what in enumerate(("boot id", "uuid", "machine id")):
        all_different(what, [output[line] for output in outputs])
    all_different("urandom", ["".join(output[3:-2]) for output in outputs])
    all_different("the shell's own random numbers", [output[-2] for output in outputs])


@scenario(limit=400)
def the_clock_is_right_before_the_first_instruction_of_the_script(stage):
    off = []
    for before, after, output in run_all(stage.server.api, SCRIPT):
        clock = json.loads(output)["clock"]
        off.append(max(before - clock, clock - after, 0))
    print(f"        at most {max(off) * 1000:.0f} ms off")
    assert max(off) <= 0.5, f"a guest's clock was {max(off):.3f} s off"
