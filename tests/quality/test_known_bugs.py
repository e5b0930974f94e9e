"""Each known bug is found by each strategy that finds it, within a stated number of schedules.

`python -m benchmarks samplers` measured in how many of so many seeds each bug shows under each sampler; the table below
has what it said. A bug that shows with probability p in a run is missed by N runs with probability (1 - p)^N; N is the
least for which that is below one in a million, so that is how often a test here would fail by chance alone, if its
seeds were drawn afresh (and if p is what was measured: of 10 hits, give or take 6). They are not: the seeds are 0 to
N - 1, and what passes once passes again, until somebody changes a strategy, a scenario or a toolchain. Then a failure
means that the bug has become rarer or is gone, or that the sampler got worse, all but surely.

The portfolio is without mutants here, so that each seed is a fresh draw.
"""

from __future__ import annotations

import pytest
import trio

from benchmarks.known_bugs import known_bugs
from benchmarks.samplers import FALSE_ALARM_MAX, enough
from simulator.ground.sandbox import Sandbox
from tests.conftest import GROUND

pytestmark = pytest.mark.slow

# Bug, sampler: hits, of so many seeds; then N, and the probability of a false alarm in a million.
MEASURED = {
}  # fmt: skip
CASES = [(bug, sampler, numbers) for bug, rows in MEASURED.items() for sampler, numbers in rows.items()]


def first_showing(bug, sampler, schedules):
    async def main():
        with Sandbox.create(GROUND) as sandbox:
            for seed in range(schedules):
                if await known_bugs()[bug].shows(sampler, seed, sandbox):
                    return seed + 1
            return None

    return trio.run(main)


@pytest.mark.parametrize(("bug", "sampler", "numbers"), CASES, ids=[f"{bug}-{sampler}" for bug, sampler, _ in CASES])
def test_it_is_found(bug, sampler, numbers):
    hits, of, schedules, alarm = numbers
    assert schedules == enough(hits, of)
    chance = (1 - hits / of) ** schedules
    assert chance <= FALSE_ALARM_MAX
    assert round(chance * 1e6, 2) == alarm
    assert first_showing(bug, sampler, schedules) is not None
