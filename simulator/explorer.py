"""Exploration by sampling: many seeds of one scenario, and which kinds of outcome there are.

Each run is a seed, so each can be made again alone; of each outcome the run with the fewest switches is kept, the
easiest to read. What is drawn is up to the scenario's schedule, which must be one with which each seed is an
interleaving of its own.

Guarantees: the same scenario, seeds and number of runs find the same (only how many fit into the budget is up to the
machine); memory does not grow with the runs, only with the outcomes. Not guaranteed: that anything is found. A sampler
is never complete, and what it did not find may well be there. Costs: the runs, under the bare host.

The estimate of outcomes that are still to come is Chao's lower bound: of outcomes seen once (f1) and twice (f2), some
f1 (f1 - 1) / (2 (f2 + 1)) more are likely (A. Chao, "Nonparametric estimation of the number of classes in a
population", 1984, in its bias-corrected form). It is rough, and blind to what this sampler all but never makes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.errors import BadInputError, InterruptedRunError
from simulator.exploration.classes import trace_class
from simulator.orchestrator import Options, run
from simulator.signature import signature
from simulator.sometimes import counters, happened
from simulator.strategies import SEEDED
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.ground.sandbox import Sandbox
    from simulator.orchestrator import RealCleaning
    from simulator.outcome import RunReport, Violation
    from simulator.scenario import Scenario, Schedule

# What ended an exploration.
SCHEDULES, BUDGET, INTERRUPTED = "schedules", "budget", "interrupted"


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
    """One kind of result, and in how many runs it came."""

    signature: str
    count: int
    first: int
    shown: Shown

    def document(self) -> dict[str, object]:
        """As in the `explore` document."""
        return {"signature": self.signature, "count": self.count, "first": self.first, **self.shown.document()}


@dataclass(frozen=True, slots=True)
class Violated:
    """One kind of violation, and in how many runs it came; the sentence is of the run that shows it."""

    violation: Violation
    count: int
    shown: Shown

    def document(self) -> dict[str, object]:
        """As in the `explore` document."""
        return {**self.violation.document(), "count": self.count, **self.shown.document()}


@dataclass(frozen=True, slots=True)
class Exploration:
    """What many runs found.

    Attributes:
        scenario: its name.
        schedule: who moved when.
        first_seed: the others follow.
        wanted: how many runs it was to make.
        budget_seconds: in which time.
        explored: how many it made.
        ended: by what it ended: ``schedules``, ``budget`` or ``interrupted``.
        seconds: how long it took.
        outcomes: the most frequent first.
        violations: those that are not expected first, of these the most frequent.
        sometimes: in how many runs something worth knowing happened.
        last_new: the number of the run that found the last new outcome; 0 when there was none.
        classes: how many storms there were that differ in more than the order of independent steps; None when nobody
            counted.
    """

    scenario: str
    schedule: Schedule
    first_seed: int
    wanted: int
    budget_seconds: float
    explored: int
    ended: str
    seconds: float
    outcomes: tuple[Outcome, ...]
    violations: tuple[Violated, ...]
    sometimes: Mapping[str, int]
    last_new: int
    classes: int | None = None

    @property
    def as_expected(self) -> bool:
        """Whether the scenario expects every violation that came."""
        return all(item.violation.expected for item in self.violations)

    @property
    def estimate_unseen(self) -> int:
        """How many outcomes are still to come, roughly, and rather more (see above)."""
        return unseen([item.count for item in self.outcomes])

    @property
    def bound(self) -> str:
        """What was explored, and what ended it."""
        if not self.explored:
            seeds = "no seed"
        elif self.explored == 1:
            seeds = f"seed {self.first_seed}"
        else:
            seeds = f"seeds {self.first_seed} to {self.first_seed + self.explored - 1}"
        how = {
            SCHEDULES: f"ended after {counted(self.wanted, 'schedule')}, as asked",
            BUDGET: f"ended by the budget of {self.budget_seconds:g} s, before {counted(self.wanted, 'schedule')}",
            INTERRUPTED: f"interrupted before {counted(self.wanted, 'schedule')}",
        }
        return f"sampled by {told(self.schedule)}, {seeds}; {how[self.ended]}"

    def document(self) -> dict[str, object]:
        """The `cachestorm/explore/1` document, without its schema."""
        return {
            "scenario": self.scenario,
            "strategy": self.schedule.strategy,
            "explored": self.explored,
            # Of a sample nobody knows what is not in it.
            "complete": False,
            "bound": self.bound,
            "seconds": round(self.seconds, 3),
            "outcomes": [item.document() for item in self.outcomes],
            "last_new": self.last_new,
            "classes": self.classes,
            "estimate_unseen": self.estimate_unseen,
            "violations": [item.document() for item in self.violations],
            "sometimes": dict(self.sometimes),
        }


def told(schedule: Schedule) -> str:
    """A schedule with the parameters that count."""
    parameters = {
        "sticky": f" (switch probability {schedule.switch_probability:g}, start gap {schedule.start_gap})",
        "pct": f" (depth {schedule.depth})",
    }
    return schedule.strategy + parameters.get(schedule.strategy, "")


def unseen(counts: list[int]) -> int:
    """Chao's estimate of how many classes a sample has missed, from how often each was seen."""
    once, twice = counts.count(1), counts.count(2)
    return round(once * (once - 1) / (2 * (twice + 1)))


