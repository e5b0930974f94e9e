"""The path that was given is what the report is about, whatever became of the directory that had it first."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil

import pytest

from cache_core import CacheInUseError, clean_sync
from cache_core.layout import TAG_TEXT
from cache_core.report import LOCK_HELD


def build(root):
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    (root / "content").mkdir()
    (root / "content" / "file").write_bytes(b"x" * 100)


def wait_while(cache, change):
    """Clean while the lock is held, change something, let the lock go: what others do while a cleaner waits."""
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_SH)

    def on_wait(holders):
        change()
        os.close(fd)

    return on_wait


def moved(cache):
    os.rename(cache, cache.parent / "old")


def deleted(cache):
    shutil.rmtree(cache)


@pytest.mark.parametrize("away", [moved, deleted])
@pytest.mark.parametrize("remove_root", [False, True])
def test_rebuilt_while_the_lock_is_waited_for(cache, place, away, remove_root):
    def change():
        away(cache)
        build(cache)

    report = clean_sync(str(cache), on_wait=wait_while(cache, change), remove_root=remove_root, sleep=lambda _: None)
    assert (report.empty, report.files_removed, report.lock) == (True, 1, LOCK_HELD)
    assert cache.exists() is not remove_root
    assert not (cache / "content").exists()
    if away is moved:
        assert sorted(os.listdir(place / "old")) == [".lock", "CACHEDIR.TAG"]


def test_gone_while_the_lock_is_waited_for(cache, place):
    (cache / "content").mkdir()
    on_wait = wait_while(cache, lambda: moved(cache))
    report = clean_sync(str(cache), on_wait=on_wait, sleep=lambda _: None)
    assert (report.empty, report.files_removed, report.left) == (True, 0, ())
    assert (place / "old" / "content").is_dir()


def test_rebuilt_by_others_each_time_ends(cache, place, watching):
    old = []

    def before(name, arguments):
        if name == "flock":
            os.rename(cache, place / f"old{len(old)}")
            old.append(name)
            build(cache)

    with pytest.raises(CacheInUseError, match="replaced"):
        clean_sync(str(cache), kernel=watching(before=before))
    assert (cache / "content" / "file").exists()
    assert len(old) < 100


def test_the_time_to_wait_is_for_all_roots_together(cache, place):
    now = [0.0]
    holders = []

    def hold():
        fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(fd, fcntl.LOCK_SH)
        holders.append(fd)

    def sleep(seconds):
        now[0] += seconds
        if now[0] > 4 and len(holders) == 1:
            moved(cache)
            build(cache)
            hold()
            os.close(holders[0])

    hold()
    with pytest.raises(CacheInUseError):
        clean_sync(str(cache), timeout=5, clock=lambda: now[0], sleep=sleep)
    os.close(holders[1])
    assert now[0] == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize("force", [False, True])
def test_rebuilt_while_it_is_cleaned_is_not_empty(cache, place, watching, force):
    (cache / "content").mkdir()

    def before(name, arguments):
        if name == "rmdir" and not (place / "old").exists():
            moved(cache)
            build(cache)

    report = clean_sync(str(cache), kernel=watching(before=before), force=force)
    assert not report.empty
    assert not report.succeeded
    assert [left.path for left in report.left] == ["."]
    assert "another directory" in report.left[0].reason
    assert (cache / "content" / "file").exists()


def test_residue_only_of_a_root_that_is_another_by_now(cache, place, watching):
    (cache / "poisoned").mkdir(mode=0o200)

    def before(name, arguments):
        if name == "rmdir" and not (place / "old").exists():
            moved(cache)
            build(cache)

    report = clean_sync(str(cache), kernel=watching(before=before), residue_only=True)
    assert not report.succeeded
    assert [left.path for left in report.left] == ["."]


def test_remove_root_does_not_remove_another_directory(cache, place, watching):
    def before(name, arguments):
        if name == "unlink" and arguments[0] == ".lock":
            moved(cache)
            cache.mkdir()

    report = clean_sync(str(cache), kernel=watching(before=before), remove_root=True)
    assert not report.empty
    assert [left.path for left in report.left] == ["."]
    assert cache.is_dir()
    assert os.listdir(place / "old") == ["CACHEDIR.TAG"]


def test_remove_root_removed_another_at_the_last_moment_and_says_so(cache, place, watching):
    """Race 16."""

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "cache":
            moved(cache)
            cache.mkdir()

    report = clean_sync(str(cache), kernel=watching(before=before), remove_root=True)
    assert not report.empty
    assert [left.path for left in report.left] == ["."]
    assert os.listdir(place / "old") == ["CACHEDIR.TAG"]
    assert not cache.exists()


def test_remove_root_removes_no_other_that_holds_anything(cache, place, watching):
    """Race 16, of one that is not empty."""

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "cache":
            moved(cache)
            build(cache)

    report = clean_sync(str(cache), kernel=watching(before=before), remove_root=True)
    assert [left.path for left in report.left] == ["."]
    assert (cache / "content" / "file").exists()
    assert os.listdir(place / "old") == ["CACHEDIR.TAG"]


def test_a_root_that_cannot_be_compared_is_reported(cache, watching):
    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "lstat" and arguments[0] == "cache" else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, [(left.path, left.errno) for left in report.left]) == (False, [(".", "EIO")])


def test_a_shut_root_that_another_cleaner_repaired_is_cleaned(cache, watching):
    (cache / "content").mkdir()
    cache.chmod(0)

    def before(name, arguments):
        if name == "fstat" and not os.access(cache, os.R_OK):
            cache.chmod(0o700)

    assert clean_sync(str(cache), kernel=watching(before=before)).empty
