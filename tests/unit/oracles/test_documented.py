"""The page about oracles has them all, and all that is counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from simulator.explaining.sometimes import counters
from simulator.oracles import CLEANER_ORACLES, ORACLES, STORM_ORACLES
from simulator.scenario_file import load_scenario

PAGE = (Path(__file__).parents[3] / "docs/reference/oracles.md").read_text()


def test_every_oracle_has_its_row_and_where_it_looks():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE, re.MULTILINE)
    assert {name for name, _ in rows} == set(ORACLES)
    for name, looks in rows:
        assert ("at the storm" in looks) == (name in STORM_ORACLES), name
        assert ("each cleaner after" in looks) == (name in CLEANER_ORACLES), name


def test_everything_that_is_counted_is_listed():
    counted = re.findall(r"^\| (a .*?) \| ?(.*?) ?\|$", PAGE, re.MULTILINE)
    full = replace(load_scenario("stress"), cleaners_during=("hardened",))
    assert [name for name, _ in counted] == list(counters(full))
    least = replace(full, protocol="shared", cache_lock=False, random_faults=(), cleaners_during=(), cleaners_after=())
    assert [name for name, needs in counted if not needs] == list(counters(least))
