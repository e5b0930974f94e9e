"""Bugs that are known to be there, each with what shows it; for samplers to be measured by, and held to.

`benchmarks/samplers.py` measures how often each sampler meets each; `tests/quality/test_known_bugs.py` expects that it
still does.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.ground.stage import CACHE, Stage
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from simulator.running.orchestrator import Options, run
from simulator.scenario_file import load_scenario
from simulator.strategies.pct import Pct
from simulator.strategies.portfolio import Portfolio
from simulator.strategies.pos import Pos
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.staggered import Staggered
from simulator.strategies.sticky import Sticky

if TYPE_CHECKING:
    from collections.abc import Callable

# By the name in tables; each is made from the scenario's mean number of steps between two arrivals.
SAMPLERS = {
    "random": lambda gap: RandomWalk(),  # noqa: ARG005 - nothing arrives later
    "sticky 0.2": lambda gap: Staggered(Sticky(0.2), gap),
    "sticky 0.05": lambda gap: Staggered(Sticky(0.05), gap),
    "pct 2": lambda gap: Pct(2),  # noqa: ARG005 - likewise
    "pct 3": lambda gap: Pct(3),  # noqa: ARG005
    "pct 5": lambda gap: Pct(5),  # noqa: ARG005
    "pct 8": lambda gap: Pct(8),  # noqa: ARG005
    "pos": lambda gap: Pos(),  # noqa: ARG005
    "portfolio": Portfolio,
}


@dataclass(frozen=True, slots=True)
class Bug:
    """One.

    Attributes:
        name: of it.
        shows: takes a sampler's name, a seed and a sandbox, makes one run, and says whether the bug showed (awaited).
    """

    name: str
    shows: Callable


def in_scenario(name, scenario, seen):
    """A bug that runs of a scenario show; what comes after the storm matters to none."""
    scenario = replace(scenario, cleaners_after=())

    async def shows(sampler, seed, sandbox):
        strategy = SAMPLERS[sampler](scenario.schedule.start_gap)
        report = await run(scenario, seed, sandbox, Options(bare=True, token=False), strategy)
        return seen(report)

    return Bug(name, shows)


def poisons(report):
    return bool(report.residue.poisoned)


def violates(oracle):
    return lambda report: any(item.oracle == oracle for item in report.violations)


def live(protocol):
    scenario = load_scenario("issue-3515-live")
    return replace(scenario, protocol=protocol, cache_lock=False)


# Two actors, two locks, taken in the two orders, in the middle of other work.


def _taker(cache, name, first, second):
    def take(kernel):
        kernel.mkdir(f"{cache}/{name}")
        held = []
        for lock in (first, second):
            fd = kernel.open(f"{cache}/{lock}", os.O_RDWR | os.O_CREAT)
            kernel.flock(fd, fcntl.LOCK_EX)
            held.append(fd)
        kernel.rmdir(f"{cache}/{name}")
        for fd in reversed(held):
            kernel.close(fd)

    return take


# Of the two, one after the other: what a rehearsal would say.
_STEPS_OF_TWO = 16


async def _deadlocks(sampler, seed, sandbox):
    stage = Stage(sandbox.fresh())
    stage.set([])
    strategy = SAMPLERS[sampler](0)
    if hasattr(strategy, "rehearsed"):
        strategy.rehearsed(_STEPS_OF_TWO)
    steps = []
    actors = [Actor(f"build-{number}", number - 1) for number in (1, 2)]
    work = [_taker(stage.cache, "one", "left", "right"), _taker(stage.cache, "two", "right", "left")]
    strategy.begin(actors, steps, Randomness(seed, "schedule"))
    gate = Gate(strategy, actors, steps)
    host = BareHost(gate, Paths(stage.root, CACHE), LogicalTimes())
    await host.run([Party(actor, function) for actor, function in zip(actors, work, strict=True)])
    sandbox.clear()
    return gate.deadlock is not None


def known_bugs():
    """All of them, by name."""
    bugs = (
        in_scenario("poisoning, 13 steps", load_scenario("issue-3515-small"), poisons),
        in_scenario("poisoning, real calls", load_scenario("issue-3515-real"), poisons),
        in_scenario("wheel that is not whole", load_scenario("issue-3515-real"), violates("wheel-whole")),
        in_scenario("build hurt, entry-lock, no cache lock", live("entry-lock"), violates("build-hurt")),
        in_scenario("build hurt, private, no cache lock", live("private"), violates("build-hurt")),
        in_scenario(
            "naive cleaner fails in the middle", load_scenario("issue-3515-live-naive"), violates("cleaner-failed")
        ),
        Bug("deadlock of two locks", _deadlocks),
        in_scenario("poisoning, eight installs", load_scenario("issue-3515-loop"), poisons),
    )
    return {bug.name: bug for bug in bugs}
