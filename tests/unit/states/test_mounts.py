"""Mounts of a state: what they keep from going, in a mount namespace that ends with the process that lays them."""

from __future__ import annotations

import contextlib
import errno
import os
import resource

import pytest

from cache_core.privileges import drop_override_capabilities, holds_override_capabilities
from scenarios.states import STATES
from scenarios.states.privileged import MOUNTS, Ballast, Bind, Disk, Layer, Memory, ReadOnly, mount
from scenarios.states.recipe import Recipe
from simulator.torture.namespaces import enter_mount_namespace
from tests.support.fenced import run_forked
from tests.unit.states.looking import outside_of, refusal, told_to_bash, tree_of

MOUNTED = [state for state in STATES.values() if MOUNTS in state.recipe().needs]
MEGABYTE = 1 << 20
NO_SUID, NO_DEVICES = 2, 4
NO_OVERLAY = (errno.EPERM, errno.EINVAL, errno.ENODEV)


def in_a_namespace(work, refusals=()):
    """What the function returns in a forked process that may mount; skips where the system refuses."""

    def enter_and_work():
        try:
            enter_mount_namespace()
        except OSError as error:
            return f"this system gives no mount namespace: {error.strerror}", None
        try:
            return None, work()
        except OSError as error:
            if error.errno not in refusals:
                raise
            return f"this system mounts no such thing: {error.strerror}", None

    refused, value = run_forked(enter_and_work)
    if refused is not None:
        pytest.skip(refused)
    return value


def write(path, data=b""):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def recipe_of(*last, disk=None):
    recipe = Recipe()
    recipe.directory("d")
    recipe.file("file")
    if disk is not None:
        recipe.on(disk)
    for entry in last:
        recipe.last(entry)
    return recipe


def device(path):
    return os.lstat(path).st_dev


def test_another_file_system_is_mounted_with_a_file_in_it(place):
    def work():
        recipe_of(Memory("d")).lay(place)
        target = f"{place.cache}/d"
        return os.listdir(target), device(target) == device(place.cache), refusal(os.rmdir, target)

    assert in_a_namespace(work) == (["file"], False, "EBUSY")


def test_what_is_mounted_is_gone_with_the_process(place):
    in_a_namespace(lambda: recipe_of(Memory("d"), Bind("file", "plain")).lay(place))
    assert os.listdir(f"{place.cache}/d") == []
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        assert place.root not in mounts.read()


def test_a_bound_directory_is_the_one_outside_and_on_the_same_device(place):
    def work():
        recipe_of(Bind("d", "folder")).lay(place)
        target, source = f"{place.cache}/d", f"{place.outside}/folder"
        write(f"{target}/new")
        return os.path.samefile(target, source), os.path.exists(f"{source}/new"), refusal(os.rmdir, target)

    assert in_a_namespace(work) == (True, True, "EBUSY")


def test_a_bound_file_is_the_one_outside(place):
    def work():
        recipe_of(Bind("file", "plain")).lay(place)
        target = f"{place.cache}/file"
        return os.path.samefile(target, f"{place.outside}/plain"), refusal(os.unlink, target)

    assert in_a_namespace(work) == (True, "EBUSY")


def test_a_read_only_bind_takes_no_writes_and_what_is_outside_does(place):
    def work():
        recipe_of(Bind("d", "folder", read_only=True)).lay(place)
        write(f"{place.outside}/folder/new")
        return refusal(write, f"{place.cache}/d/other"), refusal(os.unlink, f"{place.cache}/d/new")

    assert in_a_namespace(work) == ("EROFS", "EROFS")


def test_a_read_only_bind_keeps_what_the_file_system_is_mounted_with(place):
    """As /tmp and /dev/shm are on most systems; a user may not take that away."""

    def work():
        mount("none", place.root, "tmpfs", NO_SUID | NO_DEVICES, "mode=0755")
        # In a user namespace below that one, what it is mounted with is locked.
        if holds_override_capabilities():
            drop_override_capabilities()
        enter_mount_namespace()
        recipe_of(Bind("d", "folder", read_only=True)).lay(place)
        kept = os.ST_NOSUID | os.ST_NODEV | os.ST_RDONLY
        return os.statvfs(f"{place.cache}/d").f_flag & kept == kept

    assert in_a_namespace(work)


