"""A hundred jobs at once on an idle server are all served, each right."""

import os
import time

from rig.scenario import equal, scenario

# On two cores in software emulation; a machine with fewer or slower ones may set its own.
LIMIT = float(os.environ.get("MAGS_TEST_BURST_SECONDS", "20"))


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
def a_burst_of_100_is_served_whole_and_within_its_time(stage):
    took = burst(stage, 100)
    print(f"        100 jobs in {took:.1f} s")
    assert took <= LIMIT, f"the last job ended after {took:.1f} s, over {LIMIT:g}"


@scenario(nightly=True, limit=900)
def five_bursts_of_100_are_served_whole(stage):
    for _ in range(5):
        burst(stage, 100)
