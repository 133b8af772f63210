"""What a program that was taken over could do: as little as it needs."""

import os
import pathlib

from rig import host
from rig.scenario import Skipped, equal, scenario

NO_RIGHTS = "0" * 16


def status_of(pid):
    lines = (pathlib.Path("/proc") / str(pid) / "status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def check(pid, what):
    status = status_of(pid)
    equal(status["Seccomp"], ["2"], f"{what}: its system calls are filtered")
    equal(status["NoNewPrivs"], ["1"], f"{what}: it can gain no rights")
    return status


def check_unprivileged(pid, what):
    status = check(pid, what)
    for rights in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        equal(status[rights], [NO_RIGHTS], f"{what}: {rights}")
    assert "0" not in status["Uid"] + status["Gid"] + status["Groups"], f"{what} is in part root: {status}"
    return status


@scenario()
def what_strangers_talk_to_runs_without_rights(stage):
    if not stage.is_root:
        raise Skipped("only root has rights to give up")
    server = stage.server
    roles = server.pids()
    for role in ("api", "edge"):
        check_unprivileged(roles[role], role)
    resolvers = [pid for pid in host.pids()
                 if host.arguments_of(pid)[1:2] == [b"resolver"] and status_of(pid)["PPid"] == [str(roles["host"])]]
    equal(len(resolvers), 1, "resolvers")
    check_unprivileged(resolvers[0], "resolver")


@scenario()
def each_machine_is_a_user_of_its_own_without_rights(stage):
    if not stage.is_root:
        raise Skipped("only root can make users of its own for machines")
    server = stage.server
    server.wait_for_full_pool()
    machines = server.machines()
    users = [check_unprivileged(pid, f"machine {pid}")["Uid"][0] for pid in machines]
    equal(len(set(users)), len(machines), "users of machines")
    for pid in machines:
        outside = os.stat("/proc/self/ns/mnt").st_ino
        assert os.stat(f"/proc/{pid}/ns/mnt").st_ino != outside, f"machine {pid} sees the host's mounts"
        for hidden in ["home", "root", "run", "tmp", "var"]:
            equal(os.listdir(f"/proc/{pid}/root/{hidden}"), [], f"what machine {pid} sees of /{hidden}")
        assert os.stat(f"/proc/{pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino, \
            f"machine {pid} is in the host's network"
