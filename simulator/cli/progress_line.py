"""One line on a terminal, overwritten while it takes long: `clean`.

Guarantees: nothing in the first half of a second, then at most five lines a second. The rate is that of the removal:
what was waited for a lock is not in it. It is cut to the width that the terminal has when it is drawn: it is one row,
which `clear` empties. Costs: one reading of a clock for each call, and the width's for each line.
"""

from __future__ import annotations

import os
import time

from simulator.words import files_and_directories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from cache_core.outcome import Progress

_FIRST_SECONDS = 0.5
_NEXT_SECONDS = 0.2

# Nobody reads the other digits of a number that changes all the time.
_DIGITS = 2


class ProgressLine:
    """Called with how far it is.

    Args:
        stream: the terminal.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._next = clock() + _FIRST_SECONDS
        self._shown = False
        self._began: tuple[float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Show it, if it is time to."""
        now = self._clock()
        entries = progress.files_removed + progress.directories_removed
        if self._began is None:
            self._began = (now, entries)
        if now < self._next:
            return
        self._next, self._shown = now + _NEXT_SECONDS, True
        done = files_and_directories(progress.files_removed, progress.directories_removed)
        began, before = self._began
        rate = f", {_rounded((entries - before) / (now - began)):,} a second" if now > began else ""
        self._stream.write("\r\x1b[K" + f"{done} removed{rate}"[: self._columns()])
        self._stream.flush()

    def clear(self) -> None:
        """Leave the terminal as if nothing had been."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _columns(self) -> int | None:
        """How much goes on one row; None when nobody knows. In the last column some terminals begin the next row."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return None
        return columns - 1 if columns else None


def _rounded(rate: float) -> int:
    whole = int(rate)
    return round(whole, _DIGITS - len(str(whole)))
