"""Buckets and what is between them and the entries, shut by a mode: opened, and what is whole in them stays."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import audit, clean_sync
from tests.support.residues import (
    ARCHIVE,
    CHECKOUT,
    DOWNLOAD,
    NEW_SHARD,
    NEW_SOURCE,
    OLD_SHARD,
    OLD_SOURCE,
    cleaned,
    files,
    fill,
    point,
    residue,
)  # fmt: skip

POINTER = "wheels-v1/pypi/pkg/pkg-1.0-py3-none-any.http"
SHELVES = {
    "archives": ("archive-v0", [f"{ARCHIVE}/pkg/a.py", "archive-v0/other/b.py"]),
    "pointers": ("wheels-v1/pypi", [POINTER]),
    "versions of a source": (os.path.dirname(NEW_SHARD), [f"{NEW_SOURCE}/setup.py", f"{NEW_SHARD}/pkg.whl"]),
    "versions in an index": (os.path.dirname(OLD_SHARD), [f"{OLD_SOURCE}/setup.py"]),
    "checkouts": ("git-v0/checkouts", [f"{CHECKOUT}/setup.py"]),
    "downloads of pip": (os.path.dirname(DOWNLOAD), [DOWNLOAD]),
    "wheels of pip": ("wheels/ab", ["wheels/ab/cd/pkg-1.0-py3-none-any.whl"]),
}


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o300, 0o400, 0o600])
@pytest.mark.parametrize("case", SHELVES)
def test_a_shelf_that_is_shut_is_opened_and_what_is_whole_in_it_stays(cache, case, mode):
    shelf, whole = SHELVES[case]
    fill(cache, *whole)
    (cache / shelf).chmod(mode)
    before = audit(str(cache))
    assert [(item.path, item.kind, item.is_shut_shelf) for item in before.residue] == [(shelf, "poisoned", True)]
    assert before.seen_in_part == {shelf}
    dry = clean_sync(str(cache), residue_only=True, dry_run=True)
    assert (dry.files_removed, dry.directories_removed) == (0, 0)
    assert (cache / shelf).stat().st_mode & 0o777 == mode
    mended = []
    report = clean_sync(str(cache), residue_only=True, mended=mended.append)
    assert (report.succeeded, report.files_removed, report.directories_removed) == (True, 0, 0)
    assert (report.permissions_repaired, mended) == (1, [shelf])
    assert (cache / shelf).stat().st_mode & 0o777 == mode | 0o700
    assert sorted(path for path in files(cache) if path in whole) == sorted(whole)
    assert not audit(str(cache)).has_residue


def test_residue_in_shelves_that_are_shut_goes(cache):
    """Shelves in shelves; a poisoned entry; a pointer to it, and one to an entry that is whole."""
    fill(cache, f"{ARCHIVE}/pkg/a.py", "archive-v0/spoilt/pkg/a.py", "archive-v0/.tmpx/a", f"{NEW_SOURCE}/setup.py")
    point(cache, POINTER, ARCHIVE)
    point(cache, "wheels-v1/pypi/bad/bad-1.0-py3-none-any.http", "archive-v0/spoilt")
    (cache / "archive-v0/spoilt/pkg").chmod(0o200)
    version = os.path.dirname(NEW_SHARD)
    for shelf in (version, os.path.dirname(version), "sdists-v11/pypi", "sdists-v11", "archive-v0"):
        (cache / shelf).chmod(0)
    assert {kind for _, kind in residue(cache)} == {"poisoned"}
    report = clean_sync(str(cache), residue_only=True)
    assert (report.succeeded, report.permissions_repaired) == (True, 5 + 1)
    assert files(cache / "archive-v0") == [os.path.relpath(f"{ARCHIVE}/pkg/a.py", "archive-v0")]
    assert (cache / NEW_SOURCE / "setup.py").exists()
    assert (cache / POINTER).exists()
    assert not (cache / "wheels-v1/pypi/bad/bad-1.0-py3-none-any.http").exists()


def test_a_shelf_that_cannot_be_opened_is_left_and_named_and_so_is_nothing_else(cache, watching):
    fill(cache, f"{ARCHIVE}/a.py", ".tmpx")
    point(cache, POINTER, ARCHIVE)
    (cache / "archive-v0").chmod(0)

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "chmod_descriptor" else None

    report = clean_sync(str(cache), residue_only=True, kernel=watching(refuse=refuse))
    assert [(left.path, left.errno) for left in report.left] == [("archive-v0", "EACCES")]
    assert (report.files_removed, report.permissions_repaired) == (1, 0)
    (cache / "archive-v0").chmod(0o700)
    assert (cache / ARCHIVE / "a.py").exists()
    assert (cache / POINTER).exists()


def test_what_a_build_makes_goes_as_before(cache):
    """It may be incomplete, and nobody would notice."""
    fill(
        cache,
        f"{ARCHIVE}/a.py",
        f"{OLD_SHARD}/a",
        "git-v0/db/81137838be98ebe9/a",
        "unknown/a",
        "lib-v1/a",
        "wheels/own/a",
    )
    places = [ARCHIVE, OLD_SHARD, "git-v0/db/81137838be98ebe9", "unknown", "lib-v1", "wheels/own"]
    for place in places:
        (cache / place).chmod(0)
    assert sorted(residue(cache)) == sorted((place, "poisoned") for place in places)
    assert not [item for item in audit(str(cache)).residue if item.is_shut_shelf]
    cleaned(cache)
