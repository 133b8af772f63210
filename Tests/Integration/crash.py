"""SIGKILL of any process of the server: running scripts go on and end as they should, their output whole."""

import os
import random
import signal

from rig import host
from rig.scenario import contains, equal, scenario, wait_for

JOBS = 20
# Twenty numbered lines, one every PAUSE seconds, a mark on stderr, and an exit code of its own.
SCRIPT = """echo begun-{n}
for i in $(seq 20); do echo line-{n}-$i; sleep {pause}; done
echo mark-{n} >&2
exit {code}
"""


def begin(api):
    """Starts the jobs and waits until every script runs, each with half of its lines or more to come.

    A host that is slow to start the last one gets scripts that take longer: what follows must find them all running.
    """
    for pause in (0.3, 1, 3):
        jobs = {}
        for number in range(JOBS):
            jobs[api.submit(SCRIPT.format(n=number, code=number % 3, pause=pause))] = number
        for job, number in jobs.items():
            wait_for(f"job {number} has begun", lambda: api.output(job).startswith(b"begun"), 120)
        if all(api.output(job).count(b"\n") <= 11 for job in jobs):
            return jobs
        print(f"        the first scripts, of 20 lines every {pause} s, were half done when the last one began")
        for job in jobs:
            api.stop(job)
    raise AssertionError(f"{JOBS} scripts of a minute do not run at the same time on this host")


def check(api, jobs, lost=()):
    for job, number in jobs.items():
        end = api.wait(job, 120)
        if job in lost:
            equal(end["status"], "error", f"status of job {number}, whose machine was killed")
            assert end.get("exit_code") is None and end.get("error"), f"a lost job must say why: {end}"
            continue
        code = number % 3
        equal((end["status"], end.get("exit_code")), ("completed" if code == 0 else "error", code), f"job {number}")
        expected = f"begun-{number}\n" + "".join(f"line-{number}-{i}\n" for i in range(1, 21))
        equal(api.output(job).decode(), expected, f"output of job {number}")
        equal(api.output(job, "stderr").decode(), f"mark-{number}\n", f"stderr of job {number}")


def nothing_is_stuck(server):
    """New work is served, and no machine outlives its job."""
    done = server.mags("run", "echo afterwards")
    equal((done.returncode, done.stdout), (0, b"afterwards\n"), f"a run afterwards ({done.stderr[-300:]!r})")

    def at_rest():
        status = server.pool_status()
        return status["busy_vms"] == 0 and len(host.machines_of(server)) == status["total_vms"] \
            and status["idle_vms"] <= status["resting_size"]

    wait_for("only the pool is left", at_rest, 90, 0.5)
    stuck = [job for job in server.api.get("/mags-jobs?page_size=100")["jobs"] if job["status"] in ("pending", "running")]
    equal(stuck, [], "jobs that are stuck")


def one_role_dies(stage, role):
    with stage.own_server() as server:
        jobs = begin(server.api)
        killed = server.kill(role)
        server.wait_for_role(role, killed)
        wait_for("the server answers again", server.is_healthy, 60)
        check(server.api, jobs)
        nothing_is_stuck(server)


@scenario(limit=400)
def sigkill_of_the_host_role_ends_no_script(stage):
    one_role_dies(stage, "host")


@scenario(limit=400)
def sigkill_of_the_api_ends_no_script(stage):
    one_role_dies(stage, "api")


@scenario(limit=400)
def sigkill_of_the_edge_ends_no_script(stage):
    one_role_dies(stage, "edge")


@scenario(limit=400)
def sigkill_of_the_supervisor_takes_the_roles_along_but_no_script(stage):
    with stage.own_server() as server:
        jobs = begin(server.api)
        before = server.pids()
        machines = set(server.machines())
        server.kill("magsd")
        for role in ("api", "edge", "host"):
            wait_for(f"{role} ends with its supervisor", lambda: not host.is_running(before[role]), 30)
        busy = len(machines & set(server.machines()))
        assert busy >= JOBS, f"{busy} machines live of {JOBS} that run a script"
        server.start()
        check(server.api, jobs)
        nothing_is_stuck(server)


@scenario(limit=400)
def sigkill_of_every_role_at_once_ends_no_script(stage):
    with stage.own_server() as server:
        jobs = begin(server.api)
        server.kill_everything_but_machines()
        server.start()
        check(server.api, jobs)
        nothing_is_stuck(server)


@scenario(limit=400)
def sigkill_of_one_qemu_ends_its_own_job_with_an_error_and_no_other(stage):
    with stage.own_server() as server:
        jobs = begin(server.api)
        seed = random.randrange(1 << 32)
        print(f"        seed {seed}")
        victim = random.Random(seed).choice(list(jobs))
        os.kill(server.machine_pid(server.api.status(victim)["vm_id"]), signal.SIGKILL)
        equal(server.api.wait(victim, 30)["status"], "error", "status of the job whose machine was killed")
        check(server.api, jobs, {victim})
        nothing_is_stuck(server)


@scenario(limit=400)
def sigkill_of_every_qemu_ends_every_job_with_an_error(stage):
    with stage.own_server() as server:
        jobs = begin(server.api)
        for pid in server.machines():
            os.kill(pid, signal.SIGKILL)
        for job, number in jobs.items():
            end = server.api.wait(job, 60)
            equal((end["status"], end.get("exit_code")), ("error", None), f"job {number}")
            contains(server.api.output(job).decode(), f"begun-{number}\n", "what it had written before")
        nothing_is_stuck(server)


@scenario(limit=300)
def a_following_client_sees_the_whole_output_across_a_crash_of_host_and_api(stage):
    with stage.own_server() as server:
        with server.mags.start("run", "for i in $(seq 30); do echo $i; sleep 0.2; done; exit 6") as command:
            equal(command.stdout.readline(), b"1\n", "first line")
            for role in ("host", "api"):
                server.wait_for_role(role, server.kill(role))
            rest, complaint = command.communicate(timeout=120)
        equal(rest.split(), [str(i).encode() for i in range(2, 31)], f"the rest of the output ({complaint!r})")
        equal(command.returncode, 6, "exit code")


@scenario(nightly=True, limit=3600)
def fifty_random_kills_lose_nothing(stage):
    seed = random.randrange(1 << 32)
    print(f"        seed {seed}")
    choice = random.Random(seed)
    with stage.own_server() as server:
        for _ in range(10):
            jobs = begin(server.api)
            for _ in range(5):
                role = choice.choice(("api", "edge", "host"))
                server.wait_for_role(role, server.kill(role))
            wait_for("the server answers again", server.is_healthy, 60)
            check(server.api, jobs)
        nothing_is_stuck(server)
