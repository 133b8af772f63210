"""The published Python client, unchanged, with its address and token pointed here."""

from rig.scenario import contains, equal, scenario, wait_for


def client(stage):
    import mags

    return mags.Mags(api_token=stage.server.token, api_url=stage.server.url)


def messages(logs):
    return [entry["message"] if isinstance(entry, dict) else entry for entry in logs]


@scenario
def run_and_wait_returns_exit_code_and_logs(stage):
    result = client(stage).run_and_wait("echo through the client; exit 4", poll_interval=0.05)
    equal((result["status"], result["exit_code"]), ("error", 4), "status and exit code")
    contains(messages(result["logs"]), "through the client", "logs")
    assert result["duration_ms"] >= 0


@scenario
def run_status_logs_and_list_jobs_agree(stage):
    mags = client(stage)
    job = mags.run("echo listed", name="from-python", environment={"A": "b"})["request_id"]
    wait_for("the job completes", lambda: mags.status(job)["status"] == "completed")
    status = mags.status(job)
    equal((status["request_id"], status["name"], status["exit_code"]), (job, "from-python", 0), "status")
    contains(messages(mags.logs(job)["logs"]), "listed", "logs")
    page = mags.list_jobs(page_size=5)
    contains([entry["request_id"] for entry in page["jobs"]], job, "list")
    assert page["total"] >= 1 and len(page["jobs"]) <= 5


@scenario
def stop_takes_a_name_and_ends_the_job(stage):
    mags = client(stage)
    job = mags.run("sleep 300", name="python-stops-this")["request_id"]
    wait_for("it runs", lambda: mags.status(job)["status"] == "running")
    assert mags.status(job)["vm_id"], "running without a vm_id"
    mags.stop("python-stops-this")
    wait_for("it is stopped", lambda: mags.status(job)["status"] not in ("running", "sleeping"), 15)


@scenario
def upload_files_brings_files_into_the_machine(stage):
    mags = client(stage)
    paths = []
    for number in range(3):
        path = stage.folder / f"part-{number}.txt"
        path.write_text(f"content {number}\n")
        paths.append(str(path))
    ids = mags.upload_files(paths)
    result = mags.run_and_wait("cat /uploads/part-*.txt /root/part-1.txt", file_ids=ids, poll_interval=0.05)
    equal(result["exit_code"], 0, "exit code")
    equal(messages(result["logs"])[:4], ["content 0", "content 1", "content 2", "content 1"], "logs")


@scenario
def errors_reach_the_caller_with_their_text_and_code(stage):
    import mags as module
    from mags.client import MagsError

    mags = client(stage)
    for call, code, text in (
        (lambda: mags.status("00000000-0000-4000-8000-000000000000"), 404, "not found"),
        (lambda: mags.run(""), 400, "script"),
        (lambda: module.Mags(api_token="wrong", api_url=stage.server.url).list_jobs(), 401, ""),
    ):
        try:
            call()
        except MagsError as error:
            equal(error.status_code, code, "status code")
            contains(str(error), text, "message")
        else:
            raise AssertionError(f"no error where {code} was due")
