"""SIGTERM to a running server: who follows a job is told so, a job that runs says how it ended, one that waits goes on."""

import os
import signal
import threading

from rig.scenario import contains, equal, scenario


@scenario(limit=200)
def who_follows_a_job_is_told_that_the_server_stops(stage):
    with stage.own_server(pool=1) as server:
        job = server.api.submit("echo begun; sleep 600")
        begun, events = threading.Event(), []

        def follow():
            for _, name, value in server.api.follow(job):
                events.append((name, value))
                begun.set()

        follower = threading.Thread(target=follow)
        follower.start()
        assert begun.wait(120), "the script has not begun"
        server.stop()
        follower.join(60)
        assert not follower.is_alive(), "the stream goes on behind its server"
        name, value = events[-1]
        equal((name, value.get("code"), value.get("retryable")), ("error", "server_stopped", True), "the last event")
        contains(value["error"], "stopped", "its text")
        server.start()
        end = server.api.wait(job)
        equal((end["status"], end["error_code"]), ("error", "server_stopped"), "the job after the next start")


@scenario(limit=300)
def a_job_that_waits_while_the_host_role_alone_is_stopped_runs_afterwards(stage):
    with stage.own_server(pool=0) as server:
        jobs = [server.api.submit(f"echo {number}; sleep 1") for number in range(40)]
        host_role = server.pid("host")
        waiting = [job for job in jobs if server.api.status(job)["status"] == "pending"]
        os.kill(host_role, signal.SIGTERM)
        assert waiting, "no job waited"
        server.wait_for_role("host", host_role)
        ends = [server.api.wait(job, 200) for job in jobs]
        for number, end in enumerate(ends):
            if end["status"] == "completed":
                equal(server.api.output(jobs[number]), f"{number}\n".encode(), f"output of job {number}")
            else:
                equal(end.get("error_code"), "server_stopped", f"how job {number} ended")
                assert end.get("vm_id"), f"job {number} had no machine, and its end says that it was stopped: {end}"
        done = sum(end["status"] == "completed" for end in ends)
        print(f"        {len(waiting)} of {len(jobs)} waited, {done} completed")
