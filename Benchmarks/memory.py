"""What waiting machines and an idle server cost."""

import os
import statistics
import time

TICKS = os.sysconf("SC_CLK_TCK")


def rollup(pid):
    """Kilobytes by name, from /proc/PID/smaps_rollup."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file if line.rstrip().endswith("kB")}


def private_megabytes(pid):
    figures = rollup(pid)
    return (figures["Private_Dirty"] + figures["Private_Clean"] + figures.get("Private_Hugetlb", 0)) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(server, seconds):
    """The server must be idle with a full pool."""
    machines, roles = server.machines(), server.pids()
    private = [private_megabytes(pid) for pid in machines]
    before = {pid: cpu_seconds(pid) for pid in [*machines, *roles.values()]}
    begun = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    used = {pid: cpu_seconds(pid) - cpu for pid, cpu in before.items()}
    return {
        "machines": len(machines),
        "private_mb_per_machine": {
            "median": round(statistics.median(private), 1), "max": round(max(private), 1)} if private else None,
        "idle_cpu_percent_of_one_core": {
            "machines_together": round(100 * sum(used[pid] for pid in machines) / took, 2),
            **{role: round(100 * used[pid] / took, 2) for role, pid in roles.items()},
        },
        "private_mb_of_roles": {role: round(private_megabytes(pid), 1) for role, pid in roles.items()},
        "seconds": seconds,
    }
