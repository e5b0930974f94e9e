"""A kernel that makes the real calls and keeps them as steps, for a toolchain that runs without the gate."""

import os

from cache_core.kernel import REAL
from simulator.engine.listing import GatedListing, sorted_entries
from simulator.engine.trace import CREATE, CREATE_EXCL, LIST_DESCRIPTOR, LIST_PATH, OPEN, OPENDIR, Step
from simulator.likeness.fidelity import rows


class RecordingKernel:
    """The real kernel; before each call it asks `before`, and afterwards it keeps a step."""

    def __init__(self, actor="build", before=lambda operation, path: None):
        self.actor, self.phase, self.before = actor, "", before
        self.steps = []
        self.paths = {}

    def rows(self, source):
        """What was done so far, as rows."""
        return rows(self.steps, source)

    def enter_phase(self, phase):
        """To be told of phases."""
        self.phase = phase

    def __getattr__(self, name):
        return lambda *arguments, **keywords: self._call(name, arguments, keywords)

    def _call(self, name, arguments, keywords):
        operation, path = self._described(name, arguments, keywords)
        self.before(operation, path)
        function = sorted_entries if name == "scandir" else getattr(REAL, name)
        number = None
        try:
            result = function(*arguments, **keywords)
        except OSError as error:
            number = error.errno
            raise
        finally:
            target = arguments[1] if name == "rename" else None
            mode = arguments[1] if name in {"chmod", "mkdir"} and len(arguments) > 1 else None
            self.steps.append(Step(self.actor, self.phase, operation, path, target, mode, number, None, None))
        if name == "open":
            self.paths[result] = path
        if name == "scandir":
            return GatedListing(result, self, arguments[0] if isinstance(arguments[0], int) else None)
        return sorted(result) if name == "listdir" else result

    def _described(self, name, arguments, keywords):
        first = arguments[0]
        path = self.paths.get(first) if isinstance(first, int) else first
        if keywords.get("dir_fd") is not None:
            path = f"{self.paths[keywords['dir_fd']]}/{first}"
        if name in {"scandir", "listdir"}:
            return (LIST_DESCRIPTOR if isinstance(first, int) else LIST_PATH), path
        if name != "open":
            return name, path
        flags = arguments[1]
        if flags & os.O_CREAT:
            return (CREATE_EXCL if flags & os.O_EXCL else CREATE), path
        return (OPENDIR if flags & os.O_DIRECTORY else OPEN), path
