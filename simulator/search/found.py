"""What many trials found: kinds of outcomes and of violations, and of each the run that shows it best.

Guarantees: memory grows with the outcomes, not with the runs; the same trials in the same order give the same. Costs:
next to nothing, or some 30 us a step where classes are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.exploration.classes import trace_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.running.outcome import Violation
    from simulator.search.subject import Subject, Trial

    # Told after each run what was found so far, in how many seconds, and how many runs are left, at most or roughly;
    # None where nobody knows.
    Observer = Callable[["Found", float, int | None], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """The run that shows something: of all that do, one with the fewest switches, of these one with the fewest steps.

    Attributes:
        token: of it.
        seed: likewise.
        run: its number, from 1.
        switches, steps: how short it is.
    """

    token: str
    seed: int
    run: int
    switches: int
    steps: int

    def document(self) -> dict[str, object]:
        """As in the `explore` document."""
        return {
            "token": self.token,
            "seed": self.seed,
            "run": self.run,
            "switches": self.switches,
            "steps": self.steps,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of result, and in how many runs it came.

    Attributes:
        signature: its name.
        count: of the runs.
        first: number of the first of them, from 1.
        violates: whether an oracle had something to say, expected or not.
        shown: the run that shows it.
    """

    signature: str
    count: int
    first: int
    violates: bool
    shown: Shown

    def document(self) -> dict[str, object]:
        """As in the `explore` document."""
        return {
            "signature": self.signature,
            "count": self.count,
            "first": self.first,
            "violates": self.violates,
            **self.shown.document(),
        }


@dataclass(frozen=True, slots=True)
class Violated:
    """One kind of violation, and in how many runs it came; the sentence is of the run that shows it."""

    violation: Violation
    count: int
    shown: Shown

    def document(self) -> dict[str, object]:
        """As in the `explore` document."""
        return {**self.violation.document(), "count": self.count, **self.shown.document()}


class Found:
    """What was found so far.

    Args:
        subject: what is explored.
        count_classes: whether storms are told apart by more than their outcome.

    Attributes:
        runs: how many trials were added.
        last_new: the number of the one that had the last new outcome; 0 when there was none.
        outcomes: by their signature.
        violations: by their signature, and whether they were expected.
        sometimes: in how many runs each of the subject's counters was met.
        classes: of storms; None when nobody counts.
    """

    def __init__(self, subject: Subject, *, count_classes: bool = False) -> None:
        self.classes: set[str] | None = set() if count_classes else None
        self.runs = 0
        self.last_new = 0
        self.outcomes: dict[str, Outcome] = {}
        self.violations: dict[tuple[str, bool], Violated] = {}
        self.sometimes = dict.fromkeys(subject.counters, 0)

    def add(self, trial: Trial, storm_class: str | None = None) -> bool:
        """Count one run; whether its outcome is new.

        Args:
            trial: the run.
            storm_class: of its storm, where somebody knows it already.
        """
        self.runs += 1
        if self.classes is not None:
            self.classes.add(storm_class or trace_class(trial.storm))
        known = self.outcomes.get(trial.signature)
        self.outcomes[trial.signature] = Outcome(
            trial.signature,
            known.count + 1 if known else 1,
            known.first if known else self.runs,
            bool(trial.violations) or (known is not None and known.violates),
            self._shown(trial, known.shown if known else None),
        )
        if known is None:
            self.last_new = self.runs
        # One run may show a kind several times; it counts once.
        for violation in {(item.signature, item.expected): item for item in reversed(trial.violations)}.values():
            self._add_violation(trial, violation)
        for name in trial.happened & self.sometimes.keys():
            self.sometimes[name] += 1
        return known is None

    def _add_violation(self, trial: Trial, violation: Violation) -> None:
        key = (violation.signature, violation.expected)
        seen = self.violations.get(key)
        best = self._shown(trial, seen.shown if seen else None)
        told_by = seen.violation if seen is not None and best is seen.shown else violation
        self.violations[key] = Violated(told_by, seen.count + 1 if seen else 1, best)

    def _shown(self, trial: Trial, best: Shown | None) -> Shown:
        """The run that shows it from now on; a token is made only for one that does."""
        if best is not None and (best.switches, best.steps) <= (trial.switches, trial.steps):
            return best
        return Shown(trial.token, trial.seed, self.runs, trial.switches, trial.steps)

    def sorted_outcomes(self) -> tuple[Outcome, ...]:
        """The most frequent first."""
        return tuple(sorted(self.outcomes.values(), key=lambda item: (-item.count, item.first)))

    def sorted_violations(self) -> tuple[Violated, ...]:
        """Those that are not expected first, of these the most frequent."""
        return tuple(
            sorted(self.violations.values(), key=lambda item: (item.violation.expected, -item.count, item.violation))
        )
