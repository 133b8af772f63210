"""A flood of output arrives unchanged, and the server's memory stays flat however slow the reader is."""

import hashlib
import re
import threading
import time

from rig import host
from rig.scenario import equal, scenario, wait_for

MEGABYTES = 200
# A pseudo-random stream that the guest can make fast and sign: its own digest is its last word.
SCRIPT = f"""#!/usr/bin/env python3
import hashlib, os, sys
digest = hashlib.sha256()
for _ in range({MEGABYTES}):
    piece = os.urandom(1 << 20)
    digest.update(piece)
    sys.stdout.buffer.write(piece)
sys.stdout.flush()
print(digest.hexdigest(), file=sys.stderr)
"""
# Far below what is on its way; a role that kept the output would hold all of it.
ALLOWED_GROWTH = 64 << 20


class MemoryWatch:
    """The most that each role held while the block ran."""

    def __init__(self, server):
        self.server = server
        self.peaks = {}
        self._stop = threading.Event()

    def __enter__(self):
        self.before = {role: host.resident_bytes(pid) for role, pid in self.server.pids().items()}
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.2):
            for role, pid in self.server.pids().items():
                try:
                    self.peaks[role] = max(self.peaks.get(role, 0), host.resident_bytes(pid))
                except (OSError, AssertionError):
                    pass

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def check(self):
        for role, peak in sorted(self.peaks.items()):
            growth = peak - self.before.get(role, 0)
            print(f"        {role}: {self.before.get(role, 0) >> 20} MiB before, {peak >> 20} MiB at most")
            assert growth < ALLOWED_GROWTH, f"{role} grew by {growth >> 20} MiB"


def receive(server, pause):
    """Reads the command's stdout, waiting `pause` seconds after each MiB, and returns size, digest, and stderr."""
    digest, size = hashlib.sha256(), 0
    complaint = []
    with server.mags.start("run", SCRIPT) as command:
        reader = threading.Thread(target=lambda: complaint.append(command.stderr.read()))
        reader.start()
        since = 0
        while piece := command.stdout.read(65536):
            digest.update(piece)
            size += len(piece)
            since += len(piece)
            if pause and since >= 1 << 20:
                since = 0
                time.sleep(pause)
        reader.join()
        code = command.wait()
    equal(code, 0, f"exit code ({complaint[0][-300:]!r})")
    return size, digest.hexdigest(), complaint[0].decode()


def check(stage, pause):
    with stage.own_server() as server:
        server.wait_for_full_pool()
        with MemoryWatch(server) as memory:
            size, digest, stderr = receive(server, pause)
        equal(size, MEGABYTES << 20, "bytes received")
        equal(digest, re.findall(r"\b[0-9a-f]{64}\b", stderr)[0], "digest")
        memory.check()


@scenario(limit=900)
def two_hundred_megabytes_arrive_unchanged_at_a_slow_reader(stage):
    check(stage, pause=0.1)


@scenario(limit=900, nightly=True)
def two_hundred_megabytes_arrive_unchanged_at_a_very_slow_reader(stage):
    check(stage, pause=1.5)


@scenario(limit=600)
def without_a_reader_the_log_keeps_its_first_64_mib_and_says_how_much_more_there_was(stage):
    with stage.own_server() as server:
        api = server.api
        job = api.submit("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end >&2")
        with MemoryWatch(server) as memory:
            equal(api.wait(job, 300)["status"], "completed", "status")
        kept = api.output(job)
        assert 60 << 20 <= len(kept) <= 64 << 20, f"{len(kept)} bytes are kept"
        equal(set(kept), {ord("x")}, "what is kept")
        memory.check()


@scenario(limit=600)
def a_full_window_outlives_the_host_role_and_then_everything_arrives(stage):
    with stage.own_server() as server:
        with server.mags.start("run", SCRIPT) as command:
            first = command.stdout.read(1 << 20)
            job = server.api.get("/mags-jobs")["jobs"][0]["request_id"]
            spool = server.home / "jobs" / job / "output"
            sizes = []

            def is_full():
                sizes.append(spool.stat().st_size)
                return sizes[-1] > 70 << 20 and sizes[-4:].count(sizes[-1]) == 4

            wait_for("the window is full, and the script waits", is_full, 240, 0.5)
            server.wait_for_role("host", server.kill("host"))
            complaint = []
            reader = threading.Thread(target=lambda: complaint.append(command.stderr.read()))
            reader.start()
            digest, size = hashlib.sha256(first), len(first)
            while piece := command.stdout.read(65536):
                digest.update(piece)
                size += len(piece)
            reader.join()
            code = command.wait()
        stderr = complaint[0].decode()
        equal((code, size), (0, MEGABYTES << 20), f"exit code and bytes received ({stderr[-300:]!r})")
        equal(digest.hexdigest(), re.findall(r"\b[0-9a-f]{64}\b", stderr)[0], "digest")
