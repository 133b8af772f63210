"""`script/up` and `script/down` as a stranger runs them: repeated, interrupted, twice at once, on a host that refuses."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from rig import host
from rig.scenario import Skipped, contains, equal, scenario, wait_for
from rig.server import free_port

ROOT = pathlib.Path(__file__).parents[2]
ENDED = "Hello World"


class Place:
    """A MAGS_HOME of the scenario's own with a login file, and the scripts run on it.

    They are copies beside what they need, since they put links to what was built into their checkout.
    """

    def __init__(self, stage):
        self.stage = stage
        # The server's unprivileged parts must pass it.
        stage.folder.chmod(0o711)
        self.checkout = stage.folder / "checkout"
        for part in ("script", "Images"):
            shutil.copytree(ROOT / part, self.checkout / part, symlinks=True)
        self.home = stage.folder / "home"
        self.config = stage.folder / "config" / "config.json"
        self.port = free_port()
        # What the scripts are run by.
        self.prefix = ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("down")

    def environment(self, **changes):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAGS_API")}
        kept |= {"MAGS_HOME": str(self.home), "MAGS_CONFIG": str(self.config), "MAGS_BIN": str(self.binaries)}
        return kept | {name: str(value) for name, value in changes.items()}

    @property
    def binaries(self):
        """What is under test, with the guest that the test run has built: nothing is compiled."""
        folder = self.stage.folder / "built"
        if not folder.exists():
            folder.mkdir()
            for name in ("mags", "magsd"):
                (folder / name).symlink_to(pathlib.Path(self.stage.binaries).resolve() / name)
            scratch = os.environ.get("MAGS_SCRATCH") or f"{os.environ['MAGS_CACHE']}/swift"
            (folder / "guest").symlink_to(f"{scratch}/guest/release/guest")
        return folder

    def script(self, name):
        return str(self.checkout / "script" / name)

    def run(self, name, *arguments, seconds=150, **changes):
        return subprocess.run(
            [*self.prefix, self.script(name), *arguments], env=self.environment(**changes), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds)

    def up(self, *arguments, **changes):
        return self.run("up", "--port", str(self.port), *arguments, **changes)

    def refused_up(self, *parts, **changes):
        """It fails, says all of `parts` on standard error, and leaves no process."""
        up = self.up(**changes)
        assert up.returncode != 0, f"it did not fail: {up.stdout}"
        for part in parts:
            contains(up.stderr, part, f"standard error ({up.stdout})")
        equal(self.processes(), [], "processes that are left")
        return up

    def processes(self):
        """Of this home: magsd and its roles; the machines end with them or are seen by `script/down`."""
        home = str(self.home).encode()
        return [pid for pid in host.pids()
                if host.is_running(pid) and host.program_of(pid).startswith("magsd")
                and home in host.arguments_of(pid)]


def check_up(up):
    equal(up.returncode, 0, f"exit code of script/up\n{up.stdout[-2000:]}{up.stderr[-2000:]}")
    contains(up.stdout, ENDED, "script/up")


@scenario(limit=300)
def up_can_be_repeated_and_down_too(stage):
    with Place(stage) as place:
        nothing = place.run("down")
        equal((nothing.returncode, place.home.exists()), (0, False), f"down without a server ({nothing.stderr})")
        check_up(place.up())
        login = place.config.read_text()
        again = place.up()
        check_up(again)
        contains(again.stdout, "the server runs already", "a second script/up")
        equal(place.config.read_text(), login, "the login")
        for words in ("stopped in", "no server was running"):
            down = place.run("down")
            equal(down.returncode, 0, f"exit code of script/down ({down.stdout}{down.stderr})")
            contains(down.stdout, words, "script/down")
            equal(place.processes(), [], "processes that are left")
        # Another port is no other server: the login follows.
        place.port = free_port()
        check_up(place.up())
        contains(place.config.read_text(), f":{place.port}\"", "the login after a change of port")


@scenario(limit=300)
def an_interrupted_up_leaves_nothing_and_goes_on_the_next_time(stage):
    with Place(stage) as place:
        for part in ("kernel and first file system", "server on"):
            up = subprocess.Popen(
                ["bash", place.script("up"), "--port", str(place.port)], env=place.environment(), text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            shown = ""
            # The part's name stands there before it begins; its time is added at its end.
            while part not in shown:
                character = up.stdout.read(1)
                assert character, f"it ended before '{part}': {shown}{up.stderr.read()}"
                shown += character
            # As the terminal does it: to all of the group.
            os.killpg(up.pid, signal.SIGINT)
            _, errors = up.communicate(timeout=90)
            equal(up.returncode, -signal.SIGINT, f"how it ended ({errors})")
            contains(errors, "interrupted; what is done is kept", "standard error")
            wait_for("no process is left", lambda: not place.processes(), 30)
        check_up(place.up())


@scenario
def a_second_up_says_that_one_is_at_work(stage):
    with Place(stage) as place:
        place.home.mkdir()
        with open(place.home / "up.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place.refused_up("another script/up or script/down is at work", "Wait for it to end")


@scenario
def a_port_that_is_taken_is_named_before_anything_is_built(stage):
    with Place(stage) as place, socket.socket() as holder:
        holder.bind(("127.0.0.1", place.port))
        # Bound without listening, it answers nobody, and yet the server could not have it.
        for listens in (False, True):
            if listens:
                holder.listen()
            up = place.refused_up(f"cannot listen on port {place.port}", "in use", "script/up --port N")
            assert "Mags: server in" not in up.stdout, up.stdout


@scenario
def a_home_that_cannot_be_written_is_named_with_the_reason(stage):
    with Place(stage) as place:
        up = place.refused_up("cannot write to /proc/mags", "set MAGS_HOME", MAGS_HOME="/proc/mags")
        assert re.search("No such file|denied|permitted", up.stderr), up.stderr
        place.refused_up("cannot write to /proc/mags", "set MAGS_CACHE", MAGS_CACHE="/proc/mags")
        if stage.is_root:
            stage.folder.chmod(0o700)
            place.refused_up(f"{stage.folder} is closed to other users", "chmod o+x")


@scenario
def packages_that_cannot_be_installed_are_named(stage):
    if not stage.is_root:
        raise Skipped("an ordinary user installs none")
    with Place(stage) as place:
        shims = stage.folder / "shims"
        shims.mkdir()
        real = shutil.which("dpkg-query")
        # One package seems to be missing, and the mirror is gone.
        for name, text in (("dpkg-query", f'case "$*" in *lz4*) exit 1 ;; esac; exec {real} "$@"'),
                           ("apt-get", 'echo "E: Failed to fetch: no route to host" >&2; exit 100')):
            (shims / name).write_text(f"#!/bin/sh\n{text}\n")
            (shims / name).chmod(0o755)
        place.refused_up(
            "no route to host", "could not install: lz4", "sources.list", PATH=f"{shims}:{os.environ['PATH']}")


@scenario
def root_without_the_rights_of_root_runs_machines_without_a_network(stage):
    """As container engines start it by default."""
    if not stage.is_root:
        raise Skipped("only root can give rights away")
    lacking = ("setpriv", "--bounding-set", "-sys_admin,-net_admin", "--inh-caps", "-sys_admin,-net_admin")
    with Place(stage) as place:
        place.prefix = lacking
        check_up(place.up())
        doctor = subprocess.run(
            [*lacking, place.binaries / "mags", "doctor"], env=place.environment(), capture_output=True, text=True)
        contains(doctor.stdout, "Machines have no network", "doctor")
        down = place.run("down")
        equal(down.returncode, 0, f"exit code of script/down ({down.stdout}{down.stderr})")
        contains(down.stdout, "nothing left running", "script/down")
