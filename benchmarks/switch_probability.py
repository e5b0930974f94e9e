"""How often the scheduler should switch: what the storm does at several switch probabilities.

Prints the table of docs/decisions/0004-switch-probability.md. Nothing in it is a time: the same seeds give the same
table on every machine. Costs about a quarter of a second a run (100 seeds of both scenarios at six
probabilities: some ten minutes); `--seeds 0:10` for a quick look.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from simulator.actors.toolchains.base import ERROR_KINDS
from simulator.ground.confined import confine, require_permission_bits
from simulator.ground.sandbox import Sandbox, default_parent
from simulator.orchestrator import run
from simulator.outcome import OK
from simulator.scenario_file import load_scenario

if TYPE_CHECKING:
    from simulator.outcome import RunReport

SCENARIOS = ("issue-3515", "issue-3515-loop")
PROBABILITIES = (0.05, 0.03, 0.02, 0.015, 0.01, 0.005)
HEADER = (
    "| scenario | p | seeds that poison | builds not ok | median switches | every build interrupted | kinds, of 10 |",
    "|---|---|---|---|---|---|---|",
)


async def storms(name: str, probability: float, seeds: range, sandbox: Sandbox) -> list[RunReport]:
    """One report a seed, without its steps; one cleaner, so one round."""
    scenario = load_scenario(name)
    schedule = replace(scenario.schedule, switch_probability=probability)
    scenario = replace(scenario, schedule=schedule, cleaners_after=("hardened",))
    return [replace(await run(scenario, seed, sandbox), rounds=()) for seed in seeds]


def row(name: str, probability: float, reports: list[RunReport]) -> str:
    """A line of the table."""
    builds = [build for report in reports for build in report.builds]
    kinds = Counter(build.failure.kind for build in builds if build.failure and build.failure.kind in ERROR_KINDS)
    poisoned = sum(bool(report.residue.poisoned) for report in reports)
    broken = sum(build.outcome != OK for build in builds)
    switches = statistics.median(report.switches or 0 for report in reports)
    interrupted = sum(all(build.interruptions for build in report.builds) for report in reports)
    missing = ", ".join(sorted(set(ERROR_KINDS) - set(kinds)))
    return (
        f"| {name} | {probability:g} | {poisoned / len(reports):.0%} | {broken} of {len(builds)}"
        f" ({broken / len(builds):.0%}) | {switches:.0f} | {interrupted / len(reports):.0%}"
        f" | {len(kinds)}{f' (not {missing})' if missing else ''} |"
    )


async def sweep(seeds: range, sandbox: Sandbox) -> None:
    """The whole table, a line as soon as it is known."""
    print(*HEADER, sep="\n")
    for name in SCENARIOS:
        for probability in PROBABILITIES:
            print(row(name, probability, await storms(name, probability, seeds, sandbox)), flush=True)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0:100", help="A:B, half-open (default 0:100)")
    first, end = map(int, parser.parse_args().seeds.split(":"))
    status = confine()
    if status is not None:
        return status
    parent = default_parent(os.environ)
    require_permission_bits(parent)
    with Sandbox.create(parent) as sandbox:
        trio.run(sweep, range(first, end), sandbox)
    return 0


if __name__ == "__main__":
    sys.exit(main())
