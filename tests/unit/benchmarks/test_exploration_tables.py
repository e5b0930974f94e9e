"""The tables of protocols in the docs are those of the measurement, and the measurement has every row."""

import runpy
from itertools import product
from pathlib import Path

import pytest

from cache_core.protocols import PROTOCOLS

BENCHMARK = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks/exploration.py"), run_name="exploration")
PAGES = BENCHMARK["PAGES"]
ROWS = BENCHMARK["load"]()["rows"]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_page_shows_what_was_measured(page):
    text = page.read_text("utf-8")
    assert BENCHMARK["written"](text, BENCHMARK["all_tables"]()) == text, "run: python benchmarks/exploration.py tables"


def test_every_table_is_in_a_page():
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in BENCHMARK["all_tables"]() if f"<!-- exploration: {name} -->" not in text] == []


def test_every_row_was_measured():
    wanted = set(product(BENCHMARK["SCENARIOS"], PROTOCOLS, (False, True)))
    found = {(row["cleaner"], row["protocol"], row["cache_lock"]) for row in ROWS if row["kills"] == 0}
    assert found == wanted, "run: python benchmarks/exploration.py measure"


def test_what_holds_without_a_kill_was_asked_with_every_one():
    held = {(row["cleaner"], row["protocol"], row["cache_lock"]) for row in ROWS if BENCHMARK["holds"](row)}
    killed = {(row["cleaner"], row["protocol"], row["cache_lock"]) for row in ROWS if row["kills"]}
    assert held <= killed


def test_who_holds_is_who_the_page_says():
    hold = {(row["cleaner"], row["protocol"], row["cache_lock"]) for row in ROWS if BENCHMARK["holds"](row)}
    apart = product(("entry-lock", "private"), (False, True))
    beside = {("hardened", "entry-lock", True), ("hardened", "private", True)}
    # Nobody but the cleaner can hurt one build.
    alone = {("hardened-one-build", protocol, True) for protocol in ("shared", "entry-lock", "private")}
    assert hold == {("none", *who) for who in apart} | beside | alone


def test_where_it_matters_the_search_came_to_its_end():
    kills = [row for row in ROWS if row["kills"] and row["cleaner"] in {"none", "hardened-one-build"}]
    assert [row for row in kills if not row["complete"]] == []


def test_a_table():
    made = {"cleaner": "none", "protocol": "shared", "cache_lock": False, "kills": 1, "explored": 1200,
            "complete": False, "outcomes": 9, "violating": 8, "last_new": 1100,
            "sampled": 300, "sampled_outcomes": 7, "sampled_violating": 6}  # fmt: skip
    assert BENCHMARK["protocols_table"]({"rows": [made]}, "none").splitlines()[-1] == (
        "| `shared` | off | every single one | 1,200 | 9 | **8** | no, last new at 1,100 | 6 of 7 |"
    )
