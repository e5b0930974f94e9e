"""A crew for tests: the division of work that ships, one worker after the other in this process."""

from __future__ import annotations

from cache_core.crew import remove_unit, work_off
from cache_core.outcome import Removal
from cache_core.pinned import Opener
from cache_core.units import divide


class InTurn:
    """A crew of one worker, which divides into `wanted` units or more."""

    def __init__(self, wanted):
        self._wanted = wanted

    def help(self, root_fd, keep, *, kernel, options):
        opener = Opener(kernel, root_fd)
        units = divide(opener, root_fd, keep, kernel=kernel, workers=2, wanted=self._wanted)
        noted = (0, 0, 0, 0)

        def note(*numbers):
            nonlocal noted
            noted = numbers

        def remove(unit, how):
            return remove_unit(unit, root_fd, keep, opener, kernel=kernel, options=how)

        work_off(lambda: units.pop(0) if units else None, remove, options, note, lambda: False)
        return Removal(*noted, (), False)
