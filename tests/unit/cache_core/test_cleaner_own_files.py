"""The cleaner and the files that are the cache's own: the lock it holds, the tag by which the next one knows it."""

from __future__ import annotations

import errno
import os

import pytest

import cache_core
from cache_core import clean_sync
from cache_core.layout import TRASH_PREFIX
from cache_core.report import LOCK_HELD
from cache_core.surroundings import NOWHERE

KEPT = [".gitignore", ".lock", "CACHEDIR.TAG"]


@pytest.fixture
def whole(cache):
    """With all three files, and something to remove."""
    (cache / ".lock").touch()
    (cache / ".gitignore").write_text("*")
    (cache / "entry" / "d").mkdir(parents=True)
    (cache / "entry" / "file").touch()
    return cache


def named(report):
    return [(left.path, left.errno) for left in report.left]


# A name that cannot be looked at.


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOMEM])
@pytest.mark.parametrize("name", KEPT)
def test_one_failed_look_does_not_make_it_content(whole, watching, name, number):
    """The lock that we hold would be deleted, and the next cleaner would not wait for us."""
    inode = (whole / name).stat().st_ino
    looks = []

    def refuse(call, arguments):
        if call == "lstat" and arguments[0] == name and not locking(kernel):
            looks.append(call)
            return OSError(number, "no") if len(looks) == 1 else None
        return None

    kernel = watching(refuse=refuse)
    report = clean_sync(str(whole), kernel=kernel)
    assert looks
    assert (whole / name).stat().st_ino == inode
    assert (report.empty, report.lock, named(report)) == (True, LOCK_HELD, [])


def locking(kernel):
    """Whether the lock is being taken: its look at the name is another matter."""
    return not any(
        name == "scandir" or (name, arguments[0]) == ("lstat", "CACHEDIR.TAG") for name, arguments in kernel.calls
    )


@pytest.mark.parametrize("name", KEPT)
def test_what_can_never_be_looked_at_stays_and_is_named(whole, watching, name):
    """It may be anything, so the cache is not known to be empty."""
    inode = (whole / name).stat().st_ino

    def refuse(call, arguments):
        return OSError(errno.EIO, "no") if call == "lstat" and arguments[0] == name else None

    report = clean_sync(str(whole), kernel=watching(refuse=refuse), remove_root=True)
    assert (report.empty, report.succeeded, named(report)) == (False, False, [(name, "EIO")])
    assert "device" in report.left[0].reason
    assert (whole / name).stat().st_ino == inode
    assert sorted(os.listdir(whole)) == KEPT


def test_one_that_goes_while_the_cache_is_read_again_is_not_left(whole, watching):
    def before(call, arguments):
        if call == "listdir":
            listed.append(call)
        elif call == "lstat" and listed and arguments[0] == ".gitignore":
            (whole / ".gitignore").unlink()

    listed = []
    report = clean_sync(str(whole), kernel=watching(before=before))
    assert (listed, report.empty, named(report)) == (["listdir"], True, [])


# What stands where the lock belongs.


def test_what_was_no_lock_is_counted(whole):
    (whole / ".lock").unlink()
    (whole / ".lock" / "d").mkdir(parents=True)
    (whole / ".lock" / "d" / "file").touch()
    report = clean_sync(str(whole), residue_only=True)
    assert (report.lock, report.files_removed, report.directories_removed) == (LOCK_HELD, 1, 2)


@pytest.mark.parametrize("residue_only", [False, True])
def test_what_is_no_lock_and_cannot_be_removed_is_named_once(whole, watching, residue_only):
    (whole / ".lock").unlink()
    (whole / ".lock").mkdir()
    (whole / ".lock" / "stays").touch()
    (whole / ".lock" / "goes").touch()

    def refuse(call, arguments):
        return OSError(errno.EPERM, "no") if call == "unlink" and arguments[0] == "stays" else None

    kernel = watching(refuse=refuse)
    report = clean_sync(str(whole), kernel=kernel, residue_only=residue_only)
    # It is out of the way, so there is a lock all the same.
    stays = [(f"{TRASH_PREFIX}/.lock/stays", "EPERM")]
    assert (report.succeeded, report.lock, named(report)) == (False, LOCK_HELD, stays)
    assert report.files_removed == (1 if residue_only else 2)
    assert sum(call == "unlink" and arguments[0] == "stays" for call, arguments in kernel.calls) <= 2


