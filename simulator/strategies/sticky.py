"""Sticky random walk: the current actor goes on, and with a small probability another one takes over.

Switching uniformly at each step kills builds early: they collide in mkdir and never meet in rmtree, where the
poison is (0 of 42 uniform runs of real builds poisoned, 21 of 70 sticky ones at 1 in 20). The default is 1 in 20, as
in those runs, with staggered starts (docs/decisions/0004-switch-probability.md has the sweep). Bound: none; a run of
n steps is a sequence of about n/20 blocks.

Not one coin is tossed a step: how many steps go by until the next switch is drawn at once (a geometric number, the same
process), so that they cost nothing.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.engine.gate import STEPS_MAX
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep

SWITCH_PROBABILITY = 0.05

# Ten times the mean of the smallest probability that is of use.
_TABLE_LENGTH = 4096


class Sticky:
    """Switch with a fixed probability, then to each other enabled actor alike.

    Args:
        switch_probability: in [0, 1].
    """

    def __init__(self, switch_probability: float = SWITCH_PROBABILITY) -> None:
        self.switch_probability = switch_probability
        self._draw: Callable[[], float]
        self._stays = _cumulated(switch_probability)
        self._steps: Sequence[RawStep] = ()
        self._switch_at = 0
        self._alone = False

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; there is always another run."""
        del actors
        self._draw = randomness.draw
        self._steps = steps
        self._switch_at = len(steps) + self._draw_stays()
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        now = len(self._steps)
        self._alone = len(enabled) == 1
        stays = current.status == ENABLED
        if stays and self._alone:
            return current
        if stays and now > self._switch_at:
            # It went by while nobody else was there. What has no memory may be drawn again.
            self._switch_at = now + self._draw_stays()
        if stays and now < self._switch_at:
            return current
        self._switch_at = now + 1 + self._draw_stays()
        if not stays:
            return enabled[int(self._draw() * len(enabled))]
        # The others are all but `current`; stepping over it keeps the draw uniform without a copy.
        place = int(self._draw() * (len(enabled) - 1))
        chosen = enabled[place]
        return chosen if chosen.index < current.index else enabled[place + 1]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: those before the next switch."""
        return FOR_EVER if self._alone else self._switch_at - len(self._steps) - 1

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _draw_stays(self) -> int:
        """How many steps in a row do not switch, when each switches with the probability: a geometric number."""
        stays = 0
        while stays < STEPS_MAX:
            drawn = bisect_right(self._stays, self._draw())
            stays += drawn
            if drawn < len(self._stays):
                break
        return stays


@functools.cache
def _cumulated(switch_probability: float) -> tuple[float, ...]:
    """Probabilities that fewer than 1, 2, 3 ... steps stay; the rest of the distribution is the whole of it again.

    By multiplication alone, which gives the same on every machine, as a logarithm need not.
    """
    stays = 1.0
    table = []
    for _ in range(_TABLE_LENGTH):
        stays *= 1.0 - switch_probability
        table.append(1.0 - stays)
        if table[-1] == 1.0:
            break
    return tuple(table)
