"""A script runs in a microVM, and what it does reaches the caller."""

import os

from rig.scenario import contains, equal, scenario


@scenario
def hello_world_is_printed_and_the_command_ends_with_0(stage):
    done = stage.server.mags("run", "echo Hello World")
    equal(done.stdout, b"Hello World\n", "stdout")
    equal(done.returncode, 0, "exit code")


@scenario
def the_kernel_is_the_guests_and_the_exit_code_is_the_scripts(stage):
    done = stage.server.mags("run", "uname -a; cat /proc/uptime; exit 7")
    equal(done.returncode, 7, "exit code")
    name, uptime = done.stdout.decode().splitlines()
    assert os.uname().release not in name, f"the guest runs the host's kernel: {name}"
    contains(name, "mags-vm", "uname")
    assert float(uptime.split()[0]) > 0


@scenario
def stdout_and_stderr_arrive_apart_and_unchanged(stage):
    script = r"""printf 'out \377\000\r\n'; printf 'err \376' >&2; printf 'no line end'"""
    done = stage.server.mags("run", script)
    equal(done.stdout, b"out \xff\x00\r\nno line end", "stdout")
    equal(done.stderr, b"err \xfe", "stderr")


@scenario
def output_arrives_while_the_script_still_runs(stage):
    with stage.server.mags.start("run", "echo first; read -t 60 < <(sleep 60); echo second") as command:
        try:
            equal(command.stdout.readline(), b"first\n", "first line")
            equal(command.poll(), None, "the command, while its script runs")
        finally:
            command.send_signal(2)
            rest = command.communicate(timeout=30)
    assert b"second" not in rest[0], "the script ran on after it was interrupted"
    assert command.returncode not in (0, None), f"exit code {command.returncode} after Ctrl-C"


@scenario
def a_script_is_read_from_a_file_and_from_standard_input(stage):
    file = stage.folder / "script.sh"
    file.write_text("echo from a file: $((6 * 7))\n")
    equal(stage.server.mags("run", file).stdout, b"from a file: 42\n", "stdout")
    equal(stage.server.mags("run", "-", stdin=b"echo from stdin\n").stdout, b"from stdin\n", "stdout")


@scenario
def a_script_with_a_shebang_runs_under_that_interpreter(stage):
    done = stage.server.mags("run", "#!/usr/bin/env python3\nimport sys\nprint(sys.version_info.major)\nsys.exit(5)\n")
    equal((done.stdout, done.returncode), (b"3\n", 5), "stdout and exit code")


@scenario
def variables_and_uploads_are_there_when_the_script_starts(stage):
    file = stage.folder / "data file.bin"
    file.write_bytes(os.urandom(300_000))
    done = stage.server.mags(
        "run", "--env", "COLOUR=deep blue", "-f", file, 'cat "/uploads/data file.bin"; printf %s "$COLOUR" >&2')
    equal(done.returncode, 0, "exit code")
    equal(done.stderr, b"deep blue", "the variable")
    assert done.stdout == file.read_bytes(), "the upload is not what was sent"


@scenario
def a_script_over_its_time_limit_ends_with_124_and_says_so(stage):
    done = stage.server.mags("run", "--timeout", "1", "echo begun; sleep 60; echo never")
    equal(done.returncode, 124, "exit code")
    equal(done.stdout, b"begun\n", "stdout")
    contains(done.stderr.decode(), "timed out", "stderr")


@scenario
def status_logs_and_list_show_the_job_by_its_name(stage):
    server = stage.server
    equal(server.mags("run", "--name", "shown", "echo seen; exit 3").returncode, 3, "exit code")
    contains(server.mags("status", "shown").stdout.decode(), "error", "status")
    contains(server.mags("logs", "shown").stdout.decode(), "seen", "logs")
    contains(server.mags("list").stdout.decode(), "shown", "list")


@scenario
def stop_ends_a_running_job(stage):
    api = stage.server.api
    job = api.submit("echo up; sleep 300", name="to-be-stopped")
    for _, _, entry in api.follow(job):
        if entry.get("message") == "up":
            break
    equal(stage.server.mags("stop", "to-be-stopped").returncode, 0, "exit code of stop")
    equal(api.wait(job, 20)["status"], "stopped", "status")


@scenario(limit=400)
def apk_add_installs_a_debian_package(stage):
    done = stage.server.mags("run", "apk add cowsay && /usr/games/cowsay hi", seconds=380)
    equal(done.returncode, 0, f"exit code (stderr: {done.stderr[-500:]!r})")
    contains(done.stdout.decode(), "< hi >", "the cow")
