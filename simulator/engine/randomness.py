"""One seeded generator per purpose, so that adding a draw for faults does not move the schedule.

Only `random()` of the standard generator is used: its sequence for a given seed is documented to stay the same
across Python versions, which `randrange` and `shuffle` do not promise.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Randomness:
    """Draws that depend on the run's seed and on the purpose alone.

    Args:
        seed: the run's seed.
        purpose: what the draws are for, e.g. ``schedule``.
    """

    __slots__ = ("draw",)

    def __init__(self, seed: int, purpose: str) -> None:
        self.draw = random.Random(f"{purpose}:{seed}").random
        """The next number in [0, 1)."""

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        return int(self.draw() * bound)

    def choice(self, items: Sequence[T]) -> T:
        """One of `items`, which must not be empty."""
        return items[int(self.draw() * len(items))]
