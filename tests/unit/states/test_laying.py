"""A state is laid in an empty directory, the same each time, and nothing beside it is other than told."""

from __future__ import annotations

import os

import pytest

from scenarios.states import STATES
from scenarios.states.place import CACHE, OUTSIDE, Place
from tests.unit.states.looking import emptied, outside_of, tree_of

FREE = [state for state in STATES.values() if not state.recipe().needs]


@pytest.mark.parametrize("state", FREE, ids=lambda state: state.name)
def test_a_state_laid_twice_is_the_same_tree(state, place):
    trees = []
    for _ in range(2):
        state.recipe().lay(emptied(place))
        assert set(os.listdir(place.root)) <= {CACHE, OUTSIDE}
        trees.append(tree_of(place.cache))
        os.chmod(place.root, 0o755)
    assert trees[0] == trees[1]
    expected = Place(f"{place.root}/expected")
    os.mkdir(expected.root)
    expected.make_outside()
    assert outside_of(place) == outside_of(expected)
