"""A scenario: one function that reads as a sentence, run against a real server."""

import dataclasses
import typing


@dataclasses.dataclass
class Scenario:
    run: typing.Callable
    nightly: bool
    limit: int

    @property
    def sentence(self):
        return self.run.__name__.replace("_", " ")


def scenario(function=None, *, nightly=False, limit=180):
    """Marks a function as a scenario.

    It takes a `Stage`. `nightly` ones run only when asked for; after `limit` seconds a scenario has failed.
    """

    def mark(function):
        function.scenario = Scenario(function, nightly, limit)
        return function

    return mark(function) if function else mark


class Skipped(Exception):
    """This host cannot show it; the text says why. Counted neither as passed nor as failed, but printed."""


def wait_for(what, condition, seconds=30, step=0.05):
    """Returns the first true value of `condition`, or fails after `seconds`, saying what did not happen."""
    import time

    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(step)


def equal(seen, expected, what="value"):
    if seen == expected:
        return
    raise AssertionError(f"{what}: expected {_short(expected)}, saw {_short(seen)}")


def contains(text, part, what="text"):
    assert part in text, f"{what}: {_short(part)} is not in {_short(text)}"


def _short(value):
    text = repr(value)
    return text if len(text) < 600 else f"{text[:400]} … {text[-150:]} ({len(text)} characters)"
