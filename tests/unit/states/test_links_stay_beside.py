"""No link of a state leads out of the place that it is laid in, however badly a cleaner follows it."""

from __future__ import annotations

import os
import stat

import pytest

from scenarios.states import STATES
from scenarios.states.entries import Directory, HardLink, Link, Links
from tests.unit.states.looking import led_out, walk

LINKED = [
    state
    for state in STATES.values()
    if any(isinstance(entry, Link | Links | HardLink) for entry in state.recipe().entries())
]


def lay_what_anybody_may(recipe, place):
    if recipe.root:
        Directory("").lay(place)
    place.make_outside()
    for entry in recipe.entries():
        if not entry.needs:
            entry.lay(place)


def test_many_states_have_links():
    assert len(LINKED) >= 20


@pytest.mark.parametrize("state", LINKED, ids=lambda state: state.name)
def test_every_link_leads_to_what_is_laid_with_it_or_to_nothing(state, place):
    lay_what_anybody_may(state.recipe(), place)
    assert led_out(place) == []


@pytest.mark.parametrize("state", LINKED, ids=lambda state: state.name)
def test_every_name_of_a_file_is_in_the_place(state, place):
    lay_what_anybody_may(state.recipe(), place)
    names = {}
    for top in (place.cache, place.outside):
        for _, status, _ in walk(top):
            if not stat.S_ISDIR(status.st_mode):
                names.setdefault(status.st_ino, []).append(status.st_nlink)
    assert all(links == len(same) for same in names.values() for links in same)


def test_a_link_that_leads_out_would_be_found(place):
    os.makedirs(f"{place.cache}/inner")
    for name, target in (("home", "/"), ("inner/up", "../../.."), ("near", f"{place.root}-beside")):
        os.symlink(target, f"{place.cache}/{name}")
    for name, target in (("fine", ".."), ("absolute", place.root), ("inner/gone", "../../gone")):
        os.symlink(target, f"{place.cache}/{name}")
    assert led_out(place) == ["home", "inner/up", "near"]
