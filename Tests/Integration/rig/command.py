"""The `mags` command as a person runs it."""

import os
import subprocess


class Command:
    def __init__(self, server):
        self.server = server

    @property
    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAGS_")}
        return {**kept, "MAGS_CONFIG": str(self.server.login)}

    def arguments(self, *arguments):
        return [str(self.server.binaries / "mags"), *map(str, arguments)]

    def __call__(self, *arguments, stdin=None, seconds=120):
        """Runs it to its end; stdout and stderr are bytes."""
        return subprocess.run(
            self.arguments(*arguments), input=stdin if stdin is not None else b"", capture_output=True,
            env=self.environment, timeout=seconds)

    def start(self, *arguments, **options):
        """Starts it and returns the process."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.arguments(*arguments), env=self.environment, **options)
