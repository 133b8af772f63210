"""A job that asks for a disk has one of its own, of that size."""

from rig.scenario import contains, equal, scenario, wait_for


@scenario
def a_job_with_a_disk_sees_a_root_of_that_size(stage):
    done = stage.server.mags("run", "--disk", "3", "df --output=size -BG / | tail -1; pwd; cat /proc/mounts | grep -c ' / '")
    equal(done.stdout.split(), [b"3G", b"/root", b"1"], "stdout")
    equal(done.returncode, 0, "exit code")


@scenario
def uploads_variables_and_renames_work_on_a_disk(stage):
    file = stage.folder / "data"
    file.write_bytes(b"uploaded")
    script = 'cat /uploads/data; echo " $COLOUR"; mv /usr/share/doc /usr/share/papers && ls /usr/share/papers | wc -l'
    done = stage.server.mags("run", "--disk", "1", "--env", "COLOUR=blue", "-f", file, script)
    equal(done.stderr, b"", "stderr")
    first, count = done.stdout.decode().splitlines()
    equal(first, "uploaded blue", "first line")
    assert int(count) > 5, count


@scenario
def the_status_shows_the_disk_and_a_wrong_size_is_refused(stage):
    job = stage.server.api.submit("true", disk_gb=2)
    equal(stage.server.api.wait(job, 60)["disk_gb"], 2, "disk_gb")
    assert "disk_gb" not in stage.server.api.wait(stage.server.api.submit("true"), 60)
    done = stage.server.mags("run", "--disk", "1025", "true")
    equal(done.returncode, 64, "exit code")
    contains(done.stderr.decode(), "--disk is 1 to 1024", "stderr")


@scenario(limit=300)
def a_full_disk_is_its_owners_trouble_and_gone_with_the_job(stage):
    api, machines = stage.server.api, stage.server.home / "machines"

    def allocated():
        """Bytes that machines' disks take of the host's."""
        return sum(disk.stat().st_blocks * 512 for disk in machines.glob("*/disk"))

    filler = api.submit("dd if=/dev/zero of=/root/fill bs=1M oflag=direct; echo full; sleep 100", disk_gb=1)
    beside = stage.server.mags("run", "--disk", "1", "echo beside; head -c 1M /dev/urandom | wc -c")
    equal(beside.stdout, b"beside\n1048576\n", "stdout of the job beside")
    wait_for("the disk is full", lambda: api.output(filler) == b"full\n", 200, 0.5)
    assert 512 << 20 < allocated() <= 1 << 30, f"a disk of 1 GiB takes {allocated() >> 20} MiB"
    api.stop(filler)
    wait_for("nothing is left of the disk", lambda: allocated() == 0)
