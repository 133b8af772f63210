"""Whatever comes in, the answer is a 4xx with a clear text, and the server goes on."""

import contextlib
import json
import select
import socket

from rig.api import raw
from rig.scenario import Skipped, contains, equal, scenario

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def refused(reply, status, *words):
    """An error as the API promises it: right status, whole body, the words in its text."""
    equal(reply.status, status, f"status (body {reply.body[:300]!r})")
    body = reply.json
    for key, kind in (("error", str), ("code", str), ("request_id", str), ("retryable", bool)):
        assert isinstance(body.get(key), kind), f"`{key}` is missing in {body}"
    for word in words:
        contains(body["error"].lower(), word.lower(), "error")


def alive(stage):
    done = stage.server.mags("run", "echo alive")
    equal(done.stdout, b"alive\n", "a run afterwards")


def submit(stage, body, **options):
    return stage.server.api.call("POST", "/mags-jobs", body, **options)


@scenario
def scripts_that_cannot_be_run_are_refused_by_name(stage):
    refused(submit(stage, {"script": ""}), 400, "script", "empty")
    refused(submit(stage, {}), 400, "script")
    refused(submit(stage, {"script": "echo a\0b"}), 400, "script", "NUL")
    reply = submit(stage, {"script": "#" * (2 << 20)})
    assert reply.status in (400, 413), f"status {reply.status} for 2 MiB"
    refused(reply, reply.status, "script")
    alive(stage)


@scenario
def commands_that_cannot_be_run_are_refused_by_name(stage):
    api = stage.server.api
    job = api.submit("sleep 100")
    for body, word in (
        ({"command": ""}, "command"), ({}, "command"), ({"command": "a\0b"}, "NUL"), ({"command": "ls", "cwd": "x"}, "cwd"),
        ({"command": "ls", "timeout": 0}, "timeout"), ({"command": "ls", "environment": {"=": ""}}, "environment"),
        ({"command": "cat", "stdin": "x"}, "stdin"), ({"command": "top", "tty": True}, "tty"), ({"cmd": "ls"}, "cmd"),
    ):
        for path in ("exec", "execs"):
            refused(api.call("POST", f"/mags-jobs/{job}/{path}", body), 400, word)
    api.stop(job)
    alive(stage)


@scenario
def an_unknown_job_is_not_found_in_every_call(stage):
    api = stage.server.api
    for method, path in (
        ("GET", "status"), ("GET", "logs"), ("GET", "logs?follow=1"), ("GET", "output?stream=stdout"), ("POST", "stop"),
    ):
        refused(api.call(method, f"/mags-jobs/{UNKNOWN}/{path}"), 404, "not found")
    refused(api.call("POST", f"/mags-jobs/{UNKNOWN}/exec", {"command": "ls"}), 404, "not found")
    refused(api.call("GET", f"/mags-jobs/{UNKNOWN}/execs/{UNKNOWN}"), 404, "not found")
    for name in ("no-such-name", "%00", "..%2f..%2fetc", "x" * 300, "%ff"):
        reply = api.call("GET", f"/mags-jobs/{name}/status")
        assert reply.status in (400, 404), f"status {reply.status} for the name {name}"


