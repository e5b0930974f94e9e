"""How long to try: so many replays, so many seconds; the first replay in any case.

Guarantee: none begins when either is used up; one that has begun comes to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


REPLAYS = 60
BUDGET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to try.

    Attributes:
        replays: how many runs at most, at least 1.
        budget_seconds: after which no further one begins.
    """

    replays: int = REPLAYS
    budget_seconds: float = BUDGET_SECONDS


class SpentError(Exception):
    """There are no replays, or there is no time, left. Nothing went wrong."""


class Budget:
    """What is left of some limits.

    Args:
        limits: how long to try.
        clock: monotonic seconds.

    Attributes:
        replays: how many were made so far.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.replays = 0
        self._limits = limits
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def spend(self) -> None:
        """A further replay.

        Raises:
            SpentError: there is nothing left to make it with.
        """
        if self.replays and (self.replays >= self._limits.replays or self.seconds >= self._limits.budget_seconds):
            raise SpentError
        self.replays += 1
