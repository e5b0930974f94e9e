"""How many schedules a second: `issue-3515-small`, storm, residue, oracles and cleaner, one sandbox for all of them."""

from __future__ import annotations

import trio
from rich.table import Table

from benchmarks.measure import Spent, median
from simulator.ground.sandbox import Sandbox
from simulator.running.orchestrator import Options
from simulator.running.orchestrator import run as run_once
from simulator.scenario_file import load_scenario

SCHEDULES = 100


async def measure(ground, rounds, schedules):
    """Returns seconds by host, how many runs poisoned, and steps of all runs of one host."""
    scenario = load_scenario("issue-3515-small")
    spent_for = {"bare host": [], "trio host": []}
    poisoned, steps = 0, 0
    with Sandbox.create(ground) as sandbox:
        for number in range(rounds):
            for host, spents in spent_for.items():
                options = Options(bare=host == "bare host")
                with Spent() as spent:
                    for seed in range(number * schedules, (number + 1) * schedules):
                        report = await run_once(scenario, seed, sandbox, options)
                        if options.bare:
                            poisoned += bool(report.residue.poisoned)
                            steps += report.steps
                spents.append(spent)
    return spent_for, poisoned, steps


def run(console, ground, rounds, schedules=SCHEDULES):
    """Print the table."""
    spent_for, poisoned, steps = trio.run(measure, ground, rounds, schedules)
    runs = rounds * schedules
    table = Table(
        "host",
        "schedules a second",
        "per second of user+sys",
        title=f"issue-3515-small: {steps / runs:.0f} steps a run, {poisoned} of {runs} poison",
    )
    for host, spent in spent_for.items():
        table.add_row(host, f"{schedules / median(spent):.0f}", f"{schedules / median(spent, 'cpu'):.0f}")
    console.print(table)
