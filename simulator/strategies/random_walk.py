"""Random walk: each step is made by one of those who can move, each alike.

The plainest sampler, to hold others against. It switches at nearly every step, so builds collide in their first calls
and seldom get to where a race needs one of them to be far ahead (docs/decisions/0004-switch-probability.md). Bound: a
schedule with m enabled actors at each of its k steps has probability 1/m^k, so each one can come, and most never do.

Cost: a draw for each step at which there is a choice; none while one actor is alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep


class RandomWalk:
    """Uniform at each step."""

    def __init__(self) -> None:
        self._draw: Callable[[], float]
        self._steps: Sequence[RawStep] = ()
        self._chosen_for = -1
        self._alone = False

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; there is always another run."""
        del actors
        self._draw = randomness.draw
        self._steps = steps
        self._chosen_for = -1
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        now = len(self._steps)
        if now == self._chosen_for and current.status == ENABLED:
            # Woken from a lock it had waited for, it comes once more with the same step.
            return current
        self._chosen_for = now
        self._alone = len(enabled) == 1
        return enabled[0] if self._alone else enabled[int(self._draw() * len(enabled))]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`."""
        return FOR_EVER if self._alone else 0

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""
