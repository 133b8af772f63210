"""Small networks of the test's own: a namespace with an address, a cable to the host, and something that listens."""

import contextlib
import os
import subprocess
import sys

LISTENER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=64)
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"reached\\n")
"""


def order(*command):
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextlib.contextmanager
def listener(port, *prefix):
    """A process that says `reached` to whoever connects; `prefix` puts it into a namespace."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", LISTENER, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "listening\n", "the listener did not start"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def island(name, host_address, address, prefix=30):
    """A namespace `name` with `address`, joined to the host by a cable whose near end has `host_address`."""
    near = name[:15]
    order("ip", "netns", "add", name)
    try:
        order("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
        order("ip", "address", "add", f"{host_address}/{prefix}", "dev", near)
        order("ip", "link", "set", near, "up")
        for command in (("link", "set", "lo", "up"), ("address", "add", f"{address}/{prefix}", "dev", "eth0"),
                        ("link", "set", "eth0", "up"), ("route", "add", "default", "via", host_address)):
            order("ip", "-n", name, *command)
        yield
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        subprocess.run(["ip", "link", "delete", near], capture_output=True)


def unique(name):
    return f"mgt{os.getpid() % 100000}{name}"