def test_a_disk_is_for_all_of_the_place(place):
    def work():
        before = device(place.root)
        recipe_of(disk=Disk(bytes=MEGABYTE)).lay(place)
        size = os.statvfs(place.root)
        return device(place.root) != before, device(place.cache) == device(place.outside), size.f_blocks * size.f_frsize

    assert in_a_namespace(work) == (True, True, MEGABYTE)
    assert os.listdir(place.root) == []


def test_a_disk_without_a_free_byte_takes_none_and_gives_some_back(place):
    def work():
        recipe_of(Ballast(Disk(bytes=MEGABYTE)), disk=Disk(bytes=MEGABYTE)).lay(place)
        before = refusal(write, f"{place.cache}/new", b"x" * 4096)
        os.unlink(f"{place.cache}/file")
        return before, os.listdir(place.aside), refusal(write, f"{place.cache}/new", b"x")

    assert in_a_namespace(work) == ("ENOSPC", ["ballast"], None)


def test_a_disk_without_a_free_inode_takes_no_name_and_gives_some_back(place):
    def work():
        recipe_of(Ballast(Disk(inodes=200)), disk=Disk(inodes=200)).lay(place)
        before = refusal(write, f"{place.cache}/new"), refusal(os.mkdir, f"{place.cache}/d/new")
        os.unlink(f"{place.cache}/file")
        return before, refusal(write, f"{place.cache}/new")

    assert in_a_namespace(work) == (("ENOSPC", "ENOSPC"), None)


def test_a_read_only_disk_takes_no_writes(place):
    def work():
        recipe_of(ReadOnly(), disk=Disk(bytes=MEGABYTE)).lay(place)
        return refusal(os.unlink, f"{place.cache}/file"), refusal(os.mkdir, f"{place.cache}/new")

    assert in_a_namespace(work) == ("EROFS", "EROFS")


def test_a_lower_layer_looks_the_same_and_gives_no_directory_to_a_rename(place):
    def work():
        recipe_of(Layer()).lay(place)
        names = sorted(os.listdir(place.cache)), sorted(os.listdir(place.root))
        moved = refusal(os.rename, f"{place.cache}/d", f"{place.cache}/e")
        os.unlink(f"{place.cache}/file")
        os.rmdir(f"{place.cache}/d")
        return names, moved, sorted(os.listdir(place.cache))

    names = (["CACHEDIR.TAG", "d", "file"], ["cache", "outside"])
    assert in_a_namespace(work, NO_OVERLAY) == (names, "EXDEV", ["CACHEDIR.TAG"])


def seen_when_laid(state, place):
    def work():
        state.recipe().lay(place)
        return tree_of(place.cache), outside_of(place)

    return in_a_namespace(work, NO_OVERLAY if state.name == "lower-layer" else ())


@pytest.mark.parametrize("state", MOUNTED, ids=lambda state: state.name)
def test_a_state_with_mounts_is_laid_the_same_twice(state, place, tmp_path):
    seen = seen_when_laid(state, place)
    again = type(place)(str(tmp_path / "again"))
    os.mkdir(again.root)
    assert seen_when_laid(state, again) == seen
    assert seen[0]


@pytest.mark.root
@pytest.mark.parametrize("state", MOUNTED, ids=lambda state: state.name)
def test_its_commands_make_the_same(state, place, tmp_path):
    laid, _ = seen_when_laid(state, place)
    again = type(place)(str(tmp_path / "again"))
    os.mkdir(again.root)

    def work():
        # Should a mount fail, what fills a disk fills this one.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MEGABYTE, 4 * MEGABYTE))
        told_to_bash(state.recipe().commands(), again, timeout=20)
        return tree_of(again.cache)

    assert in_a_namespace(work) == laid


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no-space", "no-inodes"])
def test_where_nothing_may_be_mounted_its_commands_take_no_more_than_the_disk_would(name, place):
    """Else whoever pastes them fills a disk of their own."""

    def work():
        # Whether they stop or go on is their affair.
        with contextlib.suppress(AssertionError):
            told_to_bash(STATES[name].recipe().commands(), place)
        found = os.listdir(place.aside) if os.path.exists(place.aside) else []
        return len(found), sum(os.stat(f"{place.aside}/{one}").st_size for one in found)

    entries, size = run_forked(work)
    assert entries <= 400
    assert size <= 2 * MEGABYTE
