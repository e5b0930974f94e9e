"""What shrinking makes of failing storms: of random seeds of `issue-3515`, the medians before and after.

Twice: keeping that some directory is poisoned, and keeping which one is. Without a time box, so that a loaded machine
counts the same; the milliseconds say what the box of 5 s would have allowed. `--rounds N` takes N failing seeds.
"""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import trio
from rich.table import Table

from simulator.explaining.swap import Explanation, explain_by_swap
from simulator.ground.sandbox import Sandbox
from simulator.scenario_file import load_scenario
from simulator.search.subject import ScenarioSubject
from simulator.shrink.budget import BUDGET_SECONDS, REPLAYS, Limits
from simulator.shrink.keep import Poisoned, poisoned_in
from simulator.shrink.shrinking import Shrunk, shrink

SCENARIO = "issue-3515"
NO_TIME_BOX = Limits(REPLAYS, 1e9)


# The heading of a row, and what it is of one result.
class Result(NamedTuple):
    """Of one failing run."""

    told: Shrunk
    why: Explanation


ROWS = {
    "segments before": lambda one: one.told.before.turns,
    "segments after": lambda one: one.told.after.turns,
    "segments in the token": lambda one: one.told.segments.count(",") + 1 - one.told.segments.endswith(",-"),
    "events before": lambda one: one.told.before.steps,
    "events after": lambda one: one.told.after.steps,
    "actors before": lambda one: one.told.before.actors,
    "actors after": lambda one: one.told.after.actors,
    "injected before": lambda one: one.told.before.injected,
    "injected after": lambda one: one.told.after.injected,
    "replays": lambda one: one.told.replays,
    "ms": lambda one: 1000 * one.told.seconds,
    "characters of the schedule": lambda one: len(one.told.segments),
    "characters of the token": lambda one: len(one.told.trial.token),
    "replays to explain": lambda one: one.why.replays,
    "pairs to swap": lambda one: len(one.why.swaps),
}


async def failing_runs(subject, count):
    """The first seeds whose run leaves a poisoned directory."""
    runs, seed = [], 0
    while len(runs) < count:
        trial = await subject.trial(seed)
        if poisoned_in(trial):
            runs.append(trial)
        seed += 1
    return runs


async def shrunk(ground, count):
    """For either kind of failure, each run shrunk and explained."""
    found = {"any poison": [], "the same directory": []}
    with Sandbox.create(ground) as sandbox:
        subject = ScenarioSubject(load_scenario(SCENARIO), sandbox)
        quick = subject.storm_alone()
        for trial in await failing_runs(quick, count):
            for name, keep in zip(found, (Poisoned(), Poisoned(poisoned_in(trial)[0])), strict=True):
                told = await shrink(subject, trial, keep=keep, quick=quick, limits=NO_TIME_BOX)
                assert keep(told.trial)
                why = await explain_by_swap(subject, told.trial, keep=keep, quick=quick, limits=NO_TIME_BOX)
                found[name].append(Result(told, why))
    return found


def run(console, ground, rounds):
    """Print the table."""
    start = time.perf_counter()
    found = trio.run(shrunk, ground, rounds)
    seconds = time.perf_counter() - start
    title = f"{rounds} failing seeds of {SCENARIO}, at most {REPLAYS} replays each ({seconds:.0f} s in all)"
    table = Table("median (least to most)", *found, title=title)
    for heading, value in ROWS.items():
        cells = [[value(one) for one in results] for results in found.values()]
        table.add_row(
            heading, *(f"{statistics.median(cell):,.0f} ({min(cell):,.0f} to {max(cell):,.0f})" for cell in cells)
        )
    over = [sum(one.told.seconds > BUDGET_SECONDS for one in results) for results in found.values()]
    table.add_row(f"longer than {BUDGET_SECONDS:g} s", *(f"{number} of {rounds}" for number in over))
    complete = [sum(one.told.complete for one in results) for results in found.values()]
    table.add_row("nothing left to try", *(f"{number} of {rounds}" for number in complete))
    console.print(table)
