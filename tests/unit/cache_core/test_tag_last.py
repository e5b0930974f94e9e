"""What a missing tag protects, and how long a tag stays: as long as anything else does."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import NotACacheError, clean_sync
from cache_core.layout import TAG_TEXT


@pytest.fixture
def untagged(place):
    root = place / "data"
    root.mkdir()
    return root


def test_data_under_the_name_of_the_lock_is_data(untagged):
    (untagged / ".lock" / "thesis").mkdir(parents=True)
    (untagged / ".lock" / "thesis" / "a").write_text("w")
    with pytest.raises(NotACacheError):
        clean_sync(str(untagged))
    assert (untagged / ".lock" / "thesis" / "a").read_text() == "w"
    assert clean_sync(str(untagged), untagged=True).empty


def test_data_under_the_name_of_the_ignore_file_is_data(untagged):
    (untagged / ".gitignore").write_bytes(b"x" * 5000)
    with pytest.raises(NotACacheError):
        clean_sync(str(untagged))
    assert (untagged / ".gitignore").stat().st_size == 5000
    (untagged / ".gitignore").write_bytes(b"x" * 4096)
    assert clean_sync(str(untagged)).empty


def test_a_name_that_cannot_be_looked_at_may_be_data(untagged, watching):
    (untagged / ".gitignore").touch()

    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "lstat" and arguments[0] == ".gitignore" else None

    with pytest.raises(NotACacheError):
        clean_sync(str(untagged), kernel=watching(refuse=refuse))
    assert os.listdir(untagged) == [".gitignore"]


def refuse_bad(name, arguments):
    return OSError(errno.EPERM, "no") if name == "unlink" and arguments[0] == "bad" else None


@pytest.mark.parametrize("remove_root", [False, True])
def test_a_long_tag_stays_while_anything_does(cache, watching, remove_root):
    (cache / "CACHEDIR.TAG").write_bytes(TAG_TEXT.ljust(5000, b"\n"))
    (cache / "bad").touch()
    report = clean_sync(str(cache), kernel=watching(refuse=refuse_bad), remove_root=remove_root)
    assert not report.empty
    assert [(left.path, left.errno) for left in report.left] == [("CACHEDIR.TAG", "ENOTEMPTY"), ("bad", "EPERM")]
    assert "last" in report.left[0].reason
    report = clean_sync(str(cache), remove_root=remove_root)
    assert (report.empty, report.left, report.files_removed) == (True, (), 2)


def test_a_long_tag_stays_while_a_late_entry_does(cache, watching):
    (cache / "CACHEDIR.TAG").write_bytes(TAG_TEXT.ljust(5000, b"\n"))

    def before(name, arguments):
        if name == "unlink" and arguments[0] == "CACHEDIR.TAG":
            (cache / "late").touch()

    report = clean_sync(str(cache), kernel=watching(before=before), force=True)
    assert [left.path for left in report.left] == ["late"]
    assert (cache / "CACHEDIR.TAG").exists()
    report = clean_sync(str(cache))
    assert report.empty


def test_a_long_tag_that_cannot_go_is_named_once(cache, watching):
    (cache / "CACHEDIR.TAG").write_bytes(TAG_TEXT.ljust(5000, b"\n"))

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "unlink" and arguments[0] == "CACHEDIR.TAG" else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, [(left.path, left.errno) for left in report.left]) == (False, [("CACHEDIR.TAG", "EPERM")])


def test_a_long_tag_stays_when_cancelled(cache):
    (cache / "CACHEDIR.TAG").write_bytes(TAG_TEXT.ljust(5000, b"\n"))
    report = clean_sync(str(cache), cancelled=lambda: True)
    assert [(left.path, left.errno) for left in report.left] == [("CACHEDIR.TAG", "ECANCELED")]
    assert (cache / "CACHEDIR.TAG").exists()


def test_a_long_false_tag_is_content_like_any_other(untagged):
    (untagged / "CACHEDIR.TAG").write_bytes(b"x" * 5000)
    report = clean_sync(str(untagged), untagged=True)
    assert (report.empty, report.files_removed, os.listdir(untagged)) == (True, 1, [".lock"])


def refuse_listing(*names, times=100):
    """Refuses listings of the root, which is the only directory there."""
    refused = []

    def refuse(name, arguments):
        if name in names and len(refused) < times:
            refused.append(name)
            return OSError(errno.EIO, "no")
        return None

    return refuse


def test_a_root_that_could_not_be_listed_once_is_not_in_use(cache, watching):
    (cache / "a").touch()
    (cache / "b").touch()
    # Once when directories are moved aside, once when everything is removed.
    report = clean_sync(str(cache), kernel=watching(refuse=refuse_listing("scandir", times=2)))
    assert (report.empty, [(left.path, left.errno) for left in report.left]) == (False, [(".", "EIO")])


def test_a_root_that_cannot_be_listed_is_named_once(cache, watching):
    (cache / "a").touch()
    report = clean_sync(str(cache), kernel=watching(refuse=refuse_listing("scandir", "listdir")))
    assert (report.empty, [(left.path, left.errno) for left in report.left]) == (False, [(".", "EIO")])


def test_a_listing_that_failed_of_a_root_that_is_empty(cache, watching):
    report = clean_sync(str(cache), kernel=watching(refuse=refuse_listing("scandir", times=1)))
    assert (report.empty, report.left) == (True, ())


def test_a_long_tag_goes_with_the_first_run_whatever_was_moved_aside(cache):
    (cache / "CACHEDIR.TAG").write_bytes(TAG_TEXT.ljust(5000, b"\n"))
    (cache / "entry" / "inner").mkdir(parents=True)
    report = clean_sync(str(cache))
    assert (report.empty, report.left, os.listdir(cache)) == (True, (), [".lock"])
