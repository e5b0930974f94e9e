"""Sticky random walk: the current actor goes on, and with a small probability another one takes over.

Switching uniformly at each step kills builds early: they collide in mkdir and never meet in rmtree, where the
poison is (0 of 42 uniform runs of real builds poisoned, 21 of 70 sticky ones at 1 in 20). Those runs scheduled the
calls that change something. Here every call is a step, reads included, about four times as many per build, so the
default is 1 in 50 (docs/decisions/0004-switch-probability.md has the sweep). Bound: none; a run of n steps is a
sequence of about n/50 blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep

SWITCH_PROBABILITY = 0.02


class Sticky:
    """Switch with a fixed probability, then to each other enabled actor alike.

    Args:
        switch_probability: in [0, 1].
    """

    def __init__(self, switch_probability: float = SWITCH_PROBABILITY) -> None:
        self.switch_probability = switch_probability
        self._draw: Callable[[], float]

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; there is always another run."""
        del actors, steps
        self._draw = randomness.draw
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        stays = current.status == ENABLED
        if stays and (len(enabled) == 1 or self._draw() >= self.switch_probability):
            return current
        if not stays:
            return enabled[int(self._draw() * len(enabled))]
        # The others are all but `current`; stepping over it keeps the draw uniform without a copy.
        place = int(self._draw() * (len(enabled) - 1))
        chosen = enabled[place]
        return chosen if chosen.index < current.index else enabled[place + 1]

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""
