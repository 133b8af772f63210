"""SIGTERM at any moment of a start: nothing is left on the host, and no number is given away with things that carry it."""

import contextlib
import os
import pathlib
import signal
import time

from leak_audit import check_equal, snapshot
from rig import host
from rig.scenario import Skipped, equal, scenario, wait_for

# What tells that a start has come so far, and the seconds to wait from there.
MOMENTS = {
    "the folder is locked": ("lock", 0),
    "just after that": ("lock", 0.03),
    "a little later": ("lock", 0.1),
    "the host role runs": ("role", 0),
    "the host role has begun": ("role", 0.1),
    "the network is there": ("link", 0),
    "just after the network": ("link", 0.2),
    "the first machine is there": ("machine", 0),
    "a little after the first machine": ("machine", 0.5),
}


def sign(server, name):
    """Whether a start has come so far."""
    server.marks = server.instance or server.marks
    # Whatever a crash left is no sign of this start.
    if server.pid("magsd") != server.process.pid or name == "lock":
        return server.pid("magsd") == server.process.pid
    if name == "role":
        return "host" in server.pids()
    if name == "link":
        return os.geteuid() != 0 or pathlib.Path(f"/sys/class/net/mags-{(server.marks or ('', 0))[1]}").exists()
    return bool(host.machines_of(server))


def end_at(server, moment):
    """Begins a start and ends it there; how long the end took."""
    name, pause = MOMENTS[moment]
    server.spawn()
    wait_for(moment, lambda: server.process.poll() is not None or sign(server, name), 60, 0.002)
    equal(server.process.poll(), None, f"the server's exit code before: {moment}\n{server.log_tail()}")
    time.sleep(pause)
    since = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    equal(server.process.wait(60), 0, f"exit code after SIGTERM when {moment}\n{server.log_tail()}")
    return time.monotonic() - since


def check(server, before, when):
    check_equal(before, snapshot(server), f"after SIGTERM when {when}")
    equal(server.instance, None, "the marks of a server that has ended")
    register = pathlib.Path("/run/mags/register.json")
    if os.geteuid() == 0 and register.exists():
        assert str(server.home) not in register.read_text(), "the register still has the server"


@contextlib.contextmanager
def fresh_cache(stage):
    """The same kernel and images, but no template yet."""
    known = pathlib.Path(os.environ.get("MAGS_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mags")
    cache = stage.folder / "cache"
    cache.mkdir()
    for name in ("boot", "images"):
        (cache / name).symlink_to(known / name)
    yield cache


def not_up(server):
    """A server that is not started by entering it, but removed on leaving."""
    stack = contextlib.ExitStack()
    stack.callback(server.close)
    return stack


@scenario(limit=400)
def a_start_that_is_ended_early_leaves_the_host_as_before(stage):
    server = stage.own_server(pool=2)
    before = snapshot(server)
    with not_up(server):
        for moment in MOMENTS:
            end_at(server, moment)
            check(server, before, moment)


@scenario(limit=400)
def so_does_one_that_builds_its_template(stage):
    with fresh_cache(stage) as cache:
        server = stage.own_server(pool=2, environment={"MAGS_CACHE": str(cache)})
        before = snapshot(server)
        with not_up(server):
            for moment in ("the network is there", "the first machine is there", "a little after the first machine"):
                took = end_at(server, moment)
                check(server, before, moment)
                assert took < 15, f"the end took {took:.1f} s when {moment}"
                templates = cache / "templates"
                left = [name for name in os.listdir(templates) if not name.endswith(".lock")] if templates.exists() else []
                equal(left, [], "what is left of the template")


@scenario(limit=400)
def so_does_one_after_a_crash_that_left_a_running_job(stage):
    server = stage.own_server(pool=1)
    before = snapshot(server)
    with server:
        for moment in ("the folder is locked", "a little later", "the host role runs", "the network is there"):
            job = server.api.submit("sleep 600")
            wait_for("the job runs", lambda: server.api.status(job)["status"] == "running", 60)
            server.kill_everything_but_machines()
            assert host.machines_of(server), "the job's machine outlives its server"
            end_at(server, moment)
            check(server, before, moment)
            server.start()
            equal(server.api.wait(job, 60)["status"], "error", "status of the job whose machine was ended")


@scenario(limit=200)
def what_a_host_role_leaves_that_does_not_end_is_removed_by_another(stage):
    if os.geteuid() != 0:
        raise Skipped("a stopped process of one's own may be killed, but the network needs root")
    server = stage.own_server(pool=1)
    before = snapshot(server)
    with server:
        server.wait_for_full_pool()
        os.kill(server.pid("host"), signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        equal(server.process.wait(60), 0, f"exit code\n{server.log_tail()}")
        check(server, before, "the host role is held up")
