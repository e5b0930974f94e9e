"""How things are measured: wall and CPU seconds of a block, and medians of ratios between neighbours in time.

Rounds are interleaved (one of each, then again), and a ratio is taken within a round, so that a machine that becomes
slower meets all alike. User+sys stands beside wall, since a loaded machine lies about wall.
"""

from __future__ import annotations

import gc
import resource
import statistics
import time


class Spent:
    """Wall and CPU seconds of a block, children that it waited for included."""

    def __enter__(self):
        # What an earlier block left to be collected is not this one's.
        gc.collect()
        self._cpu = self._used()
        self._wall = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.wall = time.perf_counter() - self._wall
        self.cpu = self._used() - self._cpu

    @staticmethod
    def _used():
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(used.ru_utime + used.ru_stime for used in both)


def ratios(these, those):
    """Medians of pairwise ratios: wall, CPU."""
    pairs = list(zip(these, those, strict=True))
    return (
        statistics.median(one.wall / other.wall for one, other in pairs),
        statistics.median(one.cpu / other.cpu for one, other in pairs),
    )


def median(spent, kind="wall"):
    """Of one kind of seconds."""
    return statistics.median(getattr(one, kind) for one in spent)
