"""On what it was measured."""

import datetime
import os
import platform
import subprocess


def first_line(*command):
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
        return lines[0].strip() if lines else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def describe(accelerator):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1024
    load = os.getloadavg()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "accelerator": accelerator, "processor": model, "cores": os.cpu_count(), "memory_mb": memory,
        "kernel": platform.release(), "qemu": first_line("qemu-system-x86_64", "--version"),
        "load_at_start": round(load[0], 2), "runs_as_root": os.geteuid() == 0,
    }
