"""A host's disk that runs full: machines are told, none stands still for ever, and no new one is made."""

import json
import os
import subprocess

from rig.scenario import Skipped, contains, equal, scenario, wait_for

# More than there is room for; the error comes with what is written back.
FILL = "dd if=/dev/zero of=/big bs=1M count=400 conv=fsync 2>/dev/null; echo code $?; echo alive"


@scenario(limit=300)
def a_full_disk_is_told_to_the_guest_and_refuses_new_machines_until_there_is_room(stage):
    if not stage.is_root:
        raise Skipped("a small disk of its own needs root")
    server = stage.own_server(pool=1)
    machines = server.home / "machines"
    machines.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m,mode=711", "tmpfs", machines], check=True)
    with server:
        try:
            # Clones that are made meanwhile would find no room: one job alone fills it.
            end = server.api.run(FILL)
            equal(end["status"], "completed", f"status of the script that filled the disk ({end})")
            equal(end["stdout"], b"code 1\nalive\n", "what it saw")

            size = os.statvfs(machines)
            wait_for("its disk is given back", lambda: os.statvfs(machines).f_bavail > size.f_blocks // 2, 30)
            filler = machines / "filler"
            with open(filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, os.statvfs(machines).f_bavail * size.f_frsize - (4 << 20))
            refused = server.api.run("echo never")
            equal((refused["status"], refused["stdout"]), ("error", b""), "a job on a full disk")
            contains(json.dumps(refused, default=str), "disk is full", "why")
            filler.unlink()
            equal(server.api.run("echo again")["stdout"], b"again\n", "a job when there is room again")
        finally:
            subprocess.run(["umount", "-l", machines], check=False)
