"""Detach, then delete: nobody sees half of an entry, and where it cannot be moved it is removed in place."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import audit, clean_sync
from cache_core.layout import TRASH_PREFIX


def fill(cache, entries=6, files=5):
    for entry in range(entries):
        (cache / f"entry-{entry}" / "d").mkdir(parents=True)
        for number in range(files):
            (cache / f"entry-{entry}" / "d" / f"{number}").write_text("x")


def test_an_entry_is_there_as_a_whole_or_not_at_all(cache, watching):
    fill(cache)
    seen = []

    def before(name, arguments):
        entries = [entry for entry in os.listdir(cache) if entry.startswith("entry")]
        seen.append(len(entries))
        for entry in entries:
            assert len(os.listdir(cache / entry / "d")) == 5, (name, arguments)

    assert clean_sync(str(cache), kernel=watching(before=before)).empty
    assert seen[0] == 6
    assert seen[-1] == 0


def test_the_place_itself_does_not_count(cache):
    fill(cache)
    report = clean_sync(str(cache))
    assert (report.empty, report.files_removed, report.directories_removed) == (True, 30, 12)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_in_place_where_nothing_can_be_made(cache, watching, number):
    fill(cache)
    kernel = watching(refuse=lambda name, _: OSError(number, "no") if name == "mkdir" else None)
    report = clean_sync(str(cache), kernel=kernel)
    assert (report.empty, report.files_removed) == (True, 30)
    assert "rename" not in {name for name, _ in kernel.calls}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EBUSY])
def test_in_place_where_rename_is_refused(cache, watching, number):
    """EXDEV: a directory of a lower layer of overlayfs. Others that can be moved are."""
    fill(cache)
    refused = []

    def refuse(name, arguments):
        if name != "rename" or refused:
            return None
        refused.append(arguments[0])
        return OSError(number, "no")

    kernel = watching(refuse=refuse)
    assert clean_sync(str(cache), kernel=kernel).empty
    assert len(refused) == 1
    assert sum(name == "rename" for name, _ in kernel.calls) == 6


def test_a_directory_whose_mode_refuses_the_move_goes_in_place(cache):
    fill(cache)
    (cache / "entry-1").chmod(0o500)
    (cache / "entry-2").chmod(0)
    report = clean_sync(str(cache))
    assert (report.empty, report.permissions_repaired) == (True, 2)


@pytest.mark.parametrize("residue_only", [False, True])
def test_what_a_killed_cleaner_left_goes_with_the_next_run(cache, residue_only):
    for name in (TRASH_PREFIX, f"{TRASH_PREFIX}-1"):
        (cache / name / "archive" / "d").mkdir(parents=True)
        (cache / name / "archive" / "d").chmod(0o200)
    fill(cache, entries=1)
    assert audit(str(cache)).trash == (TRASH_PREFIX, f"{TRASH_PREFIX}-1")
    report = clean_sync(str(cache), residue_only=residue_only)
    assert report.succeeded
    assert (cache / "entry-0").exists() == residue_only
    assert not [name for name in os.listdir(cache) if name.startswith(TRASH_PREFIX)]


def test_what_cannot_be_removed_is_named_where_it_is_and_in_nobodys_way(cache, watching):
    fill(cache)
    kernel = watching(
        refuse=lambda name, arguments: OSError(errno.EPERM, "no") if (name, arguments[0]) == ("unlink", "3") else None
    )
    report = clean_sync(str(cache), kernel=kernel)
    left = [item.path for item in report.left]
    assert left == [f"{TRASH_PREFIX}/entry-{entry}/d/3" for entry in range(6)]
    assert all((cache / path).exists() for path in left)
    fill(cache)
    assert clean_sync(str(cache)).empty


def test_what_something_is_mounted_in_is_not_moved(cache, monkeypatch, watching):
    """The mount would move with it."""
    fill(cache)
    mounts = {"entry-1/d": {"mounted"}, "": {"entry-2"}}
    monkeypatch.setattr("cache_core.surroundings.mounts_below", lambda _kernel, _fd: mounts)
    kernel = watching()
    assert clean_sync(str(cache), kernel=kernel).empty
    moved = {arguments[0] for name, arguments in kernel.calls if name == "rename"}
    assert moved == {"entry-0", "entry-3", "entry-4", "entry-5"}


def test_files_are_not_moved(cache, watching):
    for number in range(10):
        (cache / f"{number}").touch()
    kernel = watching()
    assert clean_sync(str(cache), kernel=kernel).empty
    assert not {"rename", "mkdir"} & {name for name, _ in kernel.calls}


def test_a_dry_run_moves_nothing(cache, watching):
    fill(cache)
    kernel = watching()
    clean_sync(str(cache), dry_run=True, kernel=kernel)
    assert not {"rename", "mkdir", "unlink"} & {name for name, _ in kernel.calls}


def test_residue_of_one_name_in_many_places(cache):
    for number in range(5):
        (cache / f"{number}" / "build" / "bdist.linux" / "d").mkdir(parents=True)
        (cache / f"{number}" / "build" / "bdist.linux" / "d" / "file").touch()
    told = []
    report = clean_sync(str(cache), residue_only=True, removed=told.append)
    assert (report.succeeded, report.directories_removed) == (True, 10)
    assert os.listdir(cache / "3" / "build") == []
    assert "3/build/bdist.linux/d/file" in told


@pytest.mark.parametrize("number", [errno.EIO, errno.EBUSY, errno.EACCES])
def test_a_place_that_cannot_be_removed_is_named_with_what_refused(cache, watching, number):
    """It is empty, so nothing in it is to blame, and it did not appear meanwhile."""
    fill(cache)

    def refuse(name, arguments):
        return OSError(number, "no") if name == "rmdir" and arguments[0] == TRASH_PREFIX else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert not report.empty
    assert [(left.path, left.errno) for left in report.left] == [(TRASH_PREFIX, errno.errorcode[number])]


def test_a_place_that_could_not_be_removed_at_once_goes_in_the_end(cache, watching):
    fill(cache)
    refused = []

    def refuse(name, arguments):
        if name == "rmdir" and arguments[0] == TRASH_PREFIX and not refused:
            refused.append(arguments)
            return OSError(errno.EIO, "no")
        return None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, report.left, len(refused)) == (True, (), 1)


@pytest.mark.parametrize("name", [TRASH_PREFIX, f"{TRASH_PREFIX}-1"])
def test_another_cleaners_trash_that_comes_after_the_last_look_goes_too(cache, watching, name):
    """Two by force: both succeed. It may have the name that our own had."""
    fill(cache)
    came = []

    def before(call, arguments):
        if call == "listdir" and not came and not (cache / TRASH_PREFIX).exists():
            came.append(name)
            (cache / name).mkdir()

    report = clean_sync(str(cache), kernel=watching(before=before), force=True)
    assert came == [name]
    assert (report.empty, report.left) == (True, ())


def test_what_comes_again_and_again_is_told(cache, watching):
    fill(cache)

    def before(call, arguments):
        if call == "listdir" and not (cache / TRASH_PREFIX).exists():
            (cache / "late").mkdir(exist_ok=True)

    report = clean_sync(str(cache), kernel=watching(before=before), force=True)
    assert [(left.path, left.errno) for left in report.left] == [("late", "ENOTEMPTY")]
    assert not report.empty
