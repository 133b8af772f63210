"""Every job of many gets its own output, exactly once, and ends well."""

import collections
import concurrent.futures
import uuid

from rig import host
from rig.scenario import equal, scenario, wait_for


def one_run(mags):
    token = uuid.uuid4().hex
    done = mags("run", f"echo {token}")
    return None if (done.stdout, done.returncode) == (f"{token}\n".encode(), 0) else (token, done)


def check(results):
    wrong = [result for result in results if result]
    assert not wrong, f"{len(wrong)} of {len(results)} runs went wrong, the first: {wrong[0]}"


@scenario(limit=900)
def two_hundred_runs_one_after_another_each_print_their_own_token_once(stage):
    mags = stage.server.mags
    check([one_run(mags) for _ in range(200)])


@scenario(limit=600)
def fifty_runs_at_once_each_print_their_own_token_once(stage):
    mags = stage.server.mags
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        check(list(pool.map(lambda _: one_run(mags), range(50))))


@scenario(limit=600)
def no_two_jobs_ever_share_a_machine(stage):
    api = stage.server.api
    jobs = [api.submit("cat /root/mark 2>/dev/null; echo used > /root/mark") for _ in range(30)]
    ends = [api.wait(job, 300) for job in jobs]
    equal({end["status"] for end in ends}, {"completed"}, "statuses")
    twice = [vm for vm, count in collections.Counter(end["vm_id"] for end in ends).items() if count > 1]
    equal(twice, [], "machines of two jobs")
    equal({api.output(job) for job in jobs}, {b""}, "what an earlier job left")


@scenario(limit=300)
def afterwards_only_the_pool_is_left(stage):
    server = stage.server

    def at_rest():
        status = server.pool_status()
        return status["busy_vms"] == 0 and status["waiting_jobs"] == 0 and \
            status["idle_vms"] + status["warming_vms"] <= status["resting_size"] and \
            len(host.machines_of(server)) == status["total_vms"]

    wait_for("the pool is back at its resting size, one QEMU a machine", at_rest, 90, 0.5)
