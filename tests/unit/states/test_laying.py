"""A state is laid in an empty directory, the same each time, and nothing beside it is other than told."""

from __future__ import annotations

import os

import pytest

from scenarios.states import STATES
from scenarios.states.place import CACHE, OUTSIDE
from tests.unit.states.looking import emptied, outside_of, tree_of

LARGE = {"deep-30000", "deep-3000", "deep-twins", "shut-20000", "directories-10000", "files-20000", "buckets-1000"}
LARGE |= {"names-of-one-file-5000", "shut-2000"}
FREE = [
    pytest.param(state, marks=pytest.mark.slow if state.name in LARGE else ())
    for state in STATES.values()
    if not state.recipe().needs
]


@pytest.mark.parametrize("state", FREE, ids=lambda state: state.name)
def test_a_state_laid_twice_is_the_same_and_so_is_what_is_outside(state, place):
    seen = []
    for _ in range(2):
        state.recipe().lay(emptied(place))
        assert set(os.listdir(place.root)) <= {CACHE, OUTSIDE}
        seen.append((tree_of(place.cache), outside_of(place)))
        os.chmod(place.root, 0o755)
    assert seen[0] == seen[1]
    emptied(place).make_outside()
    assert outside_of(place) == seen[0][1]


def test_most_states_take_nothing_but_to_own_the_cache():
    assert len(FREE) > 80
    assert {param.values[0].name for param in FREE} >= LARGE
