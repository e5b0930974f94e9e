"""DPOR finds what exhaustive search finds: the same outcomes, the same classes of runs, in fewer runs.

Programs are drawn from a seeded generator. `CACHESTORM_SCOPES=2000` compares as many; a failure names its seed.
"""

from __future__ import annotations

import os
import sys

import pytest

from simulator.search.dpor import Dpor
from simulator.search.exhaustive import Exhaustive
from tests.support.programs import draw_program, search

pytestmark = pytest.mark.slow

SCOPES = int(os.environ.get("CACHESTORM_SCOPES", "60"))
FIRST = int(os.environ.get("CACHESTORM_FIRST_SCOPE", "0"))
INTERLEAVINGS_MAX = 2000


def test_dpor_finds_what_exhaustive_search_finds(tmp_path):
    runs = classes = interleavings = pruned = 0
    for seed in range(FIRST, FIRST + SCOPES):
        program = draw_program(seed)
        every = search(program, Exhaustive, str(tmp_path / "top"), INTERLEAVINGS_MAX)
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
