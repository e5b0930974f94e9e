"""How the cost of a seed grows with the builds: `issue-3515`, both its rounds, under each host."""

from __future__ import annotations

from dataclasses import replace

import trio
from rich.table import Table

from benchmarks.measure import Spent, median
from simulator.ground.sandbox import Sandbox
from simulator.running.orchestrator import Options
from simulator.running.orchestrator import run as run_once
from simulator.scenario_file import load_scenario

COUNTS = (2, 4, 8, 16, 32, 64)
HOSTS = {"bare": True, "trio": False}


async def measure(ground, rounds, counts):
    """Returns seconds and steps by builds and host."""
    scenario = load_scenario("issue-3515")
    spent_for = {(count, host): [] for count in counts for host in HOSTS}
    steps = dict.fromkeys(counts, 0)
    with Sandbox.create(ground) as sandbox:
        for seed in range(rounds):
            for (count, host), spents in spent_for.items():
                # Faults of builds that are not there would be refused by the command line.
                faults = tuple(fault for fault in scenario.faults if int(fault.actor.partition("-")[2]) <= count)
                resized = replace(scenario, builds=count, faults=faults)
                with Spent() as spent:
                    report = await run_once(resized, seed, sandbox, Options(bare=HOSTS[host]))
                spents.append(spent)
                steps[count] += report.steps / rounds / len(HOSTS)
    return spent_for, steps


def run(console, ground, rounds, counts=COUNTS):
    """Print the table."""
    spent_for, steps = trio.run(measure, ground, rounds, counts)
    table = Table(
        "builds",
        "steps",
        "seconds a seed, bare",
        "trio",
        "user+sys, bare",
        "trio",
        title="issue-3515, two rounds a seed",
    )
    for count in counts:
        walls = [f"{median(spent_for[count, host]):.2f}" for host in HOSTS]
        used = [f"{median(spent_for[count, host], 'cpu'):.2f}" for host in HOSTS]
        table.add_row(str(count), f"{steps[count]:,.0f}", *walls, *used)
    console.print(table)
