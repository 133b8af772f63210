"""A script cannot see whether an interpreter was waiting for it or was started for it.

`scripts.json` holds the scripts. Each runs twice: as usual, and with a variable whose name no shell can hold, for which
the guest starts the interpreter afresh. All that a script can show must be the same.
"""

import json
import pathlib

from rig.scenario import equal, scenario

FRESH = "not-an-identifier"


def cases():
    return json.loads((pathlib.Path(__file__).parent / "scripts.json").read_text())


def without_the_mark(output):
    """The variable itself shows in a script that prints its environment; nothing else of it may."""
    return b"\n".join(line for line in output.split(b"\n") if FRESH.encode() not in line)


def run(api, case, fresh):
    environment = dict(case.get("environment", {}))
    if fresh:
        environment[FRESH] = "1"
    end = api.run(case["script"], environment=environment)
    return {
        "stdout": without_the_mark(end["stdout"]), "stderr": without_the_mark(end["stderr"]),
        "status": end["status"], "exit code": end.get("exit_code"),
    }


@scenario(limit=1200)
def every_script_shows_the_same_with_a_waiting_interpreter_and_a_fresh_one(stage):
    api = stage.server.api
    differing = []
    for case in cases():
        name = case.get("name") or case["script"].splitlines()[0]
        waiting, fresh = run(api, case, False), run(api, case, True)
        for what in waiting:
            if waiting[what] != fresh[what]:
                differing.append(f"{name}: {what}: waiting {waiting[what]!r}, fresh {fresh[what]!r}")
        for what in ("stdout", "stderr", "exit_code"):
            if what in case:
                expected = case[what].encode() if isinstance(case[what], str) else case[what]
                seen = waiting[what.replace("_", " ")]
                if seen != expected:
                    differing.append(f"{name}: {what}: expected {expected!r}, saw {seen!r}")
    equal(differing, [], f"differences in {len(cases())} scripts")
