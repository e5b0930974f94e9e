"""Two runs of one schedule make the same steps, or somebody depends on something that no step shows.

A search that takes an accident for a consequence of its schedule finds nothing that can be found again. So each round
of a run is compared with the first, and an exploration makes its first trial twice.

Guarantees: names the first step that differs, and of whom; nothing is claimed of runs that were not compared. Costs:
the comparison of two lists; an exploration makes one run more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.errors import NondeterminismError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from simulator.engine.trace import RawStep


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two runs part.

    Attributes:
        step: the number of the first step that differs, from 1.
        was, now: that step in either run; None where the run had ended.
    """

    step: int
    was: RawStep | None
    now: RawStep | None

    @property
    def actor(self) -> str:
        """Whose step it is; of the first run where they are of two."""
        step = self.was or self.now
        return step[0] if step else ""

    def __str__(self) -> str:
        """``step 17 was 'build-1 stat x' and is 'build-1 stat y'``."""
        was, now = told(self.was), told(self.now)
        if was == now and self.was is not None and self.now is not None:
            # Told alike: they returned something else.
            was, now = (f"{was} -> {step[7]!r}" for step in (self.was, self.now))
        return f"step {self.step} was {was} and is {now}"


def first_difference(was: Sequence[RawStep], now: Sequence[RawStep]) -> Difference | None:
    """The first step that differs between two runs; None if they are the same."""
    if was == now:
        return None
    for number, (one, other) in enumerate(zip_longest(was, now), 1):
        if one != other:
            return Difference(number, one, other)
    return None


async def check_deterministic(was: Sequence[RawStep], play: Callable[[], Awaitable[Sequence[RawStep]]]) -> None:
    """Make a run again.

    Args:
        was: its steps, the first time.
        play: makes it, by the same schedule; returns its steps.

    Raises:
        NondeterminismError: it was not the same.
    """
    difference = first_difference(was, await play())
    if difference is not None:
        raise NondeterminismError(difference, "a second run of the same schedule")


def told(step: RawStep | None) -> str:
    """A step for people; ``nothing`` where there is none."""
    if step is None:
        return "nothing (the run had ended)"
    actor, _, operation, path, target, _, number, _, _ = step
    words = [actor, operation, path, *([f"-> {target}"] if target else [])]
    return f"'{' '.join(words)}'" + (f" ({errno_name(number)})" if number is not None else "")
