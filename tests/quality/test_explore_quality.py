"""Each strategy finds the poisoning of the report at its smallest, or is known not to.

Measured over seeds 0 to 999 of `issue-3515-small` (two builds): 114 runs poison under sticky (its switch probability is
0.2), 28 under random, 24 under pct of depth 3, 37 of depth 5, and none of depth 2 (it takes two changes at least).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.scenario_file import load_scenario
from tests.conftest import GROUND
from tests.support.exploring import explored

pytestmark = pytest.mark.slow


def small(strategy, depth=3):
    scenario = load_scenario("issue-3515-small")
    return replace(scenario, schedule=replace(scenario.schedule, strategy=strategy, depth=depth))


def first_poisoning(scenario, schedules):
    """The number of the first run that poisons, if there is one."""

    async def main():
        with Sandbox.create(GROUND) as sandbox:
            for seed in range(schedules):
                report = await orchestrator.run(scenario, seed, sandbox, Options(bare=True))
                if report.residue.poisoned:
                    return seed + 1
            return None

    return trio.run(main)


def outcomes(scenario, schedules):
    return {item.signature for item in explored(scenario, GROUND, schedules=schedules).outcomes}


# So many that none of them poisons with a probability below 1e-6, at the shares measured: 0.886 ** 115 and so on. The
# seeds are fixed, so what passes once passes again, until somebody changes a strategy, the scenario or the toolchain.
@pytest.mark.parametrize(
    ("strategy", "depth", "schedules"), [("sticky", 3, 115), ("random", 3, 490), ("pct", 3, 570), ("pct", 5, 370)]
)  # fmt: skip
def test_the_poisoning_is_found(strategy, depth, schedules):
    assert first_poisoning(small(strategy, depth), schedules) is not None


def test_a_sticky_walk_finds_more_than_the_others_and_all_that_they_find():
    # The last new one of a thousand comes in run 25; with random in run 848, with pct in run 538.
    by_sticky = outcomes(small("sticky"), 40)
    assert len(by_sticky) == 8
    for strategy in ("random", "pct"):
        assert outcomes(small(strategy), 200) < by_sticky
