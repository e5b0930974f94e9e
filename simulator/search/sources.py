"""Where the trials of a sampled exploration come from: an endless row of plans, one a seed, that may learn.

Guarantees: the plan of a seed depends on the seed, and on what was found by the seeds before it. Costs: nothing, or
the segments of the schedules that are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from simulator.engine.randomness import Randomness
from simulator.schedule import Segment
from simulator.search.mutation import Pool
from simulator.strategies.lenient import LenientReplay
from simulator.strategies.portfolio import MUTANT_SHARE

if TYPE_CHECKING:
    from simulator.search.subject import Trial
    from simulator.strategies.base import Strategy


class Plan(NamedTuple):
    """What to try next.

    Attributes:
        seed: of all that is drawn.
        strategy: who moves when; None: as the subject says, by the seed.
    """

    seed: int
    strategy: Strategy | None


class Source(Protocol):
    """Says what to try, and is told what came of it.

    Attributes:
        mutants: how many plans were mutants of earlier trials.
    """

    mutants: int

    def plan(self, seed: int) -> Plan:
        """What to try with this seed, or in its place."""

    def learn(self, trial: Trial, *, new_outcome: bool, new_class: bool) -> None:
        """What came of the last plan, and whether nobody had seen that before."""


class Seeds:
    """Each seed as it is."""

    mutants = 0

    def plan(self, seed: int) -> Plan:
        """As `Source.plan`."""
        return Plan(seed, None)

    def learn(self, trial: Trial, *, new_outcome: bool, new_class: bool) -> None:
        """As `Source.learn`; nothing is learned."""


class Mutating:
    """Each seed as it is, or, once something was found, a mutant of an earlier schedule in its place."""

    def __init__(self, share: float = MUTANT_SHARE) -> None:
        self.mutants = 0
        self._share = share
        self._pool = Pool()

    def plan(self, seed: int) -> Plan:
        """As `Source.plan`."""
        randomness = Randomness(seed, "mutation")
        if randomness.draw() >= self._share or not self._pool:
            return Plan(seed, None)
        self.mutants += 1
        mutant = self._pool.mutant(randomness)
        return Plan(mutant.seed, LenientReplay([Segment(turn.code, turn.steps) for turn in mutant.turns]))

    def learn(self, trial: Trial, *, new_outcome: bool, new_class: bool) -> None:
        """As `Source.learn`."""
        if new_outcome or new_class:
            self._pool.add(trial, outcome=new_outcome)


def source_for(strategy: str) -> Source:
    """The source that goes with a strategy."""
    return Mutating() if strategy == "portfolio" else Seeds()
