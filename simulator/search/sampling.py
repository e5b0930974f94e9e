"""Exploration by sampling: many seeds of one subject, and which kinds of outcome there are.

Each run is a seed, so each can be made again alone; of each outcome the run with the fewest switches is kept, the
easiest to read. What is drawn is up to the subject's schedule, which must be one with which each seed is an
interleaving of its own. With `portfolio`, some seeds make way for mutants of schedules that gave something new
(`simulator.search.sources`).

Guarantees: the same subject, seeds and number of runs find the same (only how many fit into the budget is up to the
machine); memory does not grow with the runs, only with the outcomes. Not guaranteed: that anything is found. A sampler
is never complete, and what it did not find may well be there. Costs: the runs, under the bare host.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from simulator.errors import BadInputError, InterruptedRunError
from simulator.search.found import Found
from simulator.search.repeats import check_repeats
from simulator.search.result import BUDGET, INTERRUPTED, SCHEDULES, answer
from simulator.search.sources import source_for
from simulator.strategies import SEEDED
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.scenario import Schedule
    from simulator.search.found import Observer
    from simulator.search.limits import Limits
    from simulator.search.result import Exploration
    from simulator.search.subject import Subject


async def sample(
    subject: Subject,
    schedule: Schedule,
    limits: Limits,
    *,
    first_seed: int = 0,
    count_classes: bool = False,
    observer: Observer | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Exploration:
    """Make many runs; it waits for nothing but real cleaners.

    Args:
        subject: what to run.
        schedule: by which it does.
        limits: how many.
        first_seed: of the first run; the others follow.
        count_classes: whether storms are told apart by more than their outcome (`exploration.classes`); takes some 30
            us a step, about as long again as the run.
        observer: told after each run.
        clock: monotonic seconds.

    Raises:
        BadInputError: with this strategy all seeds are one schedule.
        NondeterminismError: the first run, made again, was another one.
    """
    check_explorable(schedule.strategy)
    found = Found(subject, count_classes=count_classes)
    source = source_for(schedule.strategy)
    start = clock()
    ended = SCHEDULES
    while found.runs < limits.schedules:
        if found.runs and clock() - start >= limits.budget_seconds:
            ended = BUDGET
            break
        try:
            plan = source.plan(first_seed + found.runs)
            trial = await subject.trial(plan.seed, strategy=plan.strategy)
            if not found.runs:
                await check_repeats(subject, trial)
        except (KeyboardInterrupt, InterruptedRunError):
            ended = INTERRUPTED
            break
        classes = len(found.classes or ())
        new_outcome = found.add(trial)
        source.learn(trial, new_outcome=new_outcome, new_class=len(found.classes or ()) > classes)
        if observer is not None:
            observer(found, clock() - start, limits.schedules - found.runs)
    return answer(
        found,
        scenario=subject.name,
        strategy=schedule.strategy,
        complete=False,
        bound=f"sampled by {told(schedule)}, {_seeds(first_seed, found.runs, source.mutants)};"
        f" {how_it_ended(ended, limits)}",
        ended=ended,
        seconds=clock() - start,
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


def told(schedule: Schedule) -> str:
    """A schedule with the parameters that count."""
    parameters = {
        "sticky": f" (switch probability {schedule.switch_probability:g}, start gap {schedule.start_gap})",
        "pct": f" (depth {schedule.depth})",
    }
    return schedule.strategy + parameters.get(schedule.strategy, "")


def how_it_ended(ended: str, limits: Limits) -> str:
    """The reason why there are no more runs."""
    wanted = counted(limits.schedules, "schedule")
    return {
        SCHEDULES: f"ended after {wanted}, as asked",
        BUDGET: f"ended by the budget of {limits.budget_seconds:g} s, before {wanted}",
        INTERRUPTED: f"interrupted before {wanted}",
    }[ended]


def _seeds(first: int, runs: int, mutants: int) -> str:
    if not runs:
        return "no seed"
    seeds = f"seed {first}" if runs == 1 else f"seeds {first} to {first + runs - 1}"
    return f"{seeds} ({counted(mutants, 'mutant')} in place of some)" if mutants else seeds
