"""SIGTERM to a running server: who follows a job is told so, and the job says how it ended."""

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
