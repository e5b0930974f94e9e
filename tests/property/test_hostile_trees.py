"""Any hostile tree: laid the same each time, by commands as well, with links that lead nowhere else; and it can go."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache_core.removal import remove_tree
from scenarios.states.entries import Mode
from scenarios.states.hostile_trees import HostileTree, hostile_trees
from scenarios.states.place import Place
from tests.unit.states.looking import emptied, led_out, outside_of, told_to_bash, tree_of

PATH_MAX = 4096
FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=100)

FILE = ("file", "x", 0o644)
LONG = "n" * 255


@pytest.fixture
def place(tmp_path):
    (tmp_path / "place").mkdir()
    yield Place(str(tmp_path / "place"))
    assert remove_tree(str(tmp_path)).left == ()


def in_each_other(names, entries):
    """Directories of these names in each other, the entries in the last one."""
    for name in reversed(names):
        entries = {name: ("directory", 0o755, entries)}
    return HostileTree(0o755, entries)


def shuffled(entries):
    """The same in another order."""
    return {
        name: ("directory", node[1], shuffled(node[2])) if node[0] == "directory" else node
        for name, node in reversed(entries.items())
    }


@pytest.mark.slow
@FEW
@given(tree=hostile_trees())
def test_the_commands_make_the_tree_that_is_laid(place, tree):
    tree.lay(emptied(place).root)
    laid = tree_of(place.cache)
    told_to_bash(tree.commands(), emptied(place))
    assert tree_of(place.cache) == laid


@pytest.mark.slow
@FEW
@given(tree=hostile_trees())
def test_a_tree_laid_twice_is_the_same_and_so_is_what_is_outside(place, tree):
    seen = []
    for _ in range(2):
        tree.lay(emptied(place).root)
        seen.append((sorted(os.listdir(place.root)), tree_of(place.cache), outside_of(place)))
    assert seen[0] == seen[1]
    assert seen[0][0] == ["cache", "outside"]
    emptied(place).make_outside()
    assert outside_of(place) == seen[0][2]


@pytest.mark.slow
@MANY
@given(tree=hostile_trees())
def test_no_link_leads_out_of_the_place(place, tree):
    tree.lay(emptied(place).root)
    assert led_out(place) == []


@pytest.mark.slow
@MANY
@given(tree=hostile_trees())
def test_any_tree_can_be_removed_and_nothing_else_goes(place, tree):
    tree.lay(emptied(place).root)
    assert remove_tree(place.cache).left == ()
    left = outside_of(place)
    emptied(place).make_outside()
    assert left == outside_of(place)


@FEW
@given(tree=hostile_trees())
def test_no_path_is_too_long_and_none_is_there_twice(tree):
    paths = [entry.path for entry in tree.recipe().entries() if not isinstance(entry, Mode)]
    assert len(set(paths)) == len(paths)
    assert max(len(os.fsencode(path)) for path in paths) < PATH_MAX - 512


def test_a_name_that_would_make_a_path_too_long_is_a_plain_one(place):
    tree = in_each_other([LONG] * 14, {LONG: FILE, "short": FILE})
    tree.lay(place.root)
    laid = tree_of(place.cache)
    names = [one.name for one in laid]
    assert names.count(LONG) < 14
    assert names[-1] == "short"
    told_to_bash(tree.commands(), emptied(place))
    assert tree_of(place.cache) == laid


@pytest.mark.parametrize("name", ["0", "1"])
def test_a_plain_name_in_place_of_a_long_one_is_nobody_elses(place, name):
    for entries in ({name: FILE, LONG: FILE}, {LONG: FILE, name: FILE}):
        in_each_other([LONG] * 11, entries).lay(emptied(place).root)
        assert [one.depth for one in tree_of(place.cache)].count(13) == 2


@FEW
@given(tree=hostile_trees())
def test_trees_that_are_equal_have_one_hash(tree):
    other = HostileTree(tree.mode, shuffled(tree.entries))
    assert other == tree
    assert hash(other) == hash(tree)


@FEW
@given(tree=hostile_trees())
def test_a_tree_is_shown_as_the_commands_that_make_it(tree):
    shown = repr(tree).splitlines()
    assert [line.strip() for line in shown[1:]] == [line for command in tree.commands() for line in command.split("\n")]
    assert repr(tree).isascii()


@FEW
@given(tree=hostile_trees())
def test_a_state_of_a_tree_is_the_tree_and_nothing_besides(tree):
    state = tree.state("random-1")
    assert (state.name, state.expect, state.recipe().needs) == ("random-1", "clean", frozenset())
    assert state.recipe().commands() == tree.commands()


@pytest.mark.slow
@settings(FEW, max_examples=10)
@given(tree=hostile_trees(), data=st.data())
def test_a_tree_made_smaller_again_and_again_comes_to_an_empty_cache(tree, data):
    steps = 0
    while smaller := list(tree.smaller()):
        assert tree not in smaller
        tree = data.draw(st.sampled_from(smaller))
        tree.recipe()
        steps += 1
    assert tree == HostileTree(0o755, {})
    assert steps <= 400
