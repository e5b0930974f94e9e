"""Round-robin: everybody in turn, `quantum` steps each.

The one fair schedule that needs no luck: it shows what happens when nobody is ever far ahead, and serves as the
fault-free phase in which a cleaner must finish. Bound: with n actors nobody waits longer than (n - 1) * quantum steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep


class RoundRobin:
    """Each enabled actor in order of its index.

    Args:
        quantum: steps before the next one's turn, at least 1.
    """

    def __init__(self, quantum: int = 1) -> None:
        self.quantum = quantum
        self._steps: Sequence[RawStep] = ()
        self._until = 0
        self._alone = False

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; there is always another run."""
        del actors, randomness
        self._steps = steps
        self._until = len(steps) + self.quantum
        self._alone = False
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        now = len(self._steps)
        if self._alone and now > self._until:
            # Its turns followed each other while nobody else could move: it is in the middle of one.
            self._until = now + (self._until - now) % self.quantum
        self._alone = len(enabled) == 1
        if current.status == ENABLED and now < self._until:
            return current
        self._until = now + self.quantum
        for actor in enabled:
            if actor.index > current.index:
                return actor
        return enabled[0]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: the rest of the turn."""
        return FOR_EVER if self._alone else self._until - len(self._steps) - 1

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""
