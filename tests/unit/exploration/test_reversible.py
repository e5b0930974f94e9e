"""Reversals: what could have come the other way round, held against real runs that come so."""

from __future__ import annotations

from itertools import combinations

import pytest
import trio

from simulator.explaining.swap import place_of
from simulator.exploration.classes import trace_class
from simulator.exploration.footprints import conflict, footprints
from simulator.exploration.reversible import PartialOrder, Reversal
from simulator.ground.sandbox import Sandbox
from simulator.scenario_file import load_scenario
from simulator.search.subject import ScenarioSubject
from simulator.shrink.follow import Follow
from simulator.shrink.plan import plan_of

pytestmark = pytest.mark.slow


def by_definition(steps, touched):
    """All pairs that conflict, with nothing between them that one leads to and that leads to the other."""
    count = len(steps)
    before = [[False] * count for _ in range(count)]
    for second in range(count):
        for first in range(second - 1, -1, -1):
            before[first][second] = (
                steps[first][0] == steps[second][0]
                or conflict(touched[first], touched[second])
                or any(before[first][middle] and before[middle][second] for middle in range(first + 1, second))
            )
    return {
        Reversal(first, second)
        for first, second in combinations(range(count), 2)
        if steps[first][0] != steps[second][0]
        and conflict(touched[first], touched[second])
        and not any(before[first][middle] and before[middle][second] for middle in range(first + 1, second))
    }


def test_reversals_are_those_of_the_definition_and_real_runs_come_the_other_way_round(ground):
    async def main():
        with Sandbox.create(ground) as sandbox:
            subject = ScenarioSubject(load_scenario("issue-3515-small"), sandbox)
            start = await subject.start()
            tried = came = 0
            for seed in range(8):
                steps = (await subject.trial(seed)).storm
                order = PartialOrder(steps, start)
                found = order.reversals()
                assert len(found) == len(set(found))
                assert set(found) == by_definition(steps, footprints(steps, start))
                for pair in found:
                    same = await subject.trial(seed, strategy=Follow(plan_of(steps, order.adjacent(pair))))
                    assert trace_class(same.storm, start) == trace_class(steps, start)
                    other = await subject.trial(seed, strategy=Follow(plan_of(steps, order.swapped(pair))))
                    places = [place_of(other.storm, steps, place) for place in pair]
                    tried += 1
                    came += places[1] is not None and (places[0] is None or places[1] < places[0])
            return tried, came

    tried, came = trio.run(main)
    # All of them: nobody holds a lock here.
    assert came == tried > 40
