"""What a scenario is given: servers, and a folder of its own."""

import contextlib
import os
import pathlib
import tempfile

from .server import Server


class Stage:
    def __init__(self, binaries):
        self.binaries = binaries
        self._shared = None
        self.folder = None

    @property
    def server(self):
        """A server that all scenarios of a run share: for those that leave it as they found it."""
        if self._shared is not None and not self._shared.pids().get("magsd"):
            self._shared.close()
            self._shared = None
        if self._shared is None:
            self._shared = Server(self.binaries).__enter__()
        return self._shared

    def own_server(self, **options):
        """A context with a server that nobody else uses."""
        return Server(self.binaries, **options)

    @staticmethod
    def script(name):
        """The path of one of the project's own commands."""
        return str(pathlib.Path(__file__).parents[3] / "script" / name)

    @property
    def is_root(self):
        return os.geteuid() == 0

    @contextlib.contextmanager
    def scene(self):
        with tempfile.TemporaryDirectory(prefix="mags-scene-") as folder:
            self.folder = pathlib.Path(folder)
            yield self

    def close_shared(self):
        if self._shared is not None:
            self._shared.close()
            self._shared = None