async def explore(
    scenario: Scenario,
    *,
    schedules: int,
    budget_seconds: float,
    sandbox: Sandbox,
    first_seed: int = 0,
    count_classes: bool = False,
    observer: Callable[[int, int, float], None] | None = None,
    interrupted: Callable[[], bool] = bool,
    real_cleaners: RealCleaning | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Exploration:
    """Make many runs; it waits for nothing but real cleaners.

    Args:
        scenario: what to run, and by which schedule.
        schedules: how many runs at most, at least 1.
        budget_seconds: after which no further one begins; one is made in any case.
        sandbox: where.
        first_seed: of the first run; the others follow.
        count_classes: whether storms are told apart by more than their outcome (`exploration.classes`); takes some 30
            us a step, about as long again as the run.
        observer: told after each run how many there were, with how many outcomes, in how many seconds.
        interrupted: asked before each step; true ends the exploration with what it has.
        real_cleaners: those of the scenario's cleaners that are real programs.
        clock: monotonic seconds.

    Raises:
        BadInputError: with this strategy all seeds are one schedule.
    """
    check_explorable(scenario.schedule.strategy)
    options = Options(interrupted=interrupted, bare=True, real_cleaners=real_cleaners)
    found = _Found(scenario, count_classes=count_classes)
    start = clock()
    ended = SCHEDULES
    for number in range(1, schedules + 1):
        if number > 1 and clock() - start >= budget_seconds:
            ended = BUDGET
            break
        try:
            report = await run(scenario, first_seed + number - 1, sandbox, options)
        except (KeyboardInterrupt, InterruptedRunError):
            ended = INTERRUPTED
            break
        found.add(report, number)
        if observer is not None:
            observer(number, len(found.outcomes), clock() - start)
    return Exploration(
        scenario=scenario.name,
        schedule=scenario.schedule,
        first_seed=first_seed,
        wanted=schedules,
        budget_seconds=budget_seconds,
        explored=found.runs,
        ended=ended,
        seconds=clock() - start,
        outcomes=tuple(sorted(found.outcomes.values(), key=lambda item: (-item.count, item.first))),
        violations=tuple(
            sorted(found.violations.values(), key=lambda item: (item.violation.expected, -item.count, item.violation))
        ),
        sometimes=found.sometimes,
        last_new=found.last_new,
        classes=None if found.classes is None else len(found.classes),
    )


def check_explorable(strategy: str) -> None:
    """Refuse a strategy with which all seeds are one schedule.

    Raises:
        BadInputError: It is one.
    """
    if strategy not in SEEDED:
        raise BadInputError(
            "bad-strategy",
            strategy,
            f"strategy '{strategy}' makes one schedule only, whatever the seed: there is nothing to explore; choose one"
            f" of {', '.join(SEEDED)}",
        )


class _Found:
    """What was found so far."""

    def __init__(self, scenario: Scenario, *, count_classes: bool) -> None:
        self.classes: set[str] | None = set() if count_classes else None
        self.runs = 0
        self.last_new = 0
        self.outcomes: dict[str, Outcome] = {}
        self.violations: dict[tuple[str, bool], Violated] = {}
        self.sometimes = dict.fromkeys(counters(scenario), 0)

    def add(self, report: RunReport, number: int) -> None:
        """Count one run."""
        self.runs = number
        if self.classes is not None:
            self.classes.add(trace_class(report.rounds[0][: report.storm_steps]))
        shown = Shown(report.token or "", report.seed, number, report.switches or 0, report.steps or 0)
        kind = signature(report)
        known = self.outcomes.get(kind)
        if known is None:
            self.last_new = number
            known = Outcome(kind, 0, number, shown)
        self.outcomes[kind] = replace(known, count=known.count + 1, shown=_shorter(known.shown, shown))
        # One run may show a kind several times; it counts once.
        for violation in {(item.signature, item.expected): item for item in reversed(report.violations)}.values():
            key = (violation.signature, violation.expected)
            seen = self.violations.get(key, Violated(violation, 0, shown))
            best = _shorter(seen.shown, shown)
            told_by = violation if best is shown else seen.violation
            self.violations[key] = Violated(told_by, seen.count + 1, best)
        for name in happened(report) & self.sometimes.keys():
            self.sometimes[name] += 1


def _shorter(one: Shown, other: Shown) -> Shown:
    return min(one, other, key=lambda shown: (shown.switches, shown.steps, shown.run))
