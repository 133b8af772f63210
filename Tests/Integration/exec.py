"""Commands run in a job's machine, beside its script."""

import contextlib
import hashlib

from rig.api import Refused
from rig.scenario import contains, equal, scenario, wait_for


@contextlib.contextmanager
def machine(stage, **fields):
    """The id of a job whose script only waits."""
    api = stage.server.api
    job = api.submit("sleep 600", **fields)
    try:
        wait_for("it runs", lambda: api.status(job)["status"] == "running", 60)
        yield job
    finally:
        api.stop(job)


@scenario
def a_command_sees_the_jobs_files_and_hands_its_exit_code_on(stage):
    with machine(stage, name="exec-codes") as job:
        equal(stage.server.mags("exec", "exec-codes", "echo kept > /root/file; exit 7").returncode, 7, "exit code")
        done = stage.server.mags("exec", job, "cat /root/file; kill -TERM $$")
        equal((done.stdout, done.returncode), (b"kept\n", 128 + 15), "stdout and exit code")
        equal(stage.server.api.status(job)["status"], "running", "the job")


@scenario
def stdout_and_stderr_of_a_command_arrive_apart_and_unchanged(stage):
    with machine(stage) as job:
        script = r"""printf 'out \377\000\r\n'; printf 'err \376' >&2; printf 'no line end'"""
        done = stage.server.mags("exec", job, script)
        equal(done.stdout, b"out \xff\x00\r\nno line end", "stdout")
        equal(done.stderr, b"err \xfe", "stderr")
        equal(stage.server.api.output(job), b"", "the job's own output")


@scenario
def a_command_in_a_pipe_ends_with_its_reader(stage):
    with machine(stage) as job:
        with stage.server.mags.start("exec", job, "yes") as command:
            equal(command.stdout.read(4), b"y\ny\n", "the first lines")
            command.stdout.close()
            equal(command.wait(30), 141, "exit code")
        wait_for("yes is gone", lambda: stage.server.mags("exec", job, "pgrep -x yes").returncode == 1, 15)


@scenario
def a_command_over_its_time_limit_ends_with_124_and_says_so(stage):
    with machine(stage) as job:
        done = stage.server.mags("exec", "--timeout", "1", job, "echo begun; sleep 60; echo never")
        equal((done.returncode, done.stdout), (124, b"begun\n"), "exit code and stdout")
        contains(done.stderr.decode(), "timed out", "stderr")
        reply = stage.server.api.post(f"/mags-jobs/{job}/exec", {"command": "echo x; sleep 60", "timeout": 1})
        equal((reply["exit_code"], reply["timed_out"], reply["stdout"]), (124, True, "x\n"), "the published call")


@scenario
def twenty_megabytes_of_output_arrive_whole(stage):
    size = 20_000_000
    script = f"python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes({size}))' | tee /tmp/all"
    with machine(stage) as job:
        done = stage.server.mags("exec", job, script, seconds=300)
        equal((done.returncode, len(done.stdout)), (0, size), "exit code and size")
        there = stage.server.mags("exec", job, "sha256sum < /tmp/all").stdout.split()[0].decode()
        equal(hashlib.sha256(done.stdout).hexdigest(), there, "digest")
        reply = stage.server.api.post(f"/mags-jobs/{job}/exec", {"command": "tr '\\0' x < /dev/zero | head -c 5000000"})
        equal((len(reply["stdout"]), reply["truncated"]), (4 << 20, True), "the published call")


@scenario
def a_command_has_its_folder_and_its_variables_over_the_jobs(stage):
    with machine(stage, environment={"A": "job", "B": "job"}) as job:
        done = stage.server.mags("exec", "--cwd", "/tmp", "--env", "B=exec", job, 'echo "$PWD $A $B"')
        equal(done.stdout, b"/tmp job exec\n", "stdout")
        equal(stage.server.mags("exec", job, "pwd").stdout, b"/root\n", "without --cwd")


@scenario
def interrupting_a_command_leaves_its_job_alone(stage):
    with machine(stage) as job:
        with stage.server.mags.start("exec", job, "echo up; sleep 300") as command:
            equal(command.stdout.readline(), b"up\n", "first line")
            command.send_signal(2)
            rest = command.communicate(timeout=30)
        equal(command.returncode, 130, "exit code")
        contains(rest[1].decode(), "the command is stopped", "stderr")
        # The end of a command is told when its first process has ended; what it started gets the same signal.
        wait_for("nothing of it is left",
                 lambda: stage.server.mags("exec", job, "pgrep -x -f 'sleep 300'").returncode == 1, 15)
        equal(stage.server.api.status(job)["status"], "running", "the job")


