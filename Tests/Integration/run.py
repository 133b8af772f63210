#!/usr/bin/env python3
"""Runs the scenarios of this folder against real servers. `script/test` calls it."""

import argparse
import importlib
import pathlib
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from rig.scenario import Skipped  # noqa: E402
from rig.stage import Stage  # noqa: E402


class TimeIsUp(BaseException):
    """Not an Exception, so that no scenario catches it by accident."""


def ring(*_):
    raise TimeIsUp


def run_one(stage, scenario):
    signal.alarm(scenario.limit)
    try:
        with stage.scene():
            scenario.run(stage)
        return None
    except Skipped:
        raise
    except TimeIsUp:
        return f"not over after {scenario.limit} s\n{traceback.format_exc(limit=-3)}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in place if "/rig/" not in frame.filename][-1:] or place[-1:]
        return f"{type(error).__name__}: {error}\n    at {own[0].filename}:{own[0].lineno}"
    finally:
        signal.alarm(0)


def main():
    # A shell lets what it runs in the background ignore interrupts, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="+")
    arguments.add_argument("--binaries", required=True, help="folder with mags and magsd")
    arguments.add_argument("--counts", help="file for `PASSED FAILED`")
    arguments.add_argument("--nightly", action="store_true")
    arguments.add_argument("--only", default="", help="scenarios whose sentence contains this")
    options = arguments.parse_args()

    signal.signal(signal.SIGALRM, ring)
    # A signal must run the clean-ups, or servers stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stage = Stage(options.binaries)
    passed = failed = 0
    try:
        for name in options.names:
            module = importlib.import_module(name)
            found = [item.scenario for item in vars(module).values() if hasattr(item, "scenario")]
            print(f"    {name}")
            for scenario in found:
                if (scenario.nightly and not options.nightly) or options.only not in scenario.sentence:
                    continue
                since = time.monotonic()
                try:
                    problem = run_one(stage, scenario)
                except Skipped as reason:
                    print(f"      - {scenario.sentence} (skipped: {reason})", flush=True)
                    continue
                took = time.monotonic() - since
                print(f"      {'✘' if problem else '✔'} {scenario.sentence} ({took:.1f} s)", flush=True)
                if problem:
                    failed += 1
                    print("        " + problem.replace("\n", "\n        "), flush=True)
                else:
                    passed += 1
        signal.alarm(120)
        try:
            stage.close_shared()
        except AssertionError as error:
            failed += 1
            print(f"      ✘ the shared server ends in order\n        {error}")
    except BaseException:
        failed += 1
        raise
    finally:
        signal.alarm(0)
        stage.close_shared()
        if options.counts:
            pathlib.Path(options.counts).write_text(f"{passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
