"""One entry at a time: what is laid, and that the commands lay it too."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.states.entries import Chain, Directories, File, Files, HardLink, Link, Links, Node
from scenarios.states.recipe import Recipe
from tests.unit.states.looking import emptied, told_to_bash, tree_of

CONTENTS = st.binary(max_size=60).filter(lambda data: b"\0" not in data and not data.startswith(b"-"))


def recipe_of(*entries):
    recipe = Recipe()
    recipe.tagged = False
    for entry in entries:
        (recipe.fill if isinstance(entry, Files | Directories | Links | Chain) else recipe.add)(entry)
    return recipe


def laid_both_ways(place, *entries):
    """What is in the cache, which is the same both ways."""
    recipe = recipe_of(*entries)
    recipe.lay(emptied(place))
    by_us = tree_of(place.cache)
    told_to_bash(recipe.commands(), emptied(place))
    assert tree_of(place.cache) == by_us
    return {one.name: one for one in by_us}


def test_a_file_has_its_data_and_its_mode(place):
    laid = laid_both_ways(place, File("plain"), File("shut", b"text\n", 0o000), File("special", b"", 0o4755))
    assert (laid["plain"].told, stat.S_IMODE(laid["plain"].mode)) == (b"x", 0o644)
    assert (laid["shut"].size, stat.S_IMODE(laid["shut"].mode)) == (5, 0)
    assert (laid["special"].size, stat.S_IMODE(laid["special"].mode)) == (0, 0o4755)


def test_a_hole_takes_no_room(place):
    laid = laid_both_ways(place, File("hole", b"ab", hole=1 << 40))
    assert laid["hole"].size == (1 << 40) + 2
    assert os.stat(f"{place.cache}/hole").st_blocks <= 16


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"two\nlines\n", b" both \n", b"a\\b\\n\n", b"%s%n", b"'\"`$(id)\n", b"\xff\x01", b"x" * 100_000],
)
def test_data_is_what_it_is(place, data):
    assert laid_both_ways(place, File("file", data))["file"].size == len(data)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(CONTENTS, max_size=15))
def test_any_data_without_a_zero_byte_is_what_it_is(place, contents):
    laid_both_ways(place, *(File(f"file-{number}", data) for number, data in enumerate(contents)))


@pytest.mark.parametrize("target", ["nothing", ".", "a b", "$HOME", "\udcff", "x/" * 2000, "l" * 4095])
def test_a_link_leads_where_it_says(place, target):
    assert laid_both_ways(place, Link("link", target))["link"].told == target


def test_data_and_targets_that_read_as_options_are_what_they_are(place):
    data = [b"-n\n", b"-e", b"--\n", b"-\xff"]
    targets = ["-rf", "--", "-s\n"]
    laid_both_ways(
        place,
        *(File(f"file-{number}", one) for number, one in enumerate(data)),
        *(Link(f"link-{number}", target) for number, target in enumerate(targets)),
    )


@pytest.mark.parametrize("target", ["outside", "outside/plain", "outside/no such thing"])
def test_a_link_to_what_is_outside_is_absolute(place, target):
    assert laid_both_ways(place, Link("deep/link", target))["link"].told == f"{place.root}/{target}"


def test_a_link_to_a_name_that_only_begins_like_outside_is_relative(place):
    assert laid_both_ways(place, Link("link", "outside-in"))["link"].told == "outside-in"


def test_a_hard_link_is_one_more_name(place):
    laid = laid_both_ways(
        place, File("first", b"shared"), HardLink("second", "first", inside=True), HardLink("out", "read-only")
    )
    assert laid["first"].links == laid["second"].links == laid["out"].links == 2
    assert os.path.samefile(f"{place.cache}/first", f"{place.cache}/second")
    assert os.path.samefile(f"{place.cache}/out", f"{place.outside}/read-only")


def test_a_hard_link_of_a_link_is_a_name_of_the_link(place):
    laid = laid_both_ways(place, HardLink("name", "link"))
    assert (laid["name"].told, laid["name"].links) == ("folder", 2)


@pytest.mark.parametrize(
    ("kind", "is_kind"), [("fifo", stat.S_ISFIFO), ("socket", stat.S_ISSOCK), ("whiteout", stat.S_ISCHR)]
)
def test_a_node_is_of_its_kind(place, kind, is_kind):
    laid = laid_both_ways(place, Node("node", kind))
    assert is_kind(laid["node"].mode)
    assert (stat.S_IMODE(laid["node"].mode), laid["node"].told) == (0o600, 0)


def test_many_files_are_numbered(place):
    laid = laid_both_ways(place, Files("many", 12))
    assert laid.keys() == {"cache", "many", *map(str, range(12))}
    assert {one.size for one in laid.values()} == {0}


def test_many_directories_have_a_file_each_and_the_mode(place):
    recipe = recipe_of(Directories("many", 12, 0o200))
    laid_both_ways(place, Directories("many", 12, 0o200))
    recipe.lay(emptied(place))
    tree = tree_of(place.cache)
    assert [stat.S_IMODE(one.mode) for one in tree if one.depth == 3] == [0o200] * 12
    assert [one.name for one in tree if one.depth == 4] == ["file"] * 12


def test_many_links_lead_to_one_target(place):
    soft = laid_both_ways(place, Links("many", 12, "../nothing"))
    assert [soft[str(number)].told for number in range(12)] == ["../nothing"] * 12
    hard = laid_both_ways(place, File("many/first"), Links("many", 12, "first", hard=True))
    assert {hard[str(number)].links for number in range(12)} == {13}


def test_a_chain_is_as_deep_as_it_says_and_ends_in_a_file(place):
    recipe = recipe_of(Chain("top", 3_000, "name"))
    recipe.lay(place)
    tree = tree_of(place.cache)
    assert [one.name for one in tree] == ["cache", "top", *["name"] * 3_000, "file"]
    assert [one.depth for one in tree] == list(range(1, 3_004))


def test_each_so_many_directories_of_a_chain_one_is_shut(place):
    laid_both_ways(place, Chain("top", 10, shut=0o200, shut_every=3))
    recipe_of(Chain("top", 10, shut=0o200, shut_every=3)).lay(emptied(place))
    modes = [stat.S_IMODE(one.mode) for one in tree_of(place.cache) if one.name == "d"]
    assert [number for number, mode in enumerate(modes, 1) if mode == 0o200] == [3, 6, 9]
    assert set(modes) == {0o200, 0o755}


def test_the_cache_and_what_holds_it_have_modes_too(place):
    recipe = recipe_of(File("file"))
    recipe.mode("", 0o500)
    recipe.mode("..", 0o555)
    recipe.lay(place)
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (place.cache, place.root)] == [0o500, 0o555]
    told_to_bash(recipe.commands(), emptied(place))
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (place.cache, place.root)] == [0o500, 0o555]


def test_whatever_is_in_the_way_is_an_error(place):
    recipe = recipe_of(File("file"))
    recipe.lay(place)
    with pytest.raises(FileExistsError):
        recipe.lay(place)
