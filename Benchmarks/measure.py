"""Clocks: from the instant a call is sent to the instant its first byte of output is here."""

import http.client
import json
import statistics
import subprocess
import threading
import time


class Client:
    """A program on a kept-alive connection, as an SDK would be."""

    def __init__(self, port, token):
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.submitting = self._connection()
        self.reading = self._connection()

    def _connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.connect()
        connection.sock.setsockopt(6, 1, 1)  # TCP_NODELAY
        return connection

    def _call(self, connection, method, path, body=None):
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, self.headers)
        reply = connection.getresponse()
        data = reply.read()
        if reply.status >= 400:
            raise RuntimeError(f"{reply.status} {data[:300]!r}")
        return json.loads(data)

    def get(self, path):
        return self._call(self.submitting, "GET", path)

    def first_byte(self, script, expected, **fields):
        """One job: milliseconds of the submit call, to the first output byte, and to its end; raises when it is wrong."""
        begun = time.perf_counter()
        job = self._call(self.submitting, "POST", "/mags-jobs", {"script": script, **fields})["request_id"]
        submitted = time.perf_counter()
        self.reading.request(
            "GET", f"/api/v1/mags-jobs/{job}/output?follow=1", headers={**self.headers, "Accept": "application/vnd.mags.output"})
        reply = self.reading.getresponse()
        first, output, end = None, b"", None
        while end is None:
            head = reply.read(5)
            if len(head) < 5:
                raise RuntimeError(f"the output of {job} was cut off")
            payload = reply.read(int.from_bytes(head[1:], "little"))
            if head[0] == 1:
                first = first or time.perf_counter()
                output += payload
            elif head[0] == 0:
                end = json.loads(payload)
        ended = time.perf_counter()
        reply.read()
        if output != expected or end["status"] != "completed":
            raise RuntimeError(f"job {job}: {output[:200]!r}, {end}")
        return {
            "submit": (submitted - begun) * 1000, "first_byte": (first - begun) * 1000, "end": (ended - begun) * 1000,
        }

    def close(self):
        self.submitting.close()
        self.reading.close()


def command(arguments, expected, environment=None):
    """Milliseconds of a whole command, from its start to its end."""
    begun = time.perf_counter()
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=120)
    took = (time.perf_counter() - begun) * 1000
    if done.returncode != 0 or done.stdout != expected:
        raise RuntimeError(f"{arguments}: exit {done.returncode}, {done.stdout[:200]!r}, {done.stderr[-300:]!r}")
    return took


def summary(values, failed=0):
    """Median, p95, p99 and the rate of success; milliseconds with one decimal."""
    if not values:
        return {"count": failed, "success_rate": 0.0}
    ordered = sorted(values)

    def at(share):
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {
        "count": len(values) + failed, "success_rate": round(len(values) / (len(values) + failed), 4),
        "min": round(ordered[0], 1), "p50": round(statistics.median(ordered), 1), "p95": at(0.95), "p99": at(0.99),
        "max": round(ordered[-1], 1),
    }


def collect(count, one, pause=None):
    """`count` measurements one after another; `pause` runs before each. Returns (values, number that failed)."""
    values, failed = [], 0
    for number in range(count):
        if pause:
            pause(number)
        try:
            values.append(one(number))
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"      failed: {error}")
    return values, failed


def at_once(count, one, gap=0.0):
    """`count` measurements, each in a thread of its own, started `gap` seconds apart; and the seconds that all took."""
    values, errors, lock = [], [], threading.Lock()

    def work(number):
        try:
            value = one(number)
            with lock:
                values.append(value)
        except Exception as error:  # Whatever it is, it is one run that did not succeed.
            with lock:
                errors.append(error)

    begun = time.perf_counter()
    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
        if gap:
            time.sleep(max(0.0, begun + (number + 1) * gap - time.perf_counter()))
    for thread in threads:
        thread.join()
    for error in errors[:3]:
        print(f"      failed: {error}")
    return values, len(errors), time.perf_counter() - begun
