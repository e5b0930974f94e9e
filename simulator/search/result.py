"""The answer of an exploration: what was found, and what that means.

The estimate of outcomes that are still to come is Chao's lower bound: of outcomes seen once (f1) and twice (f2), some
f1 (f1 - 1) / (2 (f2 + 1)) more are likely (A. Chao, "Nonparametric estimation of the number of classes in a
population", 1984, in its bias-corrected form). It is rough, and blind to what a sampler all but never makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.search.found import Found, Outcome, Violated

# What ended an exploration.
SCHEDULES, BUDGET, INTERRUPTED, EXHAUSTED = "schedules", "budget", "interrupted", "exhausted"


@dataclass(frozen=True, slots=True)
class Exploration:
    """What many runs found.

    Attributes:
        scenario: name of the subject.
        strategy: who moved when.
        explored: how many runs there were.
        complete: whether nothing is missing within the bound.
        bound: for people: what was explored, and what ended it.
        ended: by what it ended: ``schedules``, ``budget``, ``interrupted``, or ``exhausted``: there was nothing left.
        seconds: how long it took, the pieces before included.
        outcomes: the most frequent first.
        violations: those that are not expected first, of these the most frequent.
        sometimes: in how many runs something worth knowing happened.
        last_new: the number of the run that found the last new outcome; 0 when there was none.
        classes: how many storms there were that differ in more than the order of independent steps; None when nobody
            counted.
        estimate_runs: how many runs a systematic search has yet to make, roughly; None when nobody knows.
        timed: whether `seconds` are those of all the runs.
        searched: whether the runs are those of a systematic search: no sample, of which anything could be estimated.
        kills: how many a run of it has at most.
    """

    scenario: str
    strategy: str
    explored: int
    complete: bool
    bound: str
    ended: str
    seconds: float
    outcomes: tuple[Outcome, ...]
    violations: tuple[Violated, ...]
    sometimes: Mapping[str, int]
    last_new: int
    classes: int | None = None
    estimate_runs: int | None = None
    timed: bool = True
    searched: bool = False
    kills: int = 0

    @property
    def as_expected(self) -> bool:
        """Whether every violation that came is expected."""
        return all(item.violation.expected for item in self.violations)

    @property
    def estimate_unseen(self) -> int:
        """How many outcomes are still to come, roughly, and rather more (see above)."""
        return 0 if self.complete else unseen([item.count for item in self.outcomes])

    def document(self) -> dict[str, object]:
        """The `cachestorm/explore/1` document, without its schema."""
        return {
            "scenario": self.scenario,
            "strategy": self.strategy,
            "explored": self.explored,
            "complete": self.complete,
            "bound": self.bound,
            "seconds": round(self.seconds, 3),
            "outcomes": [item.document() for item in self.outcomes],
            "last_new": self.last_new,
            "classes": self.classes,
            "estimate_unseen": self.estimate_unseen,
            "estimate_runs": self.estimate_runs,
            "violations": [item.document() for item in self.violations],
            "sometimes": dict(self.sometimes),
        }


def answer(
    found: Found,
    *,
    scenario: str,
    strategy: str,
    complete: bool,
    bound: str,
    ended: str,
    seconds: float,
    estimate_runs: int | None = None,
    timed: bool = True,
) -> Exploration:
    """What was found, with what is said of the search; arguments as the attributes of `Exploration`."""
    return Exploration(
        scenario=scenario,
        strategy=strategy,
        explored=found.runs,
        complete=complete,
        bound=bound,
        ended=ended,
        seconds=seconds,
        outcomes=found.sorted_outcomes(),
        violations=found.sorted_violations(),
        sometimes=found.sometimes,
        last_new=found.last_new,
        classes=None if found.classes is None else len(found.classes),
        estimate_runs=estimate_runs,
        timed=timed,
    )


def unseen(counts: list[int]) -> int:
    """Chao's estimate of how many classes a sample has missed, from how often each was seen."""
    once, twice = counts.count(1), counts.count(2)
    return round(once * (once - 1) / (2 * (twice + 1)))
