"""What scheduling costs: whole installs behind the gate, and the very same installs straight on the kernel.

Four installs of the loop's package, each into a cache of its own, so that every interleaving makes the same calls in
the same number as one install after another does. The base is the installs with the real kernel, one after another:
their calls and the Python that decides on them, and nothing of ours. What the gate adds is everything else: waiting,
choosing, switching, naming, recording. Bars: 1.15 (bare host), 1.9 (trio host).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import trio
from rich.table import Table

from benchmarks.measure import Spent, median, ratios
from cache_core.kernel import REAL
from simulator.actors.install import InstallJob, install
from simulator.actors.toolchains import TOOLCHAINS
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.ground.sandbox import Sandbox
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.scenario_file import load_scenario
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.sticky import SWITCH_PROBABILITY, Sticky

INSTALLS = 4
ONE_AFTER_ANOTHER = 10**9


class AskedAtEachStep(Sticky):
    """The same walk by a strategy that, like a search, looks at every step."""

    quiet_steps = None


@dataclass
class Way:
    """One row: a host, and what decides."""

    title: str
    host: type
    strategy: object


WAYS = (
    Way("bare host", BareHost, Sticky),
    Way("bare host, no switch", BareHost, lambda: RoundRobin(ONE_AFTER_ANOTHER)),
    Way("bare host, a choice at each step", BareHost, AskedAtEachStep),
    Way("trio host", TrioHost, Sticky),
)


def job(root, name):
    scenario = load_scenario("issue-3515-loop")
    return InstallJob(
        cache=f"{root}/cache/{name}",
        environment=f"{root}/environments/{name}",
        packages=scenario.packages,
        protocol=scenario.protocol,
        toolchain=TOOLCHAINS[scenario.toolchain],
        identity=name,
    )


def nobody_wants_to_know(phase):
    del phase


def straight(jobs):
    for one in jobs:
        install(REAL, one, nobody_wants_to_know)


async def gated(way, root, jobs, seed):
    """Returns how many steps it took."""
    actors = [Actor(one.identity, index) for index, one in enumerate(jobs)]
    steps = []
    strategy = way.strategy()
    strategy.begin(actors, steps, Randomness(seed, "schedule"))

    def function(actor, one):
        def enter_phase(phase):
            actor.phase = phase

        return lambda kernel: install(kernel, one, enter_phase)

    parties = [Party(actor, function(actor, one)) for actor, one in zip(actors, jobs, strict=True)]
    await way.host(Gate(strategy, actors, steps), Paths(root, "cache"), LogicalTimes()).run(parties)
    assert all(party.ended and party.error is None for party in parties)
    return len(steps)


async def measure(ground, rounds):
    """Returns the seconds of each way, and how many steps one takes; the base is under None."""
    spent_for = {None: [], **{way.title: [] for way in WAYS}}
    steps = 0
    with Sandbox.create(ground) as sandbox:
        for number in range(rounds):
            for way in (None, *WAYS):
                root = sandbox.fresh()
                for place in ("cache", "environments"):
                    os.mkdir(f"{root}/{place}")
                jobs = [job(root, f"build-{install}") for install in range(1, INSTALLS + 1)]
                for one in jobs:
                    os.mkdir(one.environment)
                with Spent() as spent:
                    if way is None:
                        straight(jobs)
                    else:
                        steps = await gated(way, root, jobs, number)
                spent_for[None if way is None else way.title].append(spent)
        sandbox.clear()
    return spent_for, steps


def run(console, ground, rounds):
    """Print the table."""
    spent_for, steps = trio.run(measure, ground, rounds)
    base = spent_for[None]
    table = Table(
        "the calls of four installs",
        "wall, ratio",
        "user+sys, ratio",
        "us a step",
        title=f"the gate: {steps} steps, a switch in {1 / SWITCH_PROBABILITY:.0f}",
    )
    for title, spent in spent_for.items():
        wall, cpu = ratios(spent, base)
        table.add_row(
            title or "straight on the kernel", f"{wall:.2f}", f"{cpu:.2f}", f"{median(spent, 'cpu') / steps * 1e6:.1f}"
        )
    console.print(table)
