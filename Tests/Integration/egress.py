"""What a script may reach in the network: the world, but not the host, not its neighbours, nothing private.

Each closed address has a listener behind it. After the script has knocked in vain, the rules are opened by hand, and the
same knocking succeeds: so it was the rules, and not a missing listener or route.
"""

import contextlib
import json
import re
import subprocess

from rig import host
from rig.network import island, listener, unique
from rig.scenario import Skipped, contains, equal, scenario, wait_for

PORT = 18777
KNOCK = """knock() { timeout 2 bash -c "exec 3<>/dev/tcp/$1/%d && head -n 1 <&3" 2>/dev/null | grep -q reached; }
""" % PORT


def knock_once(addresses):
    return KNOCK + "\n".join(f"knock {a} && echo {a} open || echo {a} closed" for a in addresses)


def knock_until_open(addresses):
    loops = "\n".join(
        f"for _ in $(seq 40); do if knock {a}; then echo {a} open; break; fi; sleep 0.2; done" for a in addresses)
    return f"echo begun; sleep 5\n{KNOCK}{loops}"


def address_of(link, namespace_of=None):
    """The IPv4 address of a link; in the network namespace of a process when one is given."""
    enter = ["nsenter", "-t", str(namespace_of), "-n"] if namespace_of else []
    shown = json.loads(subprocess.run(
        [*enter, "ip", "-j", "-4", "address", "show", *([link] if link else [])],
        capture_output=True, check=True, text=True).stdout)
    for one in shown:
        if one["ifname"] != "lo":
            for entry in one["addr_info"]:
                return entry["local"]
    return None


def host_address():
    """An address of the host itself that is not the bridge's, or None where it has only loopback."""
    route = subprocess.run(["ip", "route", "get", "203.0.113.200"], capture_output=True, text=True).stdout
    found = re.search(r"\bsrc (\S+)", route)
    return found.group(1) if found else None


def open_rules(tables, *enter):
    """Puts `accept` before everything else in the filter chains of these tables."""
    listed = json.loads(subprocess.run(
        [*enter, "nft", "-j", "list", "chains"], capture_output=True, check=True, text=True).stdout)["nftables"]
    for chain in (entry["chain"] for entry in listed if "chain" in entry):
        if chain.get("type") == "filter" and (tables is None or chain["table"] in tables):
            subprocess.run(
                [*enter, "nft", "insert", "rule", chain["family"], chain["table"], chain["name"], "accept"], check=True)


def results(text):
    return dict(line.split() for line in text.splitlines() if line.endswith((" open", " closed")))


@scenario(limit=400)
def a_script_reaches_the_world_but_nothing_of_the_host_or_its_networks(stage):
    if not stage.is_root:
        raise Skipped("networks need root")
    with contextlib.ExitStack() as scene:
        server = scene.enter_context(stage.own_server(pool=2))
        number = server.marks[1]
        private, linklocal, shared, world = "192.168.241.2", "169.254.241.2", "100.64.241.2", "203.0.113.2"
        for name, near, far in (("p", "192.168.241.1", private), ("l", "169.254.241.1", linklocal),
                                ("s", "100.64.241.1", shared), ("w", "203.0.113.1", world)):
            scene.enter_context(island(unique(name), near, far))
            scene.enter_context(listener(PORT, "ip", "netns", "exec", unique(name)))
        scene.enter_context(listener(PORT))

        # The neighbour: a machine of the same server, with somebody listening in its namespace.
        neighbour = server.api.submit("echo begun; sleep 200")
        wait_for("the neighbour runs", lambda: server.api.output(neighbour), 60)
        neighbour_pid = server.machine_pid(server.api.status(neighbour)["vm_id"])
        enter = ("nsenter", "-t", str(neighbour_pid), "-n")
        scene.enter_context(listener(PORT, *enter))
        neighbour_address = bridge_side_address(neighbour_pid, server)

        closed = [address_of(f"mags-{number}"), "192.168.241.1", "203.0.113.1", private, linklocal, shared,
                  neighbour_address]
        if (own := host_address()) and own not in closed:
            closed.append(own)

        seen = results(server.api.run(knock_once(closed + [world]), seconds=120)["stdout"].decode())
        equal(seen, {**{address: "closed" for address in closed}, world: "open"}, "with the rules")

        # The proof that each of them would have answered.
        job = server.api.submit(knock_until_open(closed))
        wait_for("the second script runs", lambda: server.api.output(job), 60)
        pid = server.machine_pid(server.api.status(job)["vm_id"])
        open_rules({f"mags_{number}"})
        open_rules(None, "nsenter", "-t", str(pid), "-n")
        open_rules(None, *enter)
        for port in (line.split(": ")[1].split("@")[0] for line in host.lines("ip", "-o", "link")):
            if re.fullmatch(rf"mags-{number}p\d+", port):
                subprocess.run(["bridge", "link", "set", "dev", port, "isolated", "off"], check=True)
        equal(server.api.wait(job, 200)["status"], "completed", "status")
        seen = results(server.api.output(job).decode())
        equal(seen, {address: "open" for address in closed}, "without the rules")


def bridge_side_address(pid, server):
    """The address that a machine's namespace has on the server's bridge."""
    bridge = address_of(f"mags-{server.marks[1]}")
    shown = json.loads(subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "ip", "-j", "-4", "address"], capture_output=True, check=True,
        text=True).stdout)
    near = bridge.split(".")[:2]
    for one in shown:
        for entry in one["addr_info"]:
            if entry["local"].split(".")[:2] == near:
                return entry["local"]
    raise AssertionError(f"the machine has no address beside {bridge}: {shown}")


@scenario
def names_are_answered_as_the_host_answers_them(stage):
    if not stage.is_root:
        raise Skipped("networks need root")
    name = next((fields[1] for fields in map(str.split, open("/etc/hosts"))
                 if len(fields) > 1 and not fields[0].startswith(("#", "127.", ":", "f"))), None)
    if name is None:
        done = stage.server.api.run("getent hosts localhost && getent hosts no-such-name.invalid; echo $?")
        contains(done["stdout"].decode(), "localhost", "getent")
        equal(done["stdout"].decode().splitlines()[-1], "2", "getent's exit code for an unknown name")
        return
    done = stage.server.api.run(f"getent hosts {name}")
    contains(done["stdout"].decode(), name, f"the guest's answer for {name}, which is in the host's hosts file")
