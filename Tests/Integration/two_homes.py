"""Two servers on one host never touch each other's things."""

import os
import subprocess

from rig import host
from rig.scenario import equal, scenario, wait_for


def long_job(server):
    job = server.api.submit("echo begun; sleep 8; echo ended")
    wait_for("the script has begun", lambda: server.api.output(job).startswith(b"begun"), 60)
    return job


def check_long_job(server, job):
    equal(server.api.wait(job, 60)["status"], "completed", "status")
    equal(server.api.output(job), b"begun\nended\n", "output")


@scenario(limit=400)
def both_run_jobs_at_the_same_time(stage):
    with stage.own_server(pool=2) as one, stage.own_server(pool=2) as two:
        assert one.marks != two.marks and one.marks[1] != two.marks[1], "the servers share their marks"
        runs = [server.mags.start("run", f"sleep 1; echo {name}") for name, server in (("one", one), ("two", two))]
        equal([run.communicate(timeout=60)[0] for run in runs], [b"one\n", b"two\n"], "outputs")
        assert not set(one.machines()) & set(two.machines())
        # A token of one is nothing to the other.
        stranger = two.api
        stranger.token = one.token
        equal(stranger.call("GET", "/mags-jobs").status, 401, "one's token at two")


@scenario(limit=400)
def stopping_one_leaves_the_others_machines_alone(stage):
    with stage.own_server(pool=2) as staying:
        with stage.own_server(pool=2) as leaving:
            job = long_job(staying)
            leaving.stop()
            equal(host.processes_of(leaving), [], "processes of the stopped server")
        check_long_job(staying, job)


@scenario(limit=400)
def killing_one_and_cleaning_up_after_it_leaves_the_others_machines_alone(stage):
    with stage.own_server(pool=2) as staying, stage.own_server(pool=2) as dying:
        job = long_job(staying)
        before = set(staying.machines())
        dying.kill_everything_but_machines()
        down = subprocess.run(
            [stage.script("down")], env={**os.environ, "MAGS_HOME": str(dying.home)}, capture_output=True, text=True,
            timeout=120)
        equal(down.returncode, 0, f"exit code of script/down ({down.stdout}{down.stderr})")
        equal(host.machines_of(dying), [], "machines after script/down")
        busy = {staying.machine_pid(staying.api.status(job)["vm_id"])}
        assert busy <= before, "the job's machine is another one"
        check_long_job(staying, job)


@scenario(limit=200)
def a_second_server_in_the_same_home_is_refused(stage):
    with stage.own_server(pool=1) as server:
        second = subprocess.run(
            [server.binaries / "magsd", "--home", server.home, "--port", str(server.port + 1)], capture_output=True,
            text=True, timeout=30)
        assert second.returncode != 0, "it started"
        assert "script/down" in second.stderr, f"it does not say what to do: {second.stderr}"
        equal(server.mags("run", "echo fine").stdout, b"fine\n", "a run of the first")
