"""The order of what a recipe is told: whatever it is, it can be laid."""

from __future__ import annotations

import os

import pytest

from scenarios.states import STATES
from scenarios.states.entries import Chain, Device, Directory, File, Files, HardLink, Link, Links, Mode, Node
from scenarios.states.privileged import Ballast, DefaultList, Disk, Flag, Memory, Owner
from scenarios.states.recipe import Recipe


def paths(recipe, kind):
    return [entry.path for entry in recipe.entries() if isinstance(entry, kind)]


@pytest.fixture
def recipe():
    return Recipe()


def test_parents_come_before_what_is_in_them(recipe):
    recipe.file("a/b/c/file")
    recipe.link("a/d/link", "nothing")
    recipe.fill(Files("e/f", 3))
    seen = set()
    for entry in recipe.entries():
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        seen.add(entry.path)
    assert paths(recipe, Directory) == ["a", "a/b", "a/b/c", "a/d", "e", "e/f"]


def test_in_each_state_parents_come_first():
    for state in STATES.values():
        seen = {""}
        for entry in state.recipe().entries():
            if hasattr(entry, "path") and entry.path != "..":
                assert entry.path.rpartition("/")[0] in seen, state.name
                seen.add(entry.path)


def test_modes_come_last_the_deepest_first_then_the_cache_then_what_holds_it(recipe):
    recipe.mode("..", 0o555)
    recipe.mode("", 0o500)
    recipe.directory("a", 0o200)
    recipe.directory("a/b/c", 0o300)
    recipe.directory("a/b", 0o000)
    recipe.file("z")
    kinds = [isinstance(entry, Mode) for entry in recipe.entries()]
    assert kinds == sorted(kinds)
    assert paths(recipe, Mode) == ["a/b/c", "a/b", "a", "", ".."]


def test_the_last_mode_that_is_told_counts(recipe):
    recipe.directory("a", 0o200)
    recipe.directory("a", 0o300)
    assert [entry for entry in recipe.entries() if isinstance(entry, Mode)] == [Mode("a", 0o300)]
    assert paths(recipe, Directory) == ["a"]


def test_what_takes_a_privilege_comes_after_the_modes_in_the_order_given(recipe):
    recipe.last(Owner("b"))
    recipe.last(Owner("a"))
    recipe.directory("a", 0o200)
    recipe.directory("b")
    assert recipe.entries()[-3:] == [Mode("a", 0o200), Owner("b"), Owner("a")]


@pytest.mark.parametrize(
    "add",
    [
        lambda recipe: recipe.file("a/b"),
        lambda recipe: recipe.link("a/b", "nothing"),
        lambda recipe: recipe.hard_link("a/b", "plain"),
        lambda recipe: recipe.node("a/b", "fifo"),
        lambda recipe: recipe.add(Device("a/b")),
    ],
    ids=["file", "link", "hard link", "node", "device"],
)
def test_a_path_given_twice_is_an_error(recipe, add):
    recipe.file("a/b")
    with pytest.raises(ValueError, match="'a/b'"):
        add(recipe)


def test_a_directory_may_be_told_twice_and_is_made_once(recipe):
    recipe.file("a/one")
    recipe.directory("a")
    recipe.fill(Files("a", 3))
    recipe.fill(Chain("a", 3))
    assert paths(recipe, Directory) == ["a"]


def test_a_file_where_a_directory_is_is_an_error(recipe):
    recipe.directory("a/b")
    with pytest.raises(ValueError, match="'a/b'"):
        recipe.file("a/b")


def test_a_cache_gets_a_tag_before_the_modes(recipe):
    recipe.directory("a", 0o200)
    (tag,) = [entry for entry in recipe.entries() if isinstance(entry, File)]
    assert tag.path == "CACHEDIR.TAG"
    assert tag.data.startswith(b"Signature: ")
    assert isinstance(recipe.entries()[-1], Mode)


def test_a_cache_has_one_tag_and_may_have_none(recipe):
    recipe.link("CACHEDIR.TAG", "nothing")
    assert paths(recipe, File) == []
    untagged = Recipe()
    untagged.tagged = False
    assert untagged.entries() == []


def test_where_there_is_no_cache_there_is_no_tag(recipe, place):
    recipe.root = False
    assert (recipe.entries(), recipe.commands()) == ([], [])
    recipe.lay(place)
    assert os.listdir(place.root) == ["outside"]


def test_needs_are_those_of_all_entries(recipe):
    assert recipe.needs == frozenset()
    for entry in (File("a"), Link("b", "a"), HardLink("c", "plain"), Node("d", "fifo")):
        recipe.add(entry)
    recipe.fill(Links("e", 2, "nothing"))
    assert recipe.needs == frozenset()
    recipe.add(Device("f"))
    assert recipe.needs == {"devices"}
    recipe.last(Owner("a"))
    recipe.last(Flag("a", "i"))
    recipe.last(DefaultList(""))
    assert recipe.needs == {"devices", "owners", "flags", "lists"}
    recipe.on(Disk(bytes=1 << 20))
    assert recipe.needs == {"devices", "owners", "flags", "lists", "mounts"}


@pytest.mark.parametrize("entry", [Memory("a"), Ballast(Disk()), Disk()], ids=lambda entry: type(entry).__name__)
def test_mounts_take_a_mount_namespace(recipe, entry):
    recipe.last(entry)
    assert recipe.needs == {"mounts"}


def test_one_command_makes_directories_in_each_other(recipe):
    recipe.file("a/b/c/file")
    recipe.directory("d e/f")
    assert recipe.commands()[:2] == ["mkdir cache", "mkdir -p cache/a/b/c"]
    assert "mkdir 'cache/d e/f'" in recipe.commands()


def test_commands_make_what_is_outside_when_it_is_led_to(recipe):
    recipe.file("a")
    assert not any("outside" in command for command in recipe.commands())
    recipe.hard_link("b", "plain")
    assert any("mkdir -p outside" in command for command in recipe.commands())
