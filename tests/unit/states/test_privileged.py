"""Entries that take root: other owners, flags, devices; and access control lists, that take a file system with them."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import shutil
import stat

import pytest

from cache_core.removal import remove_tree
from scenarios.states import STATES
from scenarios.states.entries import Device
from scenarios.states.privileged import LISTS, MOUNTS, DefaultList, Flag, Owner, release, set_flags
from scenarios.states.recipe import Recipe
from tests.unit.states.looking import outside_of, refusal, told_to_bash, tree_of

_GET_FLAGS = 0x80086601
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
PROGRAMS = {"flags": "chattr", "lists": "setfacl"}

PRIVILEGED = [state for state in STATES.values() if state.recipe().needs and MOUNTS not in state.recipe().needs]
ROOTS = [state for state in PRIVILEGED if LISTS not in state.recipe().needs]


def recipe_of(*last):
    recipe = Recipe()
    recipe.file("d/file")
    recipe.link("d/link", "outside/plain")
    for entry in last:
        recipe.last(entry)
    return recipe


def laid(recipe, place):
    try:
        recipe.lay(place)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY):
            raise
        pytest.skip(f"this file system has none: {error.strerror}")


def flags_of(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    held = array.array("l", [0])
    fcntl.ioctl(fd, _GET_FLAGS, held)
    os.close(fd)
    return held[0] & (IMMUTABLE | APPEND_ONLY)


@pytest.fixture
def released(place):
    """A place whose flags and owners are undone before it is removed."""
    yield place
    release(place.root)


@pytest.mark.root
def test_another_owns_what_is_told_and_nothing_that_a_link_leads_to(released):
    recipe_of(Owner("d"), Owner("d/link")).lay(released)
    owned = {one.name for one in tree_of(released.cache) if one.owner != os.geteuid()}
    assert owned == {"d", "link"}
    assert {one.owner for one in outside_of(released)} == {os.geteuid()}
    release(released.cache)
    assert {one.owner for one in tree_of(released.cache)} == {os.geteuid()}


@pytest.mark.root
def test_an_immutable_file_stays_until_it_is_released(released):
    laid(recipe_of(Flag("d/file", "i")), released)
    path = f"{released.cache}/d/file"
    assert flags_of(path) == IMMUTABLE
    assert refusal(os.unlink, path) == refusal(os.chmod, path, 0o600) == "EPERM"
    assert [left.path for left in remove_tree(released.cache).left] == ["cache/d/file"]
    release(released.cache)
    assert flags_of(path) == 0
    assert remove_tree(released.cache).left == ()


@pytest.mark.root
def test_an_immutable_directory_keeps_what_is_in_it(released):
    laid(recipe_of(Flag("d", "i")), released)
    assert flags_of(f"{released.cache}/d") == IMMUTABLE
    assert refusal(os.unlink, f"{released.cache}/d/file") == "EPERM"
    assert refusal(os.rename, f"{released.cache}/d", f"{released.cache}/e") == "EPERM"
    release(released.cache)
    assert remove_tree(released.cache).left == ()


@pytest.mark.root
def test_an_append_only_directory_takes_files_and_gives_none(released):
    laid(recipe_of(Flag("d", "a")), released)
    directory = f"{released.cache}/d"
    assert flags_of(directory) == APPEND_ONLY
    os.close(os.open(f"{directory}/more", os.O_CREAT | os.O_WRONLY))
    assert refusal(os.unlink, f"{directory}/more") == "EPERM"
    release(released.cache)
    assert remove_tree(released.cache).left == ()


@pytest.mark.root
def test_release_follows_no_link(released):
    laid(recipe_of(Flag("d", "i")), released)
    plain = f"{released.outside}/plain"
    os.chown(plain, 1, 1)
    set_flags(plain, IMMUTABLE)
    release(released.cache)
    assert flags_of(f"{released.cache}/d") == 0
    assert (flags_of(plain), os.stat(plain).st_uid) == (IMMUTABLE, 1)


@pytest.mark.root
def test_other_flags_are_kept(released):
    no_dump = 0x40
    laid(recipe_of(Flag("d/file", "i")), released)
    path = f"{released.cache}/d/file"
    set_flags(path, no_dump)
    set_flags(path, IMMUTABLE)
    fd = os.open(path, os.O_RDONLY)
    held = array.array("l", [0])
    fcntl.ioctl(fd, _GET_FLAGS, held)
    os.close(fd)
    assert held[0] & (no_dump | IMMUTABLE) == no_dump | IMMUTABLE


@pytest.mark.root
def test_a_device_is_the_null_device(place):
    recipe = Recipe()
    recipe.add(Device("d/null"))
    recipe.lay(place)
    status = os.stat(f"{place.cache}/d/null")
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == os.stat("/dev/null").st_rdev
    assert remove_tree(place.cache).left == ()
    assert os.path.exists("/dev/null")


def test_a_default_list_makes_new_directories_read_only(place):
    laid(recipe_of(DefaultList("")), place)
    for name in ("new", "d/new"):
        os.mkdir(f"{place.cache}/{name}")
    assert stat.S_IMODE(os.stat(f"{place.cache}/new").st_mode) == 0o555
    assert stat.S_IMODE(os.stat(f"{place.cache}/d/new").st_mode) == 0o755
    assert refusal(os.mkdir, f"{place.cache}/new/below") == "EACCES"
    assert remove_tree(place.cache).left == ()


@pytest.mark.parametrize(
    "state",
    [pytest.param(state, marks=pytest.mark.root if state in ROOTS else ()) for state in PRIVILEGED],
    ids=lambda state: state.name,
)
def test_a_state_that_takes_a_privilege_is_laid_the_same_twice(state, released):
    seen = []
    for _ in range(2):
        laid(state.recipe(), released)
        seen.append((tree_of(released.cache), outside_of(released)))
        release(released.root)
        assert remove_tree(released.root).left == ()
        os.mkdir(released.root)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "state",
    [pytest.param(state, marks=pytest.mark.root if state in ROOTS else ()) for state in PRIVILEGED],
    ids=lambda state: state.name,
)
def test_its_commands_make_the_same(state, released):
    for need in state.recipe().needs:
        if shutil.which(PROGRAMS.get(need, "sh")) is None:
            pytest.skip(f"there is no {PROGRAMS[need]} here")
    laid(state.recipe(), released)
    by_us = tree_of(released.cache)
    kept = {path: flags_of(f"{released.cache}/{path}") for path in state.stays if "flags" in state.recipe().needs}
    release(released.root)
    assert remove_tree(released.root).left == ()
    os.mkdir(released.root)
    told_to_bash(state.recipe().commands(), released)
    assert tree_of(released.cache) == by_us
    assert {path: flags_of(f"{released.cache}/{path}") for path in kept} == kept
    assert all(kept.values())
