"""What counts as poisoned, and what a cleaning of residue keeps, names and puts back."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core import audit, clean_sync
from cache_core.layout import TRASH_PREFIX


def poisoned(cache):
    return [(found.path, found.mode) for found in audit(str(cache)).poisoned]


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o300, 0o400, 0o600, 0o077, 0o477, 0o177])
def test_a_directory_without_read_or_search_for_its_owner_is(cache, mode):
    (cache / "d").mkdir()
    (cache / "d").chmod(mode)
    assert poisoned(cache) == [("d", mode)]
    assert clean_sync(str(cache), residue_only=True).succeeded
    assert not (cache / "d").exists()


@pytest.mark.parametrize("mode", [0o500, 0o555, 0o700])
def test_a_published_archive_is_not_and_stays(cache, mode):
    # `build` is also what a package may be called.
    package = cache / "archive" / "build" / "package"
    package.mkdir(parents=True)
    (package / "file").touch()
    for directory in (package, package.parent, package.parent.parent):
        directory.chmod(mode)
    assert not audit(str(cache)).has_residue
    report = clean_sync(str(cache), residue_only=True)
    assert (report.succeeded, report.files_removed, report.directories_removed) == (True, 0, 0)
    assert (package / "file").exists()
    assert stat.S_IMODE(package.stat().st_mode) == mode


def test_in_a_partial_tree_a_read_only_directory_is(cache):
    (cache / "e" / "build" / "bdist.x" / "wheel").mkdir(parents=True)
    (cache / "e" / "build" / "bdist.y").mkdir()
    for name in ("bdist.x/wheel", "bdist.y"):
        (cache / "e" / "build" / name).chmod(0o555)
    assert poisoned(cache) == [("e/build/bdist.x/wheel", 0o555), ("e/build/bdist.y", 0o555)]


def test_what_is_in_the_same_kind_of_residue_is_counted_and_not_listed(cache):
    inner = cache / "build" / "bdist.x" / "a" / "build" / "bdist.y" / "b"
    inner.mkdir(parents=True)
    for directory in (inner, inner.parent, cache / "build" / "bdist.x" / "a"):
        directory.chmod(0o500)
    report = audit(str(cache))
    assert report.partial_trees == ("build/bdist.x",)
    assert [found.path for found in report.poisoned] == ["build/bdist.x/a"]
    assert report.nested == 3


def test_residue_in_a_read_only_entry_goes_and_the_entry_keeps_its_mode(cache):
    (cache / "entry" / "shut").mkdir(parents=True)
    (cache / "entry" / "whole").touch()
    (cache / "entry" / "shut").chmod(0o200)
    (cache / "entry").chmod(0o555)
    report = clean_sync(str(cache), residue_only=True)
    assert (report.succeeded, report.directories_removed, report.permissions_repaired) == (True, 1, 1)
    assert os.listdir(cache / "entry") == ["whole"]
    assert stat.S_IMODE((cache / "entry").stat().st_mode) == 0o555


def test_a_place_that_could_not_be_looked_into_is_left(cache, watching):
    """Somebody else's directory: there may be residue in it."""
    (cache / "f" / "build" / "bdist.x").mkdir(parents=True)
    (cache / "entry" / "build" / "bdist.y").mkdir(parents=True)

    def refuse(name, arguments):
        return PermissionError(errno.EACCES, "no") if name == "openat2" and arguments[0] == "f" else None

    report = clean_sync(str(cache), residue_only=True, kernel=watching(refuse=refuse))
    assert not report.succeeded
    assert [(left.path, left.errno) for left in report.left] == [("f", "EACCES")]
    assert not (cache / "entry" / "build" / "bdist.y").exists()


def test_residue_that_comes_meanwhile_is_left(cache, watching):
    (cache / "old" / "build" / "bdist.x").mkdir(parents=True)

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "bdist.x":
            (cache / "new" / "build" / "bdist.y").mkdir(parents=True)

    report = clean_sync(str(cache), residue_only=True, kernel=watching(before=before))
    assert (report.succeeded, report.directories_removed) == (False, 1)
    assert [(left.path, left.errno) for left in report.left] == [("new/build/bdist.y", "ENOTEMPTY")]


def test_what_stays_in_residue_is_named_once(cache, watching):
    (cache / "e" / "build" / "bdist.x" / "d").mkdir(parents=True)
    (cache / "e" / "build" / "bdist.x" / "d" / "file").touch()

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "unlink" and arguments[0] == "file" else None

    report = clean_sync(str(cache), residue_only=True, kernel=watching(refuse=refuse))
    assert [left.path for left in report.left] == [f"{TRASH_PREFIX}/bdist.x/d/file"]
    # Out of the way: the next build makes its own.
    assert not (cache / "e" / "build" / "bdist.x").exists()


@pytest.mark.parametrize("removed", [0, 1])
def test_a_cancelled_cleaning_names_the_residue_that_it_did_not_reach(cache, removed):
    for name in ("a", "b", "c"):
        (cache / name / "build" / "bdist.x").mkdir(parents=True)
    places = [cache / "a" / "build" / "bdist.x", cache / TRASH_PREFIX / "bdist.x"]

    def cancelled():
        # When it is detached, or when it is gone as well.
        return not any(place.exists() for place in places[: 1 + removed])

    report = clean_sync(str(cache), residue_only=True, cancelled=cancelled)
    assert (report.cancelled, report.succeeded, report.directories_removed) == (True, False, removed)
    assert [(left.path, left.errno) for left in report.left] == [
        *([] if removed else [(TRASH_PREFIX, "ECANCELED")]),
        ("b/build/bdist.x", "ECANCELED"),
        ("c/build/bdist.x", "ECANCELED"),
    ]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_audit_heeds_a_cancellation(cache, after):
    for number in range(3):
        (cache / f"d{number}").mkdir()
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) > after

    report = audit(str(cache), cancelled=cancelled)
    assert (report.cancelled, len(asked)) == (True, after + 1)
    assert not audit(str(cache), cancelled=lambda: False).cancelled
