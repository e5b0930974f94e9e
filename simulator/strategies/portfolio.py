"""A portfolio: the seed draws which sampler makes the run, and with which parameters.

No sampler is the best everywhere. A sticky walk is made for races in which one build must be far ahead, POS for those
between few of many steps, PCT for those that need few switches, each at its place; which of these a scenario has,
nobody knows beforehand. So half of the runs that an exploration makes are POS, a quarter sticky walks that stay with
a probability of 0.8 to 0.95, and the rest is shared by PCT, random walks, and mutants of schedules that gave something
new (`simulator.search.mutation`; they are not drawn here: no seed knows what they come from). Of that rest, mutants
have half: with them 1,000 runs of issue-3515-real poison some 22 times, without them 12, and show as many outcomes.
PCT has most of the other half, as a random walk finds least where builds make many calls. PCT has a depth of 2 to 5, or
5 to 8 where there are many actors: there, few switches leave most of them one after another (with eight builds, no
poisoning in 200 runs at depth 2, one in 8 at depth 8). docs/reference/benchmarks.md has the numbers.

Guarantees: one seed is one sampler, its parameters and its schedule, whatever was run before. Bound: that of each of
its samplers, times its share.
Cost: that of the sampler drawn; a rehearsal, for PCT, once for a scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.strategies.pct import Pct
from simulator.strategies.pos import Pos
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.staggered import START_GAP, Staggered
from simulator.strategies.sticky import Sticky

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.strategies.base import Strategy

# Of all runs that an exploration makes; what is missing to 1 are mutants.
POS_SHARE = 0.5
STICKY_SHARE = 0.25
PCT_SHARE = 0.09375
RANDOM_SHARE = 0.03125
MUTANT_SHARE = 0.125

SWITCH_PROBABILITIES = (0.05, 0.2)
# First and last depth, for few actors and for many.
DEPTHS_OF_FEW, DEPTHS_OF_MANY = (2, 5), (5, 8)
FEW = 4


class Portfolio:
    """Several samplers.

    Args:
        start_gap: of the sticky walks, as `simulator.strategies.staggered`.
    """

    def __init__(self, start_gap: int = START_GAP) -> None:
        self.start_gap = start_gap
        self._expected_steps = 0
        self._inner: Sticky | Staggered | Pos | Pct | RandomWalk = RandomWalk()

    @property
    def inner(self) -> Strategy:
        """What was drawn for this run."""
        return self._inner

    def rehearsed(self, steps: int) -> None:
        """As `RehearsedStrategy.rehearsed`."""
        self._expected_steps = steps

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; the sampler is drawn before anything else."""
        self._inner = self._drawn(len(actors), randomness)
        return self._inner.begin(actors, steps, randomness)

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """As `Strategy.choose`."""
        return self._inner.choose(enabled, current)

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`."""
        return self._inner.quiet_steps()

    def end(self) -> None:
        """As `Strategy.end`."""
        self._inner.end()

    def _drawn(self, actors: int, randomness: Randomness) -> Sticky | Staggered | Pos | Pct | RandomWalk:
        # Two draws in any case; only those that are no mutants come here.
        place, parameter = randomness.draw() * (1 - MUTANT_SHARE), randomness.draw()
        if place < POS_SHARE:
            return Pos()
        if place < POS_SHARE + STICKY_SHARE:
            low, high = SWITCH_PROBABILITIES
            return Staggered(Sticky(low + parameter * (high - low)), self.start_gap)
        if place < POS_SHARE + STICKY_SHARE + PCT_SHARE:
            first, last = DEPTHS_OF_FEW if actors <= FEW else DEPTHS_OF_MANY
            return Pct(first + int(parameter * (last - first + 1)), self._expected_steps)
        return RandomWalk()
