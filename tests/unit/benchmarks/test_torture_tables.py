"""The matrix in the docs is that of the measurement, and the measurement is of today's states."""

import runpy
from pathlib import Path

import pytest

from scenarios.states import STATES
from simulator.torture.verdicts import VERDICTS

BENCHMARK = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks/torture.py"), run_name="torture")
PAGES = BENCHMARK["PAGES"]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_page_shows_what_was_measured(page):
    text = page.read_text("utf-8")
    assert BENCHMARK["written"](text, BENCHMARK["all_tables"]()) == text, "run: python benchmarks/torture.py tables"


def test_every_table_is_in_a_page():
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in BENCHMARK["all_tables"]() if f"<!-- torture: {name} -->" not in text] == []


def test_every_cell_was_measured():
    results = BENCHMARK["load"]()
    assert list(results["verdicts"]) == list(STATES), "run: python benchmarks/torture.py measure"
    for cells in results["verdicts"].values():
        assert list(cells) == list(BENCHMARK["CLEANERS"])
        assert set(cells.values()) <= set(VERDICTS)


def test_ours_is_as_each_state_expects():
    results = BENCHMARK["load"]()
    wrong = {name: cells["hardened"] for name, cells in results["verdicts"].items()
             if cells["hardened"] != STATES[name].expect}  # fmt: skip
    assert wrong == {}


def test_shares():
    assert BENCHMARK["share"](["clean", "reported", "failed", "lied", "harmed", "harmed"]) == "2, 1 lied, 2 harmed"
    assert BENCHMARK["share"](["failed", "timeout"]) == "0"
