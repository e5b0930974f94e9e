"""A ground for each test, and at the end how many points were swept.

With CACHESTORM_SWEEPS=write, when all held, the table in docs/explanation/removal.md is written anew.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from cache_core import units
from cache_core.removal import remove_tree
from tests.support.sweep_states import FILES_MAX
from tests.support.sweeps import Ground

PAGE = Path(__file__).parents[2] / "docs/explanation/removal.md"
TABLE = re.compile(r"(?<=<!-- sweeps -->\n).*?(?=<!-- /sweeps -->)", re.DOTALL)

_POINTS = pytest.StashKey[dict[str, Counter]]()


def pytest_configure(config):
    config.stash[_POINTS] = {}


@pytest.fixture
def ground(tmp_path, monkeypatch):
    """A cache and its neighbours; removed afterwards, as pytest cannot remove what is shut."""
    # So that a directory that is small enough for a sweep is divided by its names.
    monkeypatch.setattr(units, "_FILES_MAX", FILES_MAX)
    yield Ground(tmp_path)
    remove_tree(str(tmp_path))


@pytest.fixture
def swept(request):
    """`swept(kind, where)` counts one point of a kind of sweep."""
    points = {}

    def count(kind, where):
        points.setdefault(kind, Counter())[where] += 1

    yield count
    for kind, places in points.items():
        request.config.stash[_POINTS].setdefault(kind, Counter()).update(places)


def pytest_terminal_summary(terminalreporter, config):
    points = config.stash[_POINTS]
    if not points:
        return
    terminalreporter.section("sweeps")
    for kind, places in sorted(points.items()):
        terminalreporter.write_line(f"{kind}: {places.total():,} points in {len(places)} cases")
    failed = terminalreporter.stats.get("failed", [])
    terminalreporter.write_line(f"{len(failed)} failed" if failed else "what was asked held at each")
    here = [Path(argument).resolve() for argument in config.args] == [Path(__file__).parent]
    whole = here and not terminalreporter.stats.get("deselected")
    if whole and not failed and os.environ.get("CACHESTORM_SWEEPS") == "write":
        PAGE.write_text(TABLE.sub(lambda _: table(points), PAGE.read_text()))


def table(points):
    """The points as the page has them."""
    rows = [f"| {kind} | {places.total():,} | {len(places)} |\n" for kind, places in sorted(points.items())]
    return "".join(["| sweep | points | cases |\n|---|---|---|\n", *rows])
