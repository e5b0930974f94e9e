"""The commands of a state, run by bash in an empty directory, make what laying it makes."""

from __future__ import annotations

import os

import pytest

from scenarios.states import STATES
from tests.unit.states.looking import emptied, told_to_bash, tree_of

# Of each kind there is a smaller one, or one of a dozen in test_entries.
LARGE = {"deep-30000", "shut-20000", "directories-10000", "files-20000", "names-of-one-file-5000", "links-2000"}
SMALL = [state for state in STATES.values() if not state.recipe().needs and state.name not in LARGE]


@pytest.mark.slow
@pytest.mark.parametrize("state", SMALL, ids=lambda state: state.name)
def test_the_commands_make_the_same_tree(state, place):
    recipe = state.recipe()
    recipe.lay(place)
    laid = tree_of(place.cache)
    os.chmod(place.root, 0o755)
    told_to_bash(recipe.commands(), emptied(place))
    assert tree_of(place.cache) == laid


def test_commands_can_be_shown_on_any_terminal():
    for state in STATES.values():
        for command in state.recipe().commands():
            assert command.isascii(), state.name
            assert command.replace("\n", "").isprintable(), state.name


def test_a_state_takes_the_same_commands_each_time():
    for state in STATES.values():
        assert state.recipe().commands() == state.recipe().commands(), state.name
