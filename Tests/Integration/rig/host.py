"""What exists on the host: processes, namespaces, links, tables, cgroups, mounts; all, or one server's."""

import os
import pathlib
import re
import signal
import subprocess

PROC = pathlib.Path("/proc")


def is_running(pid):
    """Not gone, and not merely waiting to be collected by its parent."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def arguments_of(pid):
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def resident_bytes(pid):
    """Memory that the process holds, without what it shares with others through files."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no memory figures for pid {pid}")


def program_of(pid):
    return os.path.basename((arguments_of(pid) or [b""])[0]).decode(errors="replace")


def processes_of(server):
    """The server's own, by the home in their arguments, and its machines."""
    home = str(server.home).encode()
    own = [pid for pid in pids()
           if program_of(pid).startswith("magsd") and home in b"\0".join(arguments_of(pid)) and is_running(pid)]
    return own + machines_of(server)


def machines_of(server):
    """QEMUs; each carries the server's name in its own, whoever started it."""
    if not server.marks:
        return []
    mark = f"mags-{server.marks[0]}-".encode()
    return [pid for pid in pids()
            if program_of(pid).startswith("qemu") and is_running(pid)
            and any(argument.startswith(mark) for argument in arguments_of(pid))]


def lines(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
    except FileNotFoundError:
        return []


def kernel_objects():
    """Everything that servers make in the kernel, whoever's it is."""
    found = {f"netns {line.split()[0]}" for line in lines("ip", "netns", "list") if line.split()}
    found |= {f"link {line.split(': ')[1].split('@')[0]}" for line in lines("ip", "-o", "link") if ": " in line}
    found |= set(lines("nft", "list", "tables"))
    for path, folders, _ in os.walk("/sys/fs/cgroup"):
        found |= {f"cgroup {path}/{folder}" for folder in folders}
    found |= {f"mount {line.split()[4]}" for line in (PROC / "self/mountinfo").read_text().splitlines()}
    return found


def network_namespaces():
    """Inode numbers of all network namespaces that a process is in or holds open."""
    found = set()
    for pid in pids():
        links = [PROC / str(pid) / "ns/net"]
        try:
            links += (PROC / str(pid) / "fd").iterdir()
        except OSError:
            pass
        for link in links:
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("net:["):
                found.add(target)
    return found


def unix_sockets():
    """Paths of listening or bound Unix sockets."""
    return {line.split()[7] for line in (PROC / "net/unix").read_text().splitlines()[1:] if len(line.split()) > 7}


def tcp_listeners():
    """Local addresses of listening TCP sockets, in the kernel's own hex form."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in (PROC / "net" / name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                found.add(f"{name} {fields[1]}")
    return found


def files_below(*folders):
    found = set()
    for folder in folders:
        for path, _, names in os.walk(folder):
            found |= {os.path.join(path, name) for name in names}
    return found


def remove_everything_of(server):
    """After a scenario that went wrong. Ends and removes this server's things only, by their marks."""
    for pid in processes_of(server):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if server.instance is None:
        return
    name, number = server.instance
    for entry in sorted(kernel_objects(), reverse=True):
        kind, _, rest = entry.partition(" ")
        if kind == "link" and re.fullmatch(rf"mags-{number}(p\d+)?", rest):
            lines("ip", "link", "delete", rest)
        elif kind == "table" and rest.split()[-1] == f"mags_{number}":
            lines("nft", "delete", "table", *rest.split())
        elif kind == "cgroup" and name in rest:
            try:
                os.rmdir(rest)
            except OSError:
                pass
        elif kind == "mount" and rest.startswith(str(server.folder)):
            lines("umount", rest)
