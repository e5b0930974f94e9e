"""DPOR finds what exhaustive search finds: the same outcomes, the same classes of runs, in fewer runs.

Programs are drawn from a seeded generator; a failure names its seed. `CACHESTORM_SCOPES=2000` compares as many, and
`CACHESTORM_INTERLEAVINGS=100000` draws from all sizes with at most so many interleavings (2,000 otherwise): a night's
work.
"""

from __future__ import annotations

import os
import sys

import pytest

from simulator.exploration.keys import READ
from simulator.search.dpor import Dpor
from simulator.search.exhaustive import Exhaustive
from tests.support.programs import (
    draw_emptying_program,
    draw_locking_program,
    draw_program,
    draw_standing_program,
    search,
    sizes_up_to,
)

pytestmark = pytest.mark.slow

SCOPES = int(os.environ.get("CACHESTORM_SCOPES", "60"))
FIRST = int(os.environ.get("CACHESTORM_FIRST_SCOPE", "0"))
INTERLEAVINGS_MAX = int(os.environ.get("CACHESTORM_INTERLEAVINGS", "2000"))


def any_program(seed):
    return draw_program(seed, sizes_up_to(INTERLEAVINGS_MAX))


@pytest.mark.parametrize("draw", [any_program, draw_locking_program, draw_emptying_program, draw_standing_program])
def test_dpor_finds_what_exhaustive_search_finds(tmp_path, draw):
    runs = classes = interleavings = pruned = left_out = 0
    for seed in range(FIRST, FIRST + SCOPES):
        program = draw(seed)
        every = search(program, Exhaustive, str(tmp_path / "top"), INTERLEAVINGS_MAX)
        if draw is draw_standing_program and not every.complete:
            # What it closes at the end, nobody knows before.
            left_out += 1
            continue
        assert every.complete
        found = search(program, Dpor, str(tmp_path / "top"), INTERLEAVINGS_MAX)
        told = f"seed {seed}: {len(every.classes)} classes in {every.runs}, found {len(found.classes)} in {found.runs}"
        assert found.complete, f"{told}\n{program.told()}"
        same = found.outcomes == every.outcomes and found.classes == every.classes
        assert same, f"{told}\n{program.told()}"
        runs, classes = runs + found.runs, classes + len(found.classes)
        interleavings, pruned = interleavings + every.runs, pruned + found.pruned
    # For `pytest -s`.
    sys.stdout.write(f"{interleavings} interleavings, {runs} runs ({pruned} cut short), {classes} classes\n")
    assert runs < interleavings
    assert left_out < SCOPES / 2


class Blind(Dpor):
    """A search by a relation that does not know that whoever resolves a path depends on modes along it."""

    def begin(self, actors, steps, randomness):
        going_on = super().begin(actors, steps, randomness)
        self.transitions = Unseeing(self.transitions)
        return going_on


class Unseeing:
    """Transitions without reads of modes."""

    def __init__(self, transitions):
        self._transitions = transitions
        self.made = []

    def __getattr__(self, name):
        return getattr(self._transitions, name)

    def catch_up(self):
        count = self._transitions.catch_up()
        for made in self._transitions.made[len(self.made) :]:
            seen = {key: kind for key, kind in made.footprint.items() if (key[0], kind) != ("mode", READ)}
            self.made.append(made._replace(footprint=seen))
        return count


def test_a_relation_without_reads_of_modes_is_caught(tmp_path):
    top = str(tmp_path / "top")
    for seed in range(FIRST, FIRST + 400):
        program = draw_program(seed, sizes=((2, 2), (3, 2), (3, 3)))
        if search(program, Blind, top, 500).outcomes != search(program, Exhaustive, top, 500).outcomes:
            return
    raise AssertionError("400 programs, and nothing was missed")
