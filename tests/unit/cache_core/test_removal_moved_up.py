"""Behind a fence each call costs the way up to the root: what lies deep is moved up before it is removed."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import clean_sync, remove_contents
from cache_core.crew import ALONE
from cache_core.job import _DEPTH_BEHIND_A_FENCE as DEPTH
from cache_core.layout import TRASH_PREFIX
from cache_core.outcome import Options
from cache_core.removal import remove_entries
from cache_core.trail import HELD_MAX
from tests.support.crews import InTurn


class Behind:
    """A fence that says that it stands; the walls are not what is tested here."""

    def enter(self, root_fd, parent_fd, name):
        return True

    def remove_root(self):
        raise AssertionError("nobody asked for it")

    def close(self):
        pass


def dig(place, depth, *, files=False):
    fd = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        if files:
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def deepest(kernel):
    """How far below the top the walk was, at most: names in one call to openat2."""
    return max(arguments[0].count("/") + 1 for name, arguments in kernel.calls if name == "openat2")


@pytest.mark.parametrize("depth", [30, 100, 500])
def test_a_chain_goes_and_is_counted(cache, watching, depth):
    dig(cache, depth, files=True)
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, fence=Behind())
    assert (report.empty, report.files_removed, report.directories_removed) == (True, depth, depth)
    moves = [arguments for name, arguments in kernel.calls if name == "rename" and arguments[0] == "d"]
    assert len(moves) == 1 + depth // DEPTH


def test_behind_a_fence_no_level_of_a_chain_is_opened_twice(cache, watching):
    assert DEPTH < HELD_MAX
    dig(cache, 500)
    kernel = watching()
    assert clean_sync(str(cache), kernel=kernel, fence=Behind()).directories_removed == 500
    assert {arguments[0].count("/") for name, arguments in kernel.calls if name == "openat2"} == {0}
    opened = sum(name == "openat2" and arguments[0] == "d" for name, arguments in kernel.calls)
    assert opened == 500 - 500 // DEPTH


def test_residue_that_lies_deep_is_read_before_the_fence_stands(cache, watching):
    (cache / "archive-v0" / ".tmpx").mkdir(parents=True)
    dig(cache / "archive-v0" / ".tmpx", 500)
    kernel = watching()
    before = []

    class Telling(Behind):
        def enter(self, root_fd, parent_fd, name):
            before.append(len(kernel.calls))
            return True

    report = clean_sync(str(cache), residue_only=True, kernel=kernel, fence=Telling())
    assert (report.succeeded, report.directories_removed) == (True, 501)
    (start,) = before
    changing = {"mkdir", "rename", "unlink", "rmdir", "fchmod", "chmod_descriptor"}
    assert not changing & {name for name, _ in kernel.calls[:start]}
    opened = [arguments[0] for name, arguments in kernel.calls[start:] if name == "openat2"]
    assert {path.count("/") for path in opened} == {0}


def test_residue_of_a_root_that_is_replaced_while_it_is_read(cache, place, watching):
    """Nothing is removed yet: what has the path by then is cleaned."""
    for root in (cache, place / "other"):
        (root / ".tmpx").mkdir(parents=True)
    replaced = []

    def before(name, arguments):
        if name == "openat2" and arguments[0] == ".tmpx" and not replaced:
            replaced.append(1)
            os.rename(cache, place / "moved")
            os.rename(place / "other", cache)

    report = clean_sync(str(cache), residue_only=True, untagged=True, kernel=watching(before=before), fence=Behind())
    assert (report.succeeded, report.directories_removed) == (True, 1)
    assert (place / "moved" / ".tmpx").exists()
    assert not (cache / ".tmpx").exists()


def mount(monkeypatch, path):
    """Have the list of mounts name one."""
    directory, _, name = path.rpartition("/")
    monkeypatch.setattr("cache_core.surroundings.mounts_below", lambda _kernel, _fd: {directory: {name}})


@pytest.mark.parametrize("crew", [ALONE, InTurn(2)], ids=["alone", "crew"])
def test_a_mount_elsewhere_is_no_reason_to_leave_a_chain_where_it_is(cache, watching, monkeypatch, crew):
    for bucket in ("a", "b"):
        (cache / bucket / "point").mkdir(parents=True)
        (cache / bucket / "long").mkdir()
        dig(cache / bucket / "long", 300)
    mount(monkeypatch, "a/point")
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, fence=Behind(), crew=crew)
    assert (report.empty, report.directories_removed) == (True, 606)
    assert deepest(kernel) <= 2


@pytest.mark.parametrize("crew", [ALONE, InTurn(2)], ids=["alone", "crew"])
@pytest.mark.parametrize("above", [14, 100])
def test_what_something_is_mounted_in_is_not_moved_up(cache, watching, monkeypatch, crew, above):
    """The mount would move with it."""
    for bucket in ("a", "b"):
        (cache / bucket / "e").mkdir(parents=True)
        dig(cache / bucket / "e", 200)
    way = ["a", "e", *["d"] * above]
    mount(monkeypatch, "/".join(way))
    inodes = {os.lstat(cache / "/".join(way[:depth])).st_ino for depth in range(1, above + 3)}
    moved = []

    class Telling(watching):
        def __getattr__(self, name):
            call = super().__getattr__(name)
            if name != "rename":
                return call

            def rename(source, target, **where):
                moved.append(os.lstat(source, dir_fd=where["src_dir_fd"]).st_ino)
                return call(source, target, **where)

            return rename

    report = clean_sync(str(cache), kernel=Telling(), fence=Behind(), crew=crew)
    assert (report.empty, report.directories_removed) == (True, 404)
    assert moved
    assert not inodes & set(moved)


def test_without_a_fence_nothing_is_moved_up(cache, watching):
    dig(cache, 100)
    kernel = watching()
    assert clean_sync(str(cache), kernel=kernel).empty
    assert sum(name == "rename" for name, _ in kernel.calls) == 1


def test_nothing_of_a_tree_of_somebody_elses_is_moved_up(place, watching):
    (place / "tree").mkdir()
    dig(place / "tree", 100)
    fd = os.open(place / "tree", os.O_RDONLY)
    kernel = watching()
    assert remove_contents(fd, kernel=kernel).directories_removed == 100
    os.close(fd)
    assert "rename" not in {name for name, _ in kernel.calls}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EACCES, errno.ENOSPC])
def test_where_it_is_refused_it_goes_where_it_is(cache, watching, number):
    dig(cache, 100)
    kernel = watching(refuse=lambda name, _: OSError(number, "no") if name == "rename" else None)
    report = clean_sync(str(cache), kernel=kernel, fence=Behind())
    assert (report.empty, report.directories_removed) == (True, 100)


def test_a_name_that_is_taken_is_not_lost(cache, place):
    dig(cache, 60)
    taken = cache / f"{TRASH_PREFIX}-deep-1" / "full"
    taken.mkdir(parents=True)
    fd = os.open(cache, os.O_RDONLY)
    removal = remove_contents(fd, keep={taken.parent.name, "CACHEDIR.TAG"}, options=Options(depth=20))
    os.close(fd)
    assert (removal.left, removal.directories_removed) == ((), 60)
    assert taken.exists()


def test_what_stays_is_named_where_it_is(cache, watching):
    dig(cache, 80, files=True)
    calls = []

    def refuse(name, arguments):
        if name == "unlink" and arguments[0] == "file":
            calls.append(1)
            return OSError(errno.EPERM, "no") if len(calls) == 60 else None
        return None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse), fence=Behind())
    (left,) = report.left
    assert (cache / left.path).is_file()
    assert left.path.startswith(f"{TRASH_PREFIX}/{TRASH_PREFIX}-deep-")
    assert clean_sync(str(cache)).empty


def test_modes_on_the_way_are_no_obstacle(cache):
    dig(cache, 100)
    for depth in (20, 40, 60):
        os.chmod("/".join([str(cache), *["d"] * depth]), 0o300)
    report = clean_sync(str(cache), fence=Behind())
    assert (report.empty, report.permissions_repaired) == (True, 3)


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o500])
def test_a_chain_that_keeps_us_out_goes_and_costs_what_another_does(cache, watching, mode):
    dig(cache, 200)
    for depth in range(200, 0, -1):
        os.chmod("/".join([str(cache), *["d"] * depth]), mode)
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, fence=Behind())
    assert (report.empty, report.directories_removed, report.permissions_repaired) == (True, 200, 199)
    moves = [arguments for name, arguments in kernel.calls if name == "rename" and "-deep-" in arguments[1]]
    # Each is tried again when its mode is in the way, and when that of its directory is.
    assert 200 // DEPTH <= len(moves) <= 3 * (200 // DEPTH)


def test_a_worker_whose_top_is_shut_leaves_what_is_deep_to_the_last_look(cache, watching):
    """It may not repair that one, and each level would be tried, and walked up from, in vain."""
    archive = cache / "archive-v0"
    for number in range(100):
        (archive / f"{number}").mkdir(parents=True)
    dig(archive / "0", 500)
    archive.chmod(0o555)
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, fence=Behind(), crew=InTurn(64))
    assert (report.empty, report.directories_removed, report.permissions_repaired) == (True, 601, 1)
    moves = [arguments for name, arguments in kernel.calls if name == "rename" and "-deep-" in arguments[1]]
    assert len(moves) <= 2 + 500 // DEPTH
    assert deepest(kernel) <= 2


def test_where_the_top_itself_refuses_it_is_asked_once(place, watching):
    (place / "top" / "tree").mkdir(parents=True)
    dig(place / "top" / "tree", 100)
    (place / "top").chmod(0o500)
    fd = os.open(place / "top", os.O_RDONLY)
    kernel = watching()
    removal = remove_entries(("tree",), dir_fd=fd, kernel=kernel, options=Options(depth=DEPTH))
    os.close(fd)
    assert (removal.directories_removed, [left.path for left in removal.left]) == (100, ["tree"])
    assert sum(name == "rename" for name, _ in kernel.calls) == 1


def test_what_was_given_bits_to_be_moved_and_stays_gets_its_mode_back(cache, watching):
    dig(cache, DEPTH + 8)
    way = [str(cache), *["d"] * (DEPTH + 3)]
    open("/".join([*way, "stays"]), "w").close()
    os.chmod("/".join(way[: DEPTH + 2]), 0o500)

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if (name, arguments[0]) == ("unlink", "stays") else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse), fence=Behind())
    (left,) = report.left
    top, moved, *_ = left.path.split("/")
    assert top == TRASH_PREFIX
    assert moved.startswith(f"{TRASH_PREFIX}-deep-")
    assert (cache / top / moved).stat().st_mode & 0o777 == 0o500
    assert (cache / left.path).exists()


def test_stopped_before_what_was_moved_is_entered(cache, watching):
    dig(cache, DEPTH + 8)
    os.chmod("/".join([str(cache), *["d"] * (DEPTH + 1)]), 0o500)
    moved = []

    def before(name, arguments):
        if name == "rename" and "-deep-" in arguments[1]:
            moved.append(arguments[1])

    report = clean_sync(str(cache), kernel=watching(before=before), fence=Behind(), cancelled=lambda: len(moved) > 1)
    assert report.cancelled
    assert (cache / TRASH_PREFIX / moved[-1]).stat().st_mode & 0o777 == 0o500
    assert clean_sync(str(cache)).empty


def below(place):
    """Every path below a place, however deep."""
    return sorted(os.path.relpath(f"{at}/{name}", place) for at, dirs, files in os.walk(place) for name in dirs + files)


@pytest.mark.parametrize("where", [".", "entry", ".cachestorm-trash"])
def test_paths_are_told_as_they_were_before_anything_was_moved_up(cache, where):
    for name in "ab":
        (cache / where / name).mkdir(parents=True)
        dig(cache / where / name, 100, files=True)
    (cache / where / "a" / "other").mkdir()
    dig(cache / where / "a" / "other", 30)
    shut = [f"{where}/a/" + "/".join("d" * depth) for depth in (5, DEPTH, DEPTH + 1, 40, 60)]
    wanted = set(below(cache)) - {"CACHEDIR.TAG"}
    for path in reversed(shut):
        os.chmod(cache / path, 0o500)
    removed, mended = [], []
    report = clean_sync(str(cache), fence=Behind(), removed=removed.append, mended=mended.append)
    assert report.empty
    assert set(removed) == wanted
    assert len(removed) == len(wanted) == report.files_removed + report.directories_removed
    assert sorted(mended) == sorted(os.path.normpath(path) for path in shut)
    assert report.permissions_repaired == len(shut)


def test_paths_of_residue_are_told_as_they_were_before_anything_was_moved_up(cache):
    for name in "ab":
        (cache / "entry" / "build" / f"bdist.{name}").mkdir(parents=True)
        dig(cache / "entry" / "build" / f"bdist.{name}", 60, files=True)
    wanted = [path for path in below(cache) if path.startswith("entry/build/")]
    (cache / "entry" / "build").chmod(0o500)
    removed, mended = [], []
    report = clean_sync(str(cache), fence=Behind(), residue_only=True, removed=removed.append, mended=mended.append)
    assert (report.succeeded, report.permissions_repaired) == (True, 1)
    assert sorted(removed) == wanted
    # Two things went from it, and it had its mode in between.
    assert mended == ["entry/build"]


def test_a_million_directories_that_lie_deep_are_not_remembered_in_the_top(cache, monkeypatch, watching):
    monkeypatch.setattr("cache_core.removal._WAITING_MAX", 8)
    dig(cache, 34)
    deep = "/".join([str(cache), *["d"] * 34])
    for number in range(200):
        os.mkdir(f"{deep}/{number}")
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, fence=Behind())
    assert (report.empty, report.directories_removed) == (True, 234)
