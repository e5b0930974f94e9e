"""A ground for each test, and at the end how many points were swept."""

from __future__ import annotations

from collections import Counter

import pytest

from cache_core.removal import remove_tree
from tests.support.sweeps import Ground

_POINTS = pytest.StashKey[dict[str, Counter]]()


def pytest_configure(config):
    config.stash[_POINTS] = {}


@pytest.fixture
def ground(tmp_path):
    """A cache and its neighbours; removed afterwards, as pytest cannot remove what is shut."""
    yield Ground(tmp_path)
    remove_tree(str(tmp_path))


@pytest.fixture
def swept(request):
    """`swept(kind, where)` counts one point of a kind of sweep; they are told when all that was asked for holds."""
    points = {}

    def count(kind, where, number=1):
        points.setdefault(kind, Counter())[where] += number

    yield count
    for kind, places in points.items():
        request.config.stash[_POINTS].setdefault(kind, Counter()).update(places)


def pytest_terminal_summary(terminalreporter, config):
    points = config.stash[_POINTS]
    if not points:
        return
    terminalreporter.section("sweeps")
    for kind, places in points.items():
        terminalreporter.write_line(f"{kind}: {places.total():,} points in {len(places)} cases")
    failed = len(terminalreporter.stats.get("failed", ()))
    terminalreporter.write_line(
        f"points up to the failure of {failed} tests" if failed else "what was asked held at each"
    )
