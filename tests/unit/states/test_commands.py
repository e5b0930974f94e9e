"""The commands of a state, run by bash in an empty directory, make what laying it makes."""

from __future__ import annotations

import os

import pytest

from scenarios.states import STATES
from tests.unit.states.looking import emptied, told_to_bash, tree_of

FREE = [state for state in STATES.values() if not state.recipe().needs]


@pytest.mark.slow
@pytest.mark.parametrize("state", FREE, ids=lambda state: state.name)
def test_the_commands_make_the_same_tree(state, place):
    recipe = state.recipe()
    recipe.lay(place)
    laid = tree_of(place.cache)
    os.chmod(place.root, 0o755)
    told_to_bash(recipe.commands(), emptied(place))
    assert tree_of(place.cache) == laid
