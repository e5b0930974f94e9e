"""Modification times that depend on the steps alone.

Tools compare modification times (distutils copies a file only if the source is newer), and two files made within
one tick of the real clock compare equal or not by chance. So what a call modified "now" is shown to actors with
a logical time, one per step; times that were set on purpose (utime) are real and shown as they are. The real
inode is left alone.
"""

from __future__ import annotations

import os
import stat
import time

# Logical times start in 2096: later than any time that an archive or a test sets, and never confused with now.
LOGICAL_EPOCH = 4_000_000_000

# Real times have a fraction, and distutils drops it from its copies: so a copy is older than its source, and every
# build replaces what another one has just copied.
_FRACTION_SECONDS = 0.5

# What counts as "now": a minute before the run began (file systems stamp with a coarse clock) to a day after.
_BEFORE_SECONDS = 60
_AFTER_SECONDS = 86_400


class LogicalTimes:
    """Which path was last modified at which step of one run."""

    __slots__ = ("_modified", "_now")

    def __init__(self) -> None:
        self._modified: dict[str, int] = {}
        self._now = time.time()  # noqa: TID251 - recognises real times, so that they can be hidden

    def modified(self, path: str, step: int) -> None:
        """`path` was written to at `step`."""
        self._modified[path] = LOGICAL_EPOCH + step

    def moved(self, source: str, target: str) -> None:
        """`source` is now at `target`."""
        when = self._modified.pop(source, None)
        if when is not None:
            self._modified[target] = when

    def shown(self, path: str, status: os.stat_result) -> os.stat_result:
        """`status` as actors may see it."""
        if not -_BEFORE_SECONDS <= status.st_mtime - self._now <= _AFTER_SECONDS:
            return status
        when = self._modified.get(path, LOGICAL_EPOCH) if stat.S_ISREG(status.st_mode) else LOGICAL_EPOCH
        fields = list(status)
        fields[7:10] = [when, when, when]
        precise: dict[str, float] = {"st_blocks": status.st_blocks}
        for name in ("st_atime", "st_mtime", "st_ctime"):
            precise[name] = when + _FRACTION_SECONDS
            precise[name + "_ns"] = when * 10**9 + int(_FRACTION_SECONDS * 10**9)
        return os.stat_result(fields, precise)
