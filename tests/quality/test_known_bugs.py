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

# Bug, sampler: hits, of so many seeds; then N, and the probability of a false alarm, in millionths. A sampler that had
# fewer than five hits (four, where a run takes a second) is not held to anything.
MEASURED = {
    "poisoning, 13 steps": {
        "random": (9, 600, 915, 0.99),
        "sticky 0.2": (71, 600, 110, 0.96),
        "sticky 0.05": (27, 600, 301, 0.96),
        "pct 3": (15, 600, 546, 0.99),
        "pct 5": (22, 600, 370, 0.99),
        "pct 8": (18, 600, 454, 0.99),
        "pos": (28, 600, 290, 0.96),
        "portfolio": (43, 600, 186, 0.98),
    },
    "poisoning, real calls": {
        "sticky 0.2": (5, 600, 1651, 1.0),
        "sticky 0.05": (8, 600, 1030, 0.99),
        "pos": (9, 600, 915, 0.99),
        "portfolio": (9, 600, 915, 0.99),
    },
    "wheel that is not whole": {
        "sticky 0.2": (33, 600, 245, 0.96),
        "sticky 0.05": (26, 600, 312, 0.99),
        "pct 2": (10, 600, 823, 0.98),
        "pct 3": (16, 600, 512, 0.98),
        "pct 5": (18, 600, 454, 0.99),
        "pct 8": (19, 600, 430, 0.98),
        "pos": (27, 600, 301, 0.96),
        "portfolio": (22, 600, 370, 0.99),
    },
    "build hurt, entry-lock, no cache lock": {
        "random": (486, 600, 9, 0.32),
        "sticky 0.2": (483, 600, 9, 0.41),
        "sticky 0.05": (383, 600, 14, 0.66),
        "pct 2": (81, 600, 96, 0.9),
        "pct 3": (170, 600, 42, 0.84),
        "pct 5": (266, 600, 24, 0.78),
        "pct 8": (322, 600, 18, 0.97),
        "pos": (374, 600, 15, 0.44),
        "portfolio": (389, 600, 14, 0.44),
    },
    "build hurt, private, no cache lock": {
        "random": (599, 600, 3, 0.0),
        "sticky 0.2": (578, 600, 5, 0.07),
        "sticky 0.05": (472, 600, 9, 0.92),
        "pct 2": (104, 600, 73, 0.92),
        "pct 3": (246, 600, 27, 0.65),
        "pct 5": (378, 600, 14, 0.9),
        "pct 8": (446, 600, 11, 0.32),
        "pos": (510, 600, 8, 0.26),
        "portfolio": (503, 600, 8, 0.47),
    },
    "naive cleaner fails in the middle": {
        "random": (120, 600, 62, 0.98),
        "sticky 0.2": (180, 600, 39, 0.91),
        "sticky 0.05": (91, 600, 84, 1.0),
        "pct 2": (18, 600, 454, 0.99),
        "pct 3": (43, 600, 186, 0.98),
        "pct 5": (76, 600, 103, 0.87),
        "pct 8": (80, 600, 97, 0.94),
        "pos": (151, 600, 48, 0.9),
        "portfolio": (130, 600, 57, 0.9),
    },
    "deadlock of two locks": {
        "random": (324, 600, 18, 0.85),
        "sticky 0.2": (184, 600, 38, 0.9),
        "sticky 0.05": (37, 600, 218, 0.94),
        "pct 2": (81, 600, 96, 0.9),
        "pct 3": (120, 600, 62, 0.98),
        "pct 5": (146, 600, 50, 0.88),
        "pct 8": (170, 600, 42, 0.84),
        "pos": (155, 600, 47, 0.79),
        "portfolio": (159, 600, 45, 0.96),
    },
    "poisoning, eight installs": {
        "sticky 0.2": (8, 20, 28, 0.61),
        "pos": (4, 20, 62, 0.98),
    },
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
