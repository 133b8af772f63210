"""The HTTP API as a program would call it: no client of ours in between."""

import dataclasses
import http.client
import json
import socket
import struct
import time

from .scenario import wait_for

FINAL = ("completed", "error", "stopped")


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Refused(Exception):
    """An answer of 400 and above."""

    def __init__(self, reply):
        super().__init__(f"{reply.status} {reply.body[:500]!r}")
        self.reply = reply


class API:
    def __init__(self, port, token):
        self.port = port
        self.token = token

    def call(self, method, path, body=None, headers=None, timeout=60):
        """Any call under /api/v1; never raises for a status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        try:
            connection.request(method, "/api/v1" + path, body, sent)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def get(self, path):
        return self._checked(self.call("GET", path)).json

    def post(self, path, body=None):
        return self._checked(self.call("POST", path, body)).json

    @staticmethod
    def _checked(reply):
        if reply.status >= 400:
            raise Refused(reply)
        return reply

    def submit(self, script, **fields):
        """The new job's id."""
        return self.post("/mags-jobs", {"script": script, **fields})["request_id"]

    def status(self, job):
        return self.get(f"/mags-jobs/{job}/status")

    def stop(self, job):
        return self.post(f"/mags-jobs/{job}/stop")

    def wait(self, job, seconds=120):
        """The job's status once it has ended. Survives a server that is being started again."""

        def ended():
            try:
                status = self.status(job)
            except (OSError, http.client.HTTPException):
                return None
            except Refused as refused:
                if refused.reply.status in (502, 503, 504):
                    return None
                raise
            return status if status["status"] in FINAL else None

        return wait_for(f"job {job} ends", ended, seconds, 0.02)

    def output(self, job, stream="stdout"):
        """What the script wrote, byte for byte."""
        return self._checked(self.call("GET", f"/mags-jobs/{job}/output?stream={stream}", timeout=300)).body

    def logs(self, job):
        return self.get(f"/mags-jobs/{job}/logs")["logs"]

    def run(self, script, seconds=120, **fields):
        """Submits, waits, and returns the status with `stdout` and `stderr` added."""
        job = self.submit(script, **fields)
        status = self.wait(job, seconds)
        return {**status, "stdout": self.output(job), "stderr": self.output(job, "stderr")}

    def follow(self, job, timeout=120):
        """The log as server-sent events: yields (time of arrival, event name, value)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                "GET", f"/api/v1/mags-jobs/{job}/logs?follow=1",
                headers={"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"})
            yield from events(self._checked(connection.getresponse()))
        finally:
            connection.close()


def events(reply):
    """Cuts a stream of server-sent events apart."""
    name, data = "message", []
    for line in reply:
        line = line.rstrip(b"\r\n").decode()
        if not line:
            if data:
                text = "\n".join(data)
                try:
                    value = json.loads(text)
                except ValueError:
                    value = text
                yield time.perf_counter(), name, value
            name, data = "message", []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            name = line[6:].strip()


def raw(port, request, timeout=30, pieces=None, gap=0.0):
    """Sends bytes as they are and returns the status line's code, the whole reply, and whether the peer closed.

    `pieces` cuts the request into so many bytes at a time with `gap` seconds between them.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        received = b""
        try:
            if pieces:
                for start in range(0, len(request), pieces):
                    connection.sendall(request[start:start + pieces])
                    if gap:
                        time.sleep(gap)
            else:
                connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        closed = False
        connection.settimeout(timeout)
        try:
            while True:
                part = connection.recv(65536)
                if not part:
                    closed = True
                    break
                received += part
                if _is_whole(received):
                    break
        except (ConnectionResetError, socket.timeout):
            pass
    first = received.split(b"\r\n", 1)[0].split()
    return (int(first[1]) if len(first) > 1 and first[1].isdigit() else None), received, closed


def _is_whole(received):
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def linger_off(connection):
    """Closing it sends a reset, as a client does that dies."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