@scenario
def a_command_is_kept_under_its_id_with_its_output(stage):
    api = stage.server.api
    with machine(stage) as job:
        exec_id = api.post(f"/mags-jobs/{job}/execs", {"command": "echo kept; exit 4"})["exec_id"]
        path = f"/mags-jobs/{job}/execs/{exec_id}"
        status = wait_for("it ends", lambda: (lambda s: s if s["status"] == "ended" else None)(api.get(path)), 30)
        equal((status["outcome"], status["exit_code"]), ("ran", 4), "status")
        equal(api.call("GET", f"{path}/output?offset=2").body, b"pt\n", "output")


@scenario
def a_command_in_a_job_that_has_ended_is_a_409(stage):
    api = stage.server.api
    job = api.submit("true")
    api.wait(job)
    try:
        api.post(f"/mags-jobs/{job}/exec", {"command": "ls"})
    except Refused as refused:
        equal((refused.reply.status, refused.reply.json["code"]), (409, "machine_not_running"), "the refusal")
        contains(refused.reply.json["error"], "not running", "its text")
    else:
        raise AssertionError("a command ran in a machine that is gone")
    equal(stage.server.mags("exec", job, "ls").returncode, 125, "exit code of mags")


@scenario
def the_published_python_client_runs_commands_in_a_job_by_its_name(stage):
    import mags

    client = mags.Mags(api_token=stage.server.token, api_url=stage.server.url)
    with machine(stage, name="exec-python"):
        result = client.exec("exec-python", "echo out; echo err >&2; exit 3")
        equal((result["exit_code"], result["output"].strip(), result["stderr"].strip()), (3, "out", "err"), "result")


COUNT = "for i in $(seq 60); do echo line-$i; sleep 0.2; done; echo mark >&2; exit 5"
COUNTED = "".join(f"line-{i}\n" for i in range(1, 61)).encode()


def commands_outlive(stage, die):
    """Two commands and a script in one machine go on while `die` kills, their output whole."""
    with stage.own_server() as server:
        job = server.api.submit("i=0; while sleep 0.1; do echo $((i += 1)); done")
        wait_for("the script counts", lambda: server.api.output(job).startswith(b"1\n2\n"), 60)
        paths = [f"/mags-jobs/{job}/execs/" + server.api.post(f"/mags-jobs/{job}/execs", {
            "command": COUNT, "timeout": 300})["exec_id"] for _ in range(2)]
        with server.mags.start("exec", job, COUNT) as command:
            first = [command.stdout.readline() for _ in range(3)]
            die(server)
            rest, errors = command.communicate(timeout=120)
            equal((b"".join(first) + rest, command.returncode), (COUNTED, 5), "the followed command")
            contains(errors.decode(), "mark\n", "its stderr")
        for path in paths:
            status = wait_for("it ends", lambda: (lambda s: s if s["status"] == "ended" else None)(server.api.get(path)), 90)
            equal((status["outcome"], status["exit_code"]), ("ran", 5), "status")
            equal(server.api.call("GET", f"{path}/output").body, COUNTED, "output")
        equal(server.mags("exec", job, "echo after").stdout, b"after\n", "a command afterwards")
        server.api.stop(job)
        server.api.wait(job)
        numbers = server.api.output(job).split()
        equal(numbers, [b"%d" % i for i in range(1, len(numbers) + 1)], "the script's own output")


@scenario(limit=300)
def commands_go_on_when_the_host_role_is_killed(stage):
    def die(server):
        server.wait_for_role("host", server.kill("host"))

    commands_outlive(stage, die)


@scenario(limit=300)
def commands_go_on_when_every_role_is_killed(stage):
    def die(server):
        server.kill_everything_but_machines()
        server.start()

    commands_outlive(stage, die)


@scenario(limit=300)
def short_commands_around_a_kill_of_the_host_role_each_run_once(stage):
    with stage.own_server() as server:
        job = server.api.submit("sleep 600")
        wait_for("it runs", lambda: server.api.status(job)["status"] == "running", 60)
        for number in range(30):
            if number in (8, 16, 24):
                server.kill("host")
            done = server.mags("exec", job, f"echo {number} >> /root/ran; echo said-{number}", seconds=90)
            equal((done.stdout, done.returncode), (b"said-%d\n" % number, 0), f"command {number} ({done.stderr!r})")
        equal(server.mags("exec", job, "cat /root/ran").stdout.split(), [b"%d" % n for n in range(30)], "what ran")
        server.api.stop(job)
