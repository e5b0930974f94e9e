"""What each sampler finds: outcomes in a thousand runs, runs until the first poisoning, how often a known bug shows.

Schedules per second are of CPU time, so of one core, with everything that a run does but the cleaner after the storm.
The counts are those of the seeds, the same on every machine; the rates are this one's.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace

import trio

from benchmarks.cleaner.tables import Grid, write
from benchmarks.known_bugs import SAMPLERS, known_bugs, poisons
from simulator.explaining.sometimes import POISONED
from simulator.ground.sandbox import Sandbox
from simulator.scenario_file import load_scenario
from simulator.search.limits import Limits
from simulator.search.sampling import sample
from simulator.search.sources import source_for
from simulator.search.subject import ScenarioSubject

SCHEDULES = 1000
SCOPES = ("issue-3515-small", "issue-3515-real", "issue-3515-live")
# The storm: a block of seeds each, until the first that poisons.
STORM, STORM_BUILDS = "issue-3515-real", (2, 8)
BLOCKS, BLOCK_SEEDS = 9, 200
BUG_SEEDS = 600
# A run of eight whole installs takes a second.
SLOW_BUGS = {"poisoning, eight installs": 20}
FALSE_ALARM_MAX = 1e-6


class _Sampled(ScenarioSubject):
    """A scenario whose runs without a strategy of their own are made by one of the samplers."""

    def __init__(self, scenario, sandbox, sampler):
        super().__init__(replace(scenario, cleaners_after=()), sandbox)
        self._sampler = sampler

    async def trial(self, seed, *, strategy=None, kills=()):
        strategy = strategy or SAMPLERS[self._sampler](self.scenario.schedule.start_gap)
        return await super().trial(seed, strategy=strategy, kills=kills)


async def _explored(scenario, sandbox, sampler, schedules):
    """What a sampler finds, with the CPU seconds that it took."""
    schedule = scenario.schedule.under(sampler if sampler == "portfolio" else "random")
    before = time.process_time()
    subject = _Sampled(scenario, sandbox, sampler)
    found = await sample(subject, schedule, Limits(schedules, math.inf))
    return found, time.process_time() - before


async def outcomes(sandbox, scope, schedules):
    """A row a sampler."""
    grid = Grid(
        f"{scope}, {schedules:,} runs",
        ("", "outcomes", "the last new one in run", "runs that poison", "schedules / s / core"),
        [],
    )
    for sampler in SAMPLERS:
        found, seconds = await _explored(load_scenario(scope), sandbox, sampler, schedules)
        rate = f"{schedules / seconds:,.0f}"
        row = (sampler, str(len(found.outcomes)), str(found.last_new), str(found.sometimes[POISONED]), rate)
        grid.rows.append(row)
    return grid


async def first_poisonings(sandbox, blocks, seeds):
    """Runs until the first poisoning: the median over blocks of seeds."""
    grid = Grid(
        f"{STORM}: runs until the first poisoning, median of {blocks} times (up to {seeds})",
        ("", *(f"{builds} builds" for builds in STORM_BUILDS)),
        [],
    )
    for sampler in SAMPLERS:
        told = []
        for builds in STORM_BUILDS:
            scenario = replace(load_scenario(STORM), builds=builds, cleaners_after=())
            needed = [await _first(sandbox, scenario, sampler, block * seeds, seeds) for block in range(blocks)]
            middle = statistics.median(needed)
            told.append(f"more than {seeds}" if math.isinf(middle) else f"{middle:g}")
        grid.rows.append((sampler, *told))
    return grid


async def _first(sandbox, scenario, sampler, first_seed, seeds):
    """How many runs until one poisons; infinity if none does. Mutants as an exploration makes them."""
    source, seen = source_for(sampler), set()
    subject = _Sampled(scenario, sandbox, sampler)
    for number in range(seeds):
        plan = source.plan(first_seed + number)
        trial = await subject.trial(plan.seed, strategy=plan.strategy)
        if poisons(trial.report):
            return number + 1
        source.learn(trial, new_outcome=trial.signature not in seen, new_class=False)
        seen.add(trial.signature)
    return math.inf


async def bugs(sandbox, seeds):
    """In how many runs each known bug shows, and how many runs are enough to see it for sure."""
    title = "runs that show a bug; after the colon, so many runs miss it but once in a million times"
    grid = Grid(title, ("", *SAMPLERS), [])
    for name, bug in known_bugs().items():
        count = min(seeds, SLOW_BUGS.get(name, seeds))
        cells = []
        for sampler in SAMPLERS:
            hits = 0
            for seed in range(count):
                hits += await bug.shows(sampler, seed, sandbox)
            cells.append(f"{hits} of {count:,}" + (f": {enough(hits, count)}" if hits else ""))
        grid.rows.append((name, *cells))
    return grid


def enough(hits, of):
    """So many runs miss a bug that shows in `hits` of `of` with a probability of at most `FALSE_ALARM_MAX`."""
    return 1 if hits == of else math.ceil(math.log(FALSE_ALARM_MAX) / math.log1p(-hits / of))


def run(console, ground, rounds, *, schedules=SCHEDULES, blocks=BLOCKS, seeds=BUG_SEEDS, markdown=None):
    """Print the tables; `rounds` is not asked: seeds need no repetition."""
    del rounds

    async def main():
        with Sandbox.create(ground) as sandbox:
            grids = [await outcomes(sandbox, scope, schedules) for scope in SCOPES]
            grids.append(await first_poisonings(sandbox, blocks, min(BLOCK_SEEDS, schedules)))
            grids.append(await bugs(sandbox, seeds))
            return grids

    grids = trio.run(main)
    for grid in grids:
        console.print(grid.printed())
    if markdown is not None:
        write(markdown, [grid.markdown() for grid in grids], "samplers")
