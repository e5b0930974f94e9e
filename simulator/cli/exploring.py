"""What `explore` does besides: a line of progress, and a search that is written down as it goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from simulator.search.found import Found
    from simulator.search.limits import Limits
    from simulator.search.result import Exploration
    from simulator.search.systematic import Systematic

# More than anybody makes.
ENDLESS = 1 << 62
# Of a line that nobody reads twice.
_NEXT_SECONDS = 0.2
# How often a search is written down.
_SAVE_SECONDS = 20.0


async def searched(
    search: Systematic, limits: Limits, checkpoint: str | None, progress: ProgressLine, *, known: bool
) -> Exploration:
    """The whole search, or what is left of it, written down as it goes."""
    if checkpoint is None:
        return await search.run(limits, progress)
    from simulator.search.checkpoint import restore, save  # noqa: PLC0415

    if known:
        restore(search, checkpoint)
        progress.before = search.found.runs
    # Nobody should search for hours and learn then that there is no place for it.
    save(search, checkpoint)
    next_save = _SAVE_SECONDS

    def watch(found: Found, seconds: float, left: int | None) -> None:
        nonlocal next_save
        progress(found, seconds, left)
        if seconds >= next_save:
            save(search, checkpoint)
            next_save = seconds + _SAVE_SECONDS

    found = await search.run(limits, watch)
    save(search, checkpoint)
    return found


class ProgressLine:
    """One line on a terminal that gives way to the next; nothing elsewhere.

    Args:
        stream: stderr.
        limits: of the search.

    Attributes:
        before: how many runs were made another time.
    """

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._live = stream.isatty()
        self._next = time.monotonic()
        self.before = 0

    def __call__(self, found: Found, seconds: float, left: int | None) -> None:
        """Show how far it is, if it is time to."""
        if not self._live or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _NEXT_SECONDS
        classes = None if found.classes is None else len(found.classes)
        line = progress(
            found.runs, len(found.outcomes), seconds, left, self._limits, classes=classes, before=self.before
        )
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()

    def clear(self) -> None:
        """Leave the terminal as if nothing had been."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def progress(
    explored: int,
    outcomes: int,
    seconds: float,
    left: int | None,
    limits: Limits,
    *,
    classes: int | None = None,
    before: int = 0,
) -> str:
    """``412 of 1,000 schedules, 9 outcomes, 380 classes, 180 a second, about 3 s left``.

    Args:
        explored: how many runs were made.
        outcomes: that they had.
        seconds: how long it took.
        left: how many runs are still to make: exactly, where there is a number to reach, else very roughly.
        limits: of the search.
        classes: of storms that there were; None where nobody counts.
        before: how many of the runs were made another time.
    """
    rate = (explored - before) / seconds if seconds else 0.0
    time_left = max(0.0, limits.budget_seconds - seconds)
    if rate and left is not None:
        time_left = min(time_left, left / rate)
    of = (
        f" of {limits.schedules:,}"
        if limits.schedules != ENDLESS
        else ""
        if left is None
        else f" of perhaps {explored + left:,}"
    )
    kinds = f"{outcomes:,} outcomes" + ("" if classes is None else f", {classes:,} classes")
    return f"{explored:,}{of} schedules, {kinds}, {rate:,.0f} a second, about {time_left:,.0f} s left"
