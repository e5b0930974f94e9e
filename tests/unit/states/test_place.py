"""What lies beside a cache: made whole, the same by commands, and with everything that tempts."""

from __future__ import annotations

import os
import stat

import pytest

from cache_core.layout import TAG_SIGNATURE
from scenarios.states.place import OUTSIDE, TWINS, Place, outside_commands
from tests.unit.states.looking import emptied, outside_of, told_to_bash, walk


def test_everything_is_below_the_root():
    place = Place("/some/where")
    assert [place.cache, place.outside, place.aside] == [
        "/some/where/cache",
        "/some/where/outside",
        "/some/where/aside",
    ]


def test_outside_is_all_that_is_made(place):
    place.make_outside()
    assert os.listdir(place.root) == [OUTSIDE]


def test_some_of_it_is_read_only_or_secret_and_all_of_it_says_so(place):
    place.make_outside()
    modes = {one.name: stat.S_IMODE(one.mode) for one in outside_of(place) if one.depth == 2}
    assert modes["plain"] == 0o644
    assert modes["read-only"] == 0o444
    assert modes["secret"] == 0o600
    assert modes["shut"] == 0o500
    files = [one for one in outside_of(place) if stat.S_ISREG(one.mode)]
    assert {one.told for one in files if one.name == "CACHEDIR.TAG"} == {TAG_SIGNATURE + b"\n"}
    # Twins are empty: it is their names that count.
    said = [one.told for one in files if one.name != "CACHEDIR.TAG" and not one.name.isdigit()]
    assert all(b"nobody may change this" in text for text in said)


def test_there_are_twins_of_files_in_the_cache(place):
    place.make_outside()
    assert sorted(os.listdir(f"{place.outside}/twin")) == sorted(str(number) for number in range(TWINS))


def test_the_only_link_stays_outside(place):
    place.make_outside()
    links = [(one.name, one.told) for one in outside_of(place) if stat.S_ISLNK(one.mode)]
    assert links == [("link", "folder")]


def test_the_umask_does_not_matter(place):
    place.make_outside()
    usual = outside_of(place)
    before = os.umask(0o077)
    try:
        emptied(place).make_outside()
    finally:
        os.umask(before)
    assert outside_of(place) == usual


def named(place):
    """Path and mode of what is outside, below it."""
    return {"/".join(way[1:]): oct(status.st_mode) for way, status, _ in walk(place.outside)}


def test_the_commands_make_the_same_names_and_modes(place):
    place.make_outside()
    made = named(place)
    told_to_bash(outside_commands([""]), emptied(place))
    assert named(place) == made


@pytest.mark.parametrize("wanted", ["plain", "secret", "folder", "folder/deep/kept", "shut", "twin/3", "CACHEDIR.TAG"])
def test_the_commands_make_what_is_wanted_and_little_else(place, wanted):
    place.make_outside()
    made = named(place)
    told_to_bash(outside_commands([wanted]), emptied(place))
    part = named(place)
    assert wanted in part
    assert part.items() <= made.items()
    assert len(part) < len(made)
