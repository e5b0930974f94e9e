"""A place to lay states in, gone afterwards whatever is in it."""

from __future__ import annotations

import pytest

from cache_core.removal import remove_tree
from scenarios.states.place import Place


@pytest.fixture
def place(tmp_path):
    """An empty one."""
    (tmp_path / "place").mkdir()
    yield Place(str(tmp_path / "place"))
    assert remove_tree(str(tmp_path)).left == ()
