"""An ordinary user, packages present: everything works but what needs root, and `doctor` says what that is."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from rig import host
from rig.scenario import Skipped, contains, equal, scenario, wait_for

ROOT = pathlib.Path(__file__).parents[2]
# What `doctor` has to find weaker than as root, whatever this host is like otherwise.
WEAKER = {"users", "network", "cgroups", "priority"}


class User:
    """A user of the test's own, with a copy of this checkout and of what was built; gone at the end."""

    def __init__(self, binaries, builds_guest):
        self.name = f"magstest{os.getpid() % 100000}"
        self.binaries = binaries
        self.builds_guest = builds_guest

    def __enter__(self):
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", self.name], check=True)
        try:
            entry = pwd.getpwnam(self.name)
            self.home, self.uid = pathlib.Path(entry.pw_dir), entry.pw_uid
            self._copy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _copy(self):
        shutil.copytree(
            ROOT, self.home / "mags", symlinks=True,
            ignore=shutil.ignore_patterns(".git", ".build*", "bin", "__pycache__"))
        built = self.home / "built"
        built.mkdir()
        for name in ("mags", "magsd"):
            shutil.copy2(pathlib.Path(self.binaries) / name, built / name)
        # What boots in a machine is the same for every user: only its building shows anything, and takes a minute.
        cache = pathlib.Path(os.environ["MAGS_CACHE"])
        if not self.builds_guest:
            scratch = pathlib.Path(os.environ.get("MAGS_SCRATCH") or cache / "swift")
            shutil.copy2(scratch / "guest/release/guest", built / "guest")
        for part in ("boot", "images/standard"):
            made = self.home / "cache" / part
            made.mkdir(parents=True)
            name = os.readlink(cache / part / "current")
            subprocess.run(["cp", "-a", "--reflink=auto", cache / part / name, made], check=True)
            (made / "current").symlink_to(name)
        subprocess.run(["chown", "-R", f"{self.name}:", self.home], check=True)

    def processes(self):
        return [pid for pid in host.pids() if host.is_running(pid) and self._owns(pid)]

    def _owns(self, pid):
        try:
            return os.stat(f"/proc/{pid}").st_uid == self.uid
        except OSError:
            return False

    def __exit__(self, *_):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for("the user's processes are gone", lambda: not self.processes(), 20)
        subprocess.run(["userdel", "--remove", self.name], capture_output=True, check=False)
        # The numbers of the user's servers, where there is no runtime folder.
        shutil.rmtree(f"/tmp/mags-{self.uid}", ignore_errors=True)

    def run(self, *command, seconds=600):
        variables = {
            "HOME": str(self.home), "PATH": os.environ["PATH"], "MAGS_HOME": str(self.home / "server"),
            "MAGS_CACHE": str(self.home / "cache"), "MAGS_BIN": str(self.home / "built"), "LANG": "C.UTF-8",
            # As `su` leaves it: another user's.
            "XDG_RUNTIME_DIR": "/run/user/0",
        }
        return subprocess.run(
            ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups", "--no-new-privs",
             "env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command],
            cwd=self.home / "mags", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)


def check_doctor(shown):
    """Each wall that needs root is listed once, and each with what to do."""
    findings = json.loads(shown)["findings"]
    weaker = [finding for finding in findings if finding["grade"] == "weaker"]
    missing = WEAKER - {finding["subject"] for finding in weaker}
    equal(missing, set(), f"what doctor does not list as weaker ({findings})")
    subjects = [finding["subject"] for finding in findings]
    equal(len(subjects), len(set(subjects)), f"subjects that are listed once ({subjects})")
    for finding in weaker:
        if finding["subject"] in WEAKER | {"accelerator"}:
            assert finding.get("remedy"), f"no remedy: {finding}"


def work_through(stage, builds_guest):
    if not stage.is_root:
        raise Skipped("a user can be made by root only")
    # Root's server beside it must not be taken for the user's, nor the other way round.
    beside = stage.server
    with User(stage.binaries, builds_guest) as user:
        try:
            up = user.run("script/up", seconds=1200)
            equal(up.returncode, 0, f"exit code of script/up\n{up.stdout[-2000:]}{up.stderr[-2000:]}")
            contains(up.stdout, "Hello World", "script/up")
            contains(up.stdout, "You are not root", "script/up")
            check_doctor(user.run("bin/magsd", "doctor", "--json").stdout)
            check_doctor(user.run("bin/mags", "doctor", "--json").stdout)
            again = user.run("bin/mags", "run", "id -u; exit 5")
            equal((again.stdout, again.returncode), ("0\n", 5), f"a second run ({again.stderr})")
            # No network, told at once instead of after a wait.
            lost = user.run("bin/mags", "run", "--timeout", "20", "curl -sS http://example.org/; exit 6")
            equal(lost.returncode, 6, f"a script that wants the network ({lost.stderr})")
            contains(lost.stderr, "Could not resolve host", "standard error")
        finally:
            down = user.run("script/down")
        equal(down.returncode, 0, f"exit code of script/down ({down.stdout}{down.stderr})")
        assert "left over" not in down.stdout, f"an orderly end left something: {down.stdout}"
        equal(user.processes(), [], "processes of the user's after script/down")
    equal(beside.mags("run", "echo fine").stdout, b"fine\n", "a run of root's server")


@scenario(limit=300)
def up_ends_with_hello_world_and_doctor_lists_what_is_weaker(stage):
    work_through(stage, builds_guest=False)


@scenario(limit=1500, nightly=True)
def the_user_can_build_the_guest_and_fetch_the_kernel_too(stage):
    work_through(stage, builds_guest=True)
