"""A hundred jobs at once on an idle server are all served, each right."""

import time

from rig.scenario import equal, scenario


def burst(stage, count):
    api = stage.server.api
    stage.server.wait_for_full_pool()
    begun = time.monotonic()
    jobs = {api.submit(f"echo token-{number}"): number for number in range(count)}
    for job, number in jobs.items():
        equal(api.wait(job, 120)["status"], "completed", f"status of job {number}")
    took = time.monotonic() - begun
    for job, number in jobs.items():
        equal(api.output(job), f"token-{number}\n".encode(), f"output of job {number}")
    return took


@scenario(limit=300)
def a_burst_of_100_is_served_whole(stage):
    # How fast it should be is a matter of the machine: Benchmarks says it.
    print(f"        100 jobs in {burst(stage, 100):.1f} s")


@scenario(nightly=True, limit=900)
def five_bursts_of_100_are_served_whole(stage):
    for _ in range(5):
        burst(stage, 100)
