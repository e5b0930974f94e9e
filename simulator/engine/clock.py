"""Modification times that depend on the steps alone.

Tools compare modification times (distutils copies a file only if the source is newer), and two files made within
one tick of the real clock compare equal or not by chance. So what a call modified "now" is shown to actors with
a logical time, one per step; times that were set on purpose (utime) are real and shown as they are. The real
inode is left alone. Few looks are looks at times, so they are worked out when they are asked for.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Logical times start in 2096: later than any time that an archive or a test sets, and never confused with now.
LOGICAL_EPOCH = 4_000_000_000

# Real times have a fraction, and distutils drops it from its copies: so a copy is older than its source, and every
# build replaces what another one has just copied.
_FRACTION_SECONDS = 0.5
_FRACTION_NANOSECONDS = 500_000_000

# What counts as "now": a minute before the run began (file systems stamp with a coarse clock) to a day after.
_BEFORE_SECONDS = 60
_AFTER_SECONDS = 86_400


_TIMES = frozenset(f"st_{which}time{unit}" for which in "amc" for unit in ("", "_ns"))


# Places of a status as a sequence.
_NO_TIMES = range(stat.ST_ATIME)


class _Looked(NamedTuple):
    """What a look is made of: a tuple, which costs least to make.

    Attributes:
        st_mode: of `real`.
        real: what the call returned.
        times: the run's logical times.
        when: the step in which the path was last modified; None before the first.
    """

    st_mode: int
    real: os.stat_result
    times: LogicalTimes
    when: int | None


class Status(_Looked):
    """As `os.stat_result`, with times that may be seen."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name in _TIMES:
            return self.times.time_shown(name, self.real, self.when)
        return getattr(self.real, name)

    def whole(self) -> os.stat_result:
        """All of it, as the real thing."""
        return self.times.shown(self.real, self.when)

    # As a sequence, which is how an old interface has it: that of the whole.

    def __getitem__(self, place: Any) -> Any:
        return self.real[place] if place in _NO_TIMES else self.whole()[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.whole())

    def __len__(self) -> int:
        return len(self.real)

    def __eq__(self, other: object) -> bool:
        return self.whole() == (other.whole() if isinstance(other, Status) else other)

    def __hash__(self) -> int:
        return hash(self.whole())


class LogicalTimes:
    """Which path was last modified at which step of one run.

    Args:
        looked: called when an actor is shown the number of a step as a time.

    Attributes:
        modified: the number of the step, from 0.
    """

    __slots__ = ("_looked", "_now", "modified")

    def __init__(self, looked: Callable[[], None] | None = None) -> None:
        self._looked = looked
        self.modified: dict[str, int] = {}
        self._now = time.time()  # noqa: TID251 - recognises real times, so that they can be hidden

    def moved(self, source: str, target: str) -> None:
        """`source` is now at `target`."""
        when = self.modified.pop(source, None)
        if when is not None:
            self.modified[target] = when

    def time_shown(self, name: str, status: os.stat_result, when: int | None) -> Any:
        """One of the times of `status`, e.g. ``st_mtime_ns``, as actors may see it."""
        seconds = self._seconds(status, when)
        if seconds is None:
            return getattr(status, name)
        return seconds * 10**9 + _FRACTION_NANOSECONDS if name.endswith("_ns") else seconds + _FRACTION_SECONDS

    def _seconds(self, status: os.stat_result, when: int | None) -> int | None:
        """The logical time of what was modified now; None for what was not."""
        if not -_BEFORE_SECONDS <= status.st_mtime - self._now <= _AFTER_SECONDS:
            return None
        if when is None or not stat.S_ISREG(status.st_mode):
            return LOGICAL_EPOCH
        if self._looked is not None:
            self._looked()
        return LOGICAL_EPOCH + when

    def shown(self, status: os.stat_result, when: int | None) -> os.stat_result:
        """`status` as actors may see it; `when` as of `Status`."""
        seconds = self._seconds(status, when)
        if seconds is None:
            return status
        fields = list(status)
        fields[7:10] = [seconds] * 3
        precise: dict[str, float] = {"st_blocks": status.st_blocks}
        for name in ("st_atime", "st_mtime", "st_ctime"):
            precise[name] = seconds + _FRACTION_SECONDS
            precise[name + "_ns"] = seconds * 10**9 + _FRACTION_NANOSECONDS
        return os.stat_result(fields, precise)
