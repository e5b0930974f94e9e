"""The tables of likeness in the docs are those of the measurements, and the measurements are of today's defaults."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks/likeness.py"), run_name="likeness")
PAGES = BENCHMARK["PAGES"]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_page_shows_the_measurements(page):
    text = page.read_text("utf-8")
    assert BENCHMARK["written"](text, BENCHMARK["all_tables"]()) == text, "run: python benchmarks/likeness.py tables"


def test_every_table_is_in_a_page():
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in BENCHMARK["all_tables"]() if f"<!-- likeness: {name} -->" not in text] == []


def test_every_measurement_of_the_docs_was_made():
    made = {(line["scenario"], line["tool"], line["probability"], line["gap"]) for line in BENCHMARK["load"]()}
    assert [wish[:4] for wish in BENCHMARK["ALL"] if wish[:4] not in made] == []


def test_a_table_is_put_between_its_markers_and_nowhere_else():
    page = "a\n<!-- likeness: loop -->\nold\n<!-- /likeness -->\n<!-- likeness: b -->\nc\n<!-- /likeness -->\n"
    new = BENCHMARK["written"](page, {"loop": "| new |"})
    assert new == page.replace("old\n", "\n| new |\n\n")


def test_counts_become_shares():
    line = {
        "scenario": "s",
        "tool": "uv==1",
        "where": "disk",
        "probability": None,
        "gap": None,
        "runs": 4,
        "poisoned": 1,
    }
    line |= {"builds": 8, "ok": 4, "failed": 3, "killed": 1, "incomplete": 0, "switches": None, "kinds": {"exists": 3}}
    assert "| real, `uv==1`, disk | 1 of 4 (25 %) | 4 of 8 (50 %) | 0 of 4 (0 %) |  | 1 |" in BENCHMARK["shares_table"](
        [line]
    )