@scenario
def without_a_valid_token_everything_is_401(stage):
    api = stage.server.api
    for header in (None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {api.token}", f"Bearer {api.token}x"):
        reply = api.call("GET", "/mags-jobs", headers={"Authorization": header} if header is not None else
                         {"Authorization": "None"})
        refused(reply, 401)
        assert api.token not in reply.body.decode(), "the token is in the answer"
    contains(raw(api.port, b"GET /api/v1/mags-jobs HTTP/1.1\r\nHost: x\r\n\r\n")[1].decode(), "API token required")


@scenario
def malformed_json_is_a_400(stage):
    for body in (b"", b"{", b"[]", b"null", b'"text"', b'{"script": "echo"', b"\xff\xfe", b'{"script": 1e400}',
                 b"[" * 200_000, b'{"a":' * 100_000):
        reply = submit(stage, body, headers={"Content-Type": "application/json"})
        refused(reply, 400)
    alive(stage)


@scenario
def wrong_types_and_values_name_their_field(stage):
    wrong = {
        "script": [7, ["echo"], None, True],
        "type": ["file", 7, ""],
        "name": [7, "", "x" * 129, "a\nb", "a\0b"],
        "workspace_id": [7, "", "../x", "-x", "x" * 64, "a/b"],
        "persistent": ["yes", 1, "true"],
        "no_sleep": ["yes", 1],
        "environment": [[], "A=b", {"A": 1}, {"A": None}, {"": "x"}, {"A=B": "x"}, {"A": "a\0b"}],
        "file_ids": ["file-7", [7], {"a": 1}, ["no-such-file"]],
        "disk_gb": ["4", -1, 0, 1.5, 10 ** 12],
        "timeout": ["1", 0, -5, 1.5, 10 ** 12],
        "vcpus": [0, 3, -1, "2", 1000],
        "memory_mb": [0, -1, "1024", 10 ** 9],
        "idle_minutes": [-1, "10"],
        "rootfs_type": [7, "no-such-image", "../etc"],
        "unheard_of": [1],
    }
    for field, values in wrong.items():
        for value in values:
            reply = submit(stage, {"script": "true", field: value})
            try:
                refused(reply, 400, field)
            except AssertionError as error:
                raise AssertionError(f"{field} = {json.dumps(value)[:80]}: {error}") from None
    alive(stage)


@scenario
def pages_and_filters_of_the_list_are_checked(stage):
    for query in ("page_size=0", "page_size=101", "page_size=x", "page=0", "page=-1", "page=99999999999999999999",
                  "status=odd"):
        refused(stage.server.api.call("GET", f"/mags-jobs?{query}"), 400)


@scenario
def ten_thousand_variables_are_refused(stage):
    refused(submit(stage, {"script": "true", "environment": {f"V{i}": "x" for i in range(10_000)}}), 400, "environment")
    refused(submit(stage, {"script": "true", "environment": {"V": "x" * 300_000}}), 400, "environment")
    alive(stage)


@scenario
def an_oversize_body_or_header_is_cut_off_with_a_4xx(stage):
    port, token, processes = stage.server.port, stage.server.token, stage.server.pids()
    head = f"POST /api/v1/mags-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
    equal(raw(port, head + b"Content-Length: 99999999999\r\n\r\n{")[0], 413, "a body announced as 100 GB")
    status, _, _ = raw(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b" " * 0x100000 + b"\r\n" * 1
                       + (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 40)
    assert status in (413, None), f"status {status} for 41 MiB in chunks"
    for field, length in ((b"X-Long", 20_000), (b"X-Many", 0)):
        fields = (field + b": " + b"x" * length + b"\r\n") if length else b"".join(
            b"X-%d: " % i + b"y" * 1000 + b"\r\n" for i in range(80))
        status, _, _ = raw(port, head + fields + b"Content-Length: 2\r\n\r\n{}")
        equal(status, 431, f"status for {field.decode()}")
    for line in (b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300, b"GET /" + b"a" * 200_000
                 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        status, received, closed = raw(port, line, timeout=40)
        assert closed or status in (400, 404, 414, 431, 505), f"{line[:20]!r} is answered with {received[:80]!r}"
    alive(stage)
    equal(stage.server.pids(), processes, "the server's processes")


# More than the server has threads of any kind: a pool has one for each processor, Dispatch 64 at most.
SLOW = 400


@scenario(limit=300)
def slow_requests_hold_nobody_up(stage):
    """They stay halfway until others were answered: a server that kept anything scarce for each would never do that."""
    api, port = stage.server.api, stage.server.port
    head = f"POST /api/v1/mags-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n".encode()
    begun, rest = head + b"Content-Length: 40\r\n\r\n{", b"{" * 39
    with contextlib.ExitStack() as held:
        in_body, in_head = ([held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                             for _ in range(SLOW // 2)] for _ in range(2))
        for connection in in_body:
            connection.sendall(begun)
        for connection in in_head:
            connection.sendall(head)
        # Each on a connection of its own, behind all of those.
        equal(api.call("GET", "/whoami", timeout=25).status, 200, "who asks beside the slow ones")
        job = submit(stage, {"script": "true"}, timeout=25)
        equal(job.status, 202, "a job beside the slow ones")
        equal(api.call("GET", f"/mags-jobs/{job.json['request_id']}/status", timeout=25).status, 200, "its status")
        answered, _, _ = select.select(in_body + in_head, [], [], 0)
        equal(len(answered), 0, "slow requests that were answered or cut off before they were whole")
        for connection in in_body:
            connection.sendall(rest)
        for connection in in_body:
            contains(connection.recv(65536).decode(), "400", "the answer to a slow request once it is whole")
    alive(stage)


@scenario
def clients_that_vanish_in_the_middle_do_no_harm(stage):
    from rig.api import linger_off

    server, processes = stage.server, stage.server.pids()
    head = f"POST /api/v1/mags-jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n".encode()
    for request in (b"", b"GET", head, head + b"Content-Length: 50\r\n\r\n{", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(request)
                linger_off(connection)
    alive(stage)
    equal(server.pids(), processes, "the server's processes")


@scenario
def the_command_line_refuses_bad_input_with_a_clear_text(stage):
    mags = stage.server.mags
    for arguments, word in (
        (("run", ""), "script"), (("status", "no-such-job"), "not found"), (("logs", "no-such-job"), "not found"),
        (("run", "-f", "/no/such/file", "true"), "/no/such/file"), (("frobnicate",), "frobnicate"),
    ):
        done = mags(*arguments)
        assert done.returncode != 0, f"{arguments} ended with 0"
        contains((done.stdout + done.stderr).decode().lower(), word, "message")
    assert all(line not in mags("status", "no-such-job").stderr.decode() for line in ("Fatal error", "Swift/")), "a crash"


@scenario
def without_a_login_the_command_says_how_to_get_one(stage):
    import subprocess

    mags = stage.server.mags
    environment = {**mags.environment, "MAGS_CONFIG": str(stage.folder / "none.json")}
    done = subprocess.run(mags.arguments("list"), env=environment, capture_output=True, timeout=30)
    assert done.returncode != 0
    contains(done.stderr.decode().lower(), "token", "message")


@scenario
def another_users_tokens_are_refused_in_words(stage):
    import os
    import subprocess

    if os.geteuid() != 0:
        raise Skipped("only root can act as another user")
    # By its descriptor: its folder may be closed to that user.
    program = os.open(stage.server.binaries / "magsd", os.O_RDONLY)
    done = subprocess.run(
        ["magsd", "token", "list", "--home", str(stage.server.home)], executable=f"/proc/self/fd/{program}",
        pass_fds=[program], user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=30)
    os.close(program)
    assert done.returncode != 0
    contains(done.stderr, "with sudo", "message")
    assert "NSError" not in done.stderr and "Domain=" not in done.stderr, done.stderr
