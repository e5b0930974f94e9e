"""What is left is looked at once more before it is told: others may have moved it to and fro, or away."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core import clean_sync
from cache_core.acts import REPAIRS_MAX
from cache_core.again import split_by_presence
from cache_core.crew import ALONE
from cache_core.kernel import REAL
from cache_core.layout import TRASH_PREFIX
from cache_core.outcome import Left
from tests.support.crews import InTurn

OPTIONS = [{}, {"residue_only": True}]
# A refusal that may be a mode's is tried so often in one look: others may have repaired that meanwhile.
TRIES = 1 + REPAIRS_MAX


def fill(cache):
    for number in range(3):
        (cache / ".tmpx" / f"{number}" / "d").mkdir(parents=True)
        (cache / ".tmpx" / f"{number}" / "d" / f"file-{number}").touch()


def refusing(name, number=errno.EACCES, times=1, then=lambda: None):
    """As behind a fence what is done in a directory that is out of the cache at that moment."""
    asked = []

    def refuse(call, arguments):
        if call == "unlink" and arguments[0] == name:
            asked.append(1)
            if len(asked) == 1:
                then()
            if len(asked) <= times:
                return OSError(number, os.strerror(number))
        return None

    return refuse, asked


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("crew", [ALONE, InTurn(2)], ids=["alone", "crew"])
def test_what_nothing_explains_is_tried_again(cache, watching, options, crew):
    fill(cache)
    # Once by each who looks: a worker, the last look, with residue the removal of the one item; and once again.
    looks = 1 + (crew is not ALONE or "residue_only" in options) + 1
    refuse, asked = refusing("file-1", times=looks * TRIES)
    report = clean_sync(str(cache), kernel=watching(refuse=refuse), crew=crew, **options)
    assert (report.succeeded, report.left, report.files_removed) == (True, (), 3)
    assert report.directories_removed == 7
    assert len(asked) == looks * TRIES + 1


@pytest.mark.parametrize("options", OPTIONS)
def test_and_that_a_bounded_number_of_times(cache, watching, options):
    fill(cache)
    refuse, asked = refusing("file-1", times=1000)
    report = clean_sync(str(cache), kernel=watching(refuse=refuse), **options)
    assert [left.path for left in report.left] == [f"{TRASH_PREFIX}/.tmpx/1/d/file-1"]
    assert len(asked) == (1 + ("residue_only" in options) + 2) * TRIES


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO, errno.EBUSY])
def test_what_is_explained_is_not(cache, watching, number):
    fill(cache)
    refuse, asked = refusing("file-1", number, times=1000)
    assert not clean_sync(str(cache), kernel=watching(refuse=refuse)).succeeded
    assert len(asked) == 1


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_has_been_moved_out_is_not_said_to_be_left(cache, place, watching, options, number):
    fill(cache)
    moved = cache / TRASH_PREFIX / ".tmpx" / "1"
    refuse, _ = refusing("file-1", number, times=TRIES, then=lambda: os.rename(moved, place / "out"))
    report = clean_sync(str(cache), kernel=watching(refuse=refuse), **options)
    assert not [left for left in report.left if not os.path.lexists(cache / left.path)]
    assert os.listdir(place / "out" / "d") == ["file-1"]
    assert clean_sync(str(cache), **options).succeeded
    assert not (cache / TRASH_PREFIX).exists()


def test_a_directory_that_something_was_left_in_goes_when_that_has_gone(cache, place, watching):
    fill(cache)
    stays, _ = refusing("file-2", errno.EPERM, times=1000)
    away = cache / TRASH_PREFIX / ".tmpx" / "1" / "d" / "file-1"
    moved, _ = refusing("file-1", errno.EIO, then=lambda: os.rename(away, place / "out"))
    kernel = watching(refuse=lambda *call: stays(*call) or moved(*call))
    report = clean_sync(str(cache), kernel=kernel)
    assert [left.path for left in report.left] == [f"{TRASH_PREFIX}/.tmpx/2/d/file-2"]
    assert not (cache / TRASH_PREFIX / ".tmpx" / "1").exists()


@pytest.fixture
def split(cache):
    fd = os.open(cache, os.O_RDONLY)
    yield lambda *paths: split_by_presence(fd, [Left(path, "EACCES", "") for path in paths], REAL)
    os.close(fd)


def test_the_nearest_that_is_there_is_named_for_what_is_not(cache, split, outside):
    fill(cache)
    (cache / "link").symlink_to(outside)
    (cache / "a").mkdir()
    (cache / "a" / "link").symlink_to(outside)
    (cache / "a" / "file").touch()
    there, above = split(".", ".tmpx/0/d/file-0", "a/b/c", "gone", "gone/too", "link/plain")
    assert [item.path for item in there] == [".", ".tmpx/0/d/file-0"]
    assert above == []
    assert split("a/link/plain", "a/file/below", "a/gone")[1] == ["a/file", "a/link"]
    assert split(".tmpx/0/d/gone", ".tmpx/0/d/gone-too", ".tmpx/1/gone")[1] == [".tmpx/0/d", ".tmpx/1"]
    assert split(".tmpx/0/gone", ".tmpx/0/d/file-0")[1] == []


def test_what_cannot_be_looked_at_counts_as_there(cache, split):
    fill(cache)
    (cache / ".tmpx" / "0").chmod(0)
    assert split(".tmpx/0/d/file-0")[0]
