"""A real server in a folder of its own."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from . import host
from .api import API
from .command import Command
from .scenario import wait_for

ROLES = ("api", "edge", "host")


class Server:
    """One `magsd` with its own MAGS_HOME, port, token and login file.

    Use it as a context: on leaving, it is stopped in order and its folder removed.
    """

    def __init__(self, binaries, pool=None, environment=None):
        self.binaries = pathlib.Path(binaries)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mags-test-"))
        os.chmod(self.folder, 0o711)
        self.home = self.folder / "home"
        self.port = free_port()
        self.pool = pool
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.token = None
        self.marks = None

    def __enter__(self):
        try:
            self.start()
            self.token = self.make_token("test")
            self.write_login()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        """Starts the supervisor and waits until it answers and its node is there."""
        self.spawn()
        wait_for("the server answers /health", self.is_healthy, 90, 0.05)
        self.marks = self.instance

    def spawn(self):
        """Starts the supervisor and waits for nothing."""
        self.home.mkdir(exist_ok=True)
        log = open(self.log_path, "ab")
        arguments = [str(self.binaries / "magsd"), "--home", str(self.home), "--port", str(self.port)]
        if self.pool is not None:
            arguments += ["--pool", str(self.pool)]
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self.environment)
        log.close()

    def is_healthy(self):
        if self.process.poll() is not None:
            raise AssertionError(f"magsd ended with {self.process.returncode}:\n{self.log_tail()}")
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{self.url}/health", timeout=2) as reply:
                return json.load(reply)["status"] == "ok"
        except (OSError, ValueError):
            return False

    def make_token(self, name):
        made = subprocess.run(
            [self.binaries / "magsd", "token", "create", "--home", self.home, "--name", name],
            capture_output=True, text=True, timeout=30)
        assert made.returncode == 0, f"token create: {made.stderr}"
        return made.stdout.split()[-1]

    def write_login(self):
        self.login.touch(mode=0o600)
        self.login.write_text(json.dumps({"api_url": self.url, "api_token": self.token}))

    def stop(self):
        """In order, as `script/down` does it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the server did not end within 60 s of SIGTERM:\n{self.log_tail()}")
        self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            # A scenario that failed halfway may have killed the server: nothing of it may stay on this host.
            host.remove_everything_of(self)
            if os.environ.get("MAGS_TEST_KEEP"):
                print(f"    kept: {self.folder}")
            else:
                subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=False)

    # Roles, for the scenarios that kill them.

    def pid(self, role):
        """Of `magsd` (the supervisor), `api`, `edge` or `host`; None when there is none."""
        try:
            return int((self.home / "run" / f"{role}.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def pids(self):
        """The supervisor and its roles, by name."""
        found = {role: self.pid(role) for role in ("magsd",) + ROLES}
        return {role: pid for role, pid in found.items() if pid and host.is_running(pid)}

    def kill(self, role):
        """SIGKILL; returns once the process is gone."""
        pid = self.pid(role)
        assert pid and host.is_running(pid), f"no process for {role}"
        os.kill(pid, signal.SIGKILL)
        if role == "magsd":
            self.process.wait()
        wait_for(f"{role} (pid {pid}) is gone", lambda: not host.is_running(pid), 10, 0.01)
        return pid

    def kill_everything_but_machines(self):
        """SIGKILL to the supervisor first, so that it starts nothing again, then to every role."""
        pids = self.pids()
        os.kill(pids["magsd"], signal.SIGKILL)
        self.process.wait()
        for pid in pids.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in pids.values():
            wait_for(f"pid {pid} is gone", lambda: not host.is_running(pid), 10, 0.01)

    def wait_for_role(self, role, other_than):
        """Until the supervisor has started the role again."""
        return wait_for(
            f"{role} runs again",
            lambda: (pid := self.pid(role)) and pid != other_than and host.is_running(pid) and pid, 30)

    def machines(self):
        """Process ids of this server's QEMUs."""
        return host.machines_of(self)

    def machine_pid(self, vm_id):
        """The QEMU of a job's machine."""
        found = [pid for pid in self.machines()
                 if any(argument.endswith(f"-{vm_id}".encode()) for argument in host.arguments_of(pid))]
        assert len(found) == 1, f"{len(found)} machines are called {vm_id}"
        return found[0]

    # Clients.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def login(self):
        return self.folder / "login.json"

    @property
    def log_path(self):
        return self.folder / "magsd.log"

    def log_tail(self, lines=30):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    @property
    def api(self):
        return API(self.port, self.token)

    @property
    def mags(self):
        return Command(self)

    @property
    def instance(self):
        """(name, number) that this server's things carry on the host; None after an orderly end."""
        try:
            name, number = (self.home / "instance").read_text().split()
            return name, int(number)
        except (OSError, ValueError):
            return None

    def pool_status(self):
        return self.api.get("/mags-jobs/pool-status")

    def wait_for_full_pool(self, seconds=120):
        """Until as many warm machines wait as the server keeps at rest."""

        def is_full():
            status = self.pool_status()
            return status["idle_vms"] >= status["resting_size"] and not status["warming_vms"] and status

        return wait_for("the pool is full", is_full, seconds, 0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