def test_cancelled_while_what_is_no_lock_is_removed(whole):
    (whole / ".lock").unlink()
    for number in range(20):
        (whole / ".lock" / f"d{number}").mkdir(parents=True)
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) == 30

    report = clean_sync(str(whole), cancelled=cancelled)
    assert (report.cancelled, report.succeeded, report.lock) == (True, False, LOCK_HELD)
    assert 0 < report.directories_removed < 20


# The root that was to be removed, and stays.


def test_a_root_that_a_builder_entered_is_still_a_cache(whole, watching):
    """A builder that was quicker than our rmdir: the next cleaner must know the cache again."""

    def before(call, arguments):
        if call == "rmdir" and arguments[0] == "cache":
            (whole / "new").mkdir()

    report = clean_sync(str(whole), remove_root=True, kernel=watching(before=before))
    assert (report.empty, named(report)) == (False, [(".", "ENOTEMPTY")])
    assert "still in use" in report.left[0].reason
    assert sorted(os.listdir(whole)) == ["CACHEDIR.TAG", "new"]
    assert clean_sync(str(whole)).empty


@pytest.mark.parametrize("name", [*KEPT, "cache"])
def test_a_root_of_which_something_cannot_be_removed_is_still_a_cache(whole, watching, name):
    def refuse(call, arguments):
        if call in ("unlink", "rmdir") and arguments[0] == name:
            (whole / "late").touch()
            return OSError(errno.EBUSY, "no")
        return None

    report = clean_sync(str(whole), remove_root=True, kernel=watching(refuse=refuse))
    assert (report.empty, named(report)) == (False, [("." if name == "cache" else name, "EBUSY")])
    assert clean_sync(str(whole)).empty


def test_a_root_that_cannot_be_marked_again_is_said_to_have_lost_its_tag(whole, watching):
    def refuse(call, arguments):
        if call == "rmdir" and arguments[0] == "cache":
            return OSError(errno.EBUSY, "no")
        return OSError(errno.ENOSPC, "full") if call == "write" else None

    report = clean_sync(str(whole), remove_root=True, kernel=watching(refuse=refuse))
    assert named(report) == [(".", "EBUSY")]
    assert report.left[0].reason == (
        "mounted, or in use by the system; its CACHEDIR.TAG is gone and could not be made again (ENOSPC)"
    )
    # A tag that starts but is not whole would be no tag, and in the way of one.
    assert os.listdir(whole) == []


@pytest.mark.parametrize("path", ["cache/entry/..", "cache/.."])
def test_a_root_named_by_dots_cannot_be_removed_and_that_is_said(whole, path):
    given = whole.parent / path
    before = sorted(os.listdir(whole))
    with pytest.raises(cache_core.RefusedRootError, match="ends in no name") as caught:
        clean_sync(str(given), remove_root=True, untagged=True, surroundings=NOWHERE)
    assert "mount" not in str(caught.value)
    assert sorted(os.listdir(whole)) == before


def test_a_root_named_by_dots_is_emptied_all_the_same(whole):
    assert clean_sync(str(whole / "entry" / ".."), surroundings=NOWHERE).empty
    assert sorted(os.listdir(whole)) == KEPT


# What residue may hide behind.


def test_a_place_that_could_not_be_looked_into_may_hold_residue(whole, watching):
    (whole / "entry" / "build" / "bdist.linux").mkdir(parents=True)
    inode = (whole / "entry").stat().st_ino

    def refuse(call, arguments):
        failed = call == "scandir" and os.fstat(arguments[0]).st_ino == inode
        return OSError(errno.EIO, "no") if failed else None

    report = clean_sync(str(whole), residue_only=True, kernel=watching(refuse=refuse))
    assert (report.succeeded, named(report)) == (False, [("entry", "EIO")])
    report = clean_sync(str(whole), residue_only=True)
    assert (report.succeeded, named(report), report.directories_removed) == (True, [], 1)
