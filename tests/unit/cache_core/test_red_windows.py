"""Windows that the trash and the workers open, one by one: something else happens at the very call that it would hurt.

The numbers are those of the races in `cache_core.removal`. What a live attacker finds by chance is in
tests/real/test_clean_attacked.py.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

import pytest

from cache_core import CacheError, clean_sync
from cache_core.crew import Forked
from cache_core.kernel import REAL
from cache_core.layout import TAG_TEXT, TRASH_PREFIX


def at(name, first, action):
    """A hook that acts once, right before a call with this name and, unless that is None, this first argument."""
    done = []

    def before(called, arguments):
        if not done and called == name and first in (None, arguments[0]):
            done.append(called)
            action()

    return before


def refusing(*calls, number=errno.EPERM):
    """A refusal of calls given as pairs of name and first argument."""
    return lambda name, arguments: OSError(number, "no") if arguments and (name, arguments[0]) in calls else None


def entries(cache, count=3, files=4):
    for entry in range(count):
        (cache / f"entry-{entry}" / "d").mkdir(parents=True)
        for number in range(files):
            (cache / f"entry-{entry}" / "d" / f"{number}").touch()


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_race_5_a_lock_that_somebody_takes_while_we_move_what_was_none(cache, watching, kind):
    """Two cleaners, or a cleaner and a builder, meet something at `.lock` that nobody can hold."""
    lock = cache / ".lock"
    {"link": lambda: lock.symlink_to("/nowhere"), "directory": lock.mkdir, "fifo": lambda: os.mkfifo(lock)}[kind]()
    held = []

    def other():
        (os.rmdir if kind == "directory" else REAL.unlink)(lock)
        held.append(os.open(lock, os.O_RDWR | os.O_CREAT))
        fcntl.flock(held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)

    try:
        with pytest.raises(CacheError) as caught:
            clean_sync(str(cache), timeout=0, kernel=watching(before=at("rename", ".lock", other)))
        assert caught.value.kind == "in-use"
        assert os.stat(lock).st_ino == os.fstat(held[0]).st_ino
    finally:
        os.close(held[0])
    assert clean_sync(str(cache)).lock == "exclusive"


@pytest.mark.parametrize("name", [".lock", "CACHEDIR.TAG", ".gitignore"])
def test_what_a_builder_makes_at_the_root_meanwhile_is_his(cache, watching, name):
    (cache / "CACHEDIR.TAG").unlink()
    entries(cache)
    made = at("rename", "entry-0", lambda: (cache / name).write_bytes(TAG_TEXT))
    report = clean_sync(str(cache), force=True, untagged=True, kernel=watching(before=made))
    assert (report.empty, report.left) == (True, ())
    assert (cache / name).read_bytes() == TAG_TEXT


@pytest.mark.parametrize("name", [".lock", "CACHEDIR.TAG", ".gitignore"])
def test_a_directory_that_comes_under_such_a_name_is_named(cache, watching, name):
    (cache / "CACHEDIR.TAG").unlink()
    entries(cache)
    made = at("rename", "entry-0", (cache / name).mkdir)
    report = clean_sync(str(cache), force=True, untagged=True, kernel=watching(before=made))
    assert (report.empty, [left.path for left in report.left]) == (False, [name])


def test_trash_that_is_exchanged_between_making_and_opening_leads_nowhere(cache, outside, watching):
    entries(cache)

    def swap():
        os.rename(cache / TRASH_PREFIX, cache / "aside")
        (cache / TRASH_PREFIX).symlink_to(outside)

    kernels = [watching(before=at(call, TRASH_PREFIX, swap)) for call in ("open", "openat2")]
    report = [clean_sync(str(cache), kernel=kernel) for kernel in kernels][-1]
    assert not (cache / "entry-0").exists()
    assert report.empty or [left.path for left in report.left] == [TRASH_PREFIX]
    assert clean_sync(str(cache)).empty


def test_only_an_empty_directory_that_we_made_is_given_away(cache, watching, monkeypatch):
    """Root cleans: the cache's owner puts another directory where the trash was made."""
    entries(cache)
    (cache / "secret").mkdir(mode=0o700)
    (cache / "secret" / "of-root").touch()
    secret = (cache / "secret").stat().st_ino
    monkeypatch.setattr("cache_core.trash.foreign_owner", lambda *_: (4321, 4321))
    given = []
    monkeypatch.setattr("cache_core.trash.give", lambda fd, *_: given.append(os.fstat(fd).st_ino))

    def swap():
        if os.path.exists(cache / "secret"):
            os.rename(cache / TRASH_PREFIX, cache / "aside")
            os.rename(cache / "secret", cache / TRASH_PREFIX)

    for call in ("open", "openat2"):
        clean_sync(str(cache), kernel=watching(before=at(call, TRASH_PREFIX, swap)))
    assert secret not in given


def test_trash_is_opened_so_that_something_mounted_on_it_is_refused(cache, watching):
    """As for every directory: it is made by us, but what is mounted on it a moment later is not ours to empty."""
    entries(cache)
    kernel = watching(refuse=refusing(("openat2", TRASH_PREFIX), number=errno.EXDEV))

    def other_mount(fd):
        here = os.readlink(f"/proc/self/fd/{fd}")
        return 2 if here.endswith(TRASH_PREFIX) else 1

    kernel.mount_id = other_mount
    report = clean_sync(str(cache), kernel=kernel)
    assert "rename" not in {name for name, _ in kernel.calls}
    assert report.files_removed == 12
    assert not [name for name in os.listdir(cache) if name.startswith("entry")]


def test_trash_that_is_moved_out_of_the_cache_takes_along_what_is_in_it_and_no_more(cache, place, outside, watching):
    """Race 2: what the mover has by then was the cache's."""
    entries(cache)
    moved = at("rename", "entry-2", lambda: os.rename(cache / TRASH_PREFIX, place / "away"))
    report = clean_sync(str(cache), kernel=watching(before=moved))
    assert (report.empty, report.files_removed) == (True, 12)
    assert not list((place / "away").iterdir())


def test_trash_that_is_moved_into_what_is_to_be_moved_there(cache, watching):
    entries(cache)
    into = at("rename", "entry-2", lambda: os.rename(cache / TRASH_PREFIX, cache / "entry-2" / "d" / "trash"))
    report = clean_sync(str(cache), kernel=watching(before=into))
    assert (report.empty, report.files_removed) == (True, 12)


def test_an_entry_that_becomes_a_link_before_it_is_moved(cache, outside, watching):
    entries(cache)

    def swap():
        os.rename(cache / "entry-1", cache / "entry-1-moved")
        (cache / "entry-1").symlink_to(outside)

    report = clean_sync(str(cache), kernel=watching(before=at("rename", "entry-1", swap)))
    assert (report.empty, report.files_removed) == (True, 13)


def test_another_cleaner_that_takes_our_trash_away_is_not_counted_against_us(cache, watching):
    entries(cache, count=1)
    moved = at("rename", "entry-0", lambda: None)
    seen = []

    def before(name, arguments):
        moved(name, arguments)
        if name == "rename":
            seen.append(name)
        elif seen == ["rename"]:
            seen.append("other")
            assert clean_sync(str(cache), force=True).empty

    report = clean_sync(str(cache), force=True, kernel=watching(before=before))
    assert seen == ["rename", "other"]
    assert (report.empty, report.files_removed, report.directories_removed) == (True, 0, 0)


def test_trash_that_cannot_be_opened_does_not_count(cache, watching):
    entries(cache, count=1)
    kernel = watching(refuse=refusing(("open", TRASH_PREFIX), ("openat2", TRASH_PREFIX), number=errno.EMFILE))
    report = clean_sync(str(cache), kernel=kernel)
    assert (report.empty, report.directories_removed) == (True, 2)


@pytest.mark.parametrize("mode", [0o500, 0o300, 0])
@pytest.mark.parametrize("stays", [("unlink", "37"), None])
def test_race_6_a_directory_that_several_empty_gets_its_mode_back(cache, watching, mode, stays):
    flat = cache / "archive" / "flat"
    flat.mkdir(parents=True)
    for number in range(400):
        (flat / f"{number}").touch()
    flat.chmod(mode)
    report = clean_sync(str(cache), crew=Forked(2), kernel=watching(refuse=refusing(*([stays] if stays else ()))))
    assert report.empty is (stays is None)
    if stays:
        (left,) = report.left
        assert stat.S_IMODE(os.stat(os.path.dirname(cache / left.path)).st_mode) == mode
        assert report.files_removed == 399
    else:
        assert (report.files_removed, report.directories_removed, report.permissions_repaired) == (400, 2, 1)


def test_paths_are_told_as_they_were(cache, watching):
    """Three directories of one name meet in the trash, and none goes."""
    for number in range(3):
        staging = cache / f"{number}" / "build" / "bdist.linux"
        staging.mkdir(parents=True)
        (staging / "goes").touch()
        (staging / "stays").touch()
    told = []
    kernel = watching(refuse=refusing(("unlink", "stays")))
    report = clean_sync(str(cache), residue_only=True, removed=told.append, kernel=kernel)
    assert sorted(told) == [f"{number}/build/bdist.linux/goes" for number in range(3)]
    assert len(report.left) == 3
    assert all(os.path.lexists(cache / left.path) for left in report.left)


def test_what_goes_at_the_second_attempt_is_told_as_it_was(cache, watching):
    """Two directories of one name meet in the trash, and what stayed of them goes when the trash is emptied."""
    for number in range(2):
        (cache / f"{number}" / "build" / "bdist.linux").mkdir(parents=True)
        (cache / f"{number}" / "build" / "bdist.linux" / "file").touch()
    tried = []

    def refuse(name, arguments):
        if name == "unlink" and arguments[0] == "file":
            tried.append(1)
            return OSError(errno.EPERM, "no") if len(tried) <= 2 else None
        return None

    told = []
    clean_sync(str(cache), residue_only=True, removed=told.append, kernel=watching(refuse=refuse))
    assert sorted(told) == [f"{n}/build/bdist.linux{file}" for n in range(2) for file in ("", "/file")]


def test_what_goes_with_what_came_late_is_told_as_it_was_and_nothing_of_our_own(cache, watching):
    """Neither the file nor its place in the trash could be removed; then something comes, and all of it goes."""
    (cache / "entry").mkdir()
    (cache / "entry" / "file").touch()
    refused = []

    def refuse(name, arguments):
        if arguments and arguments[0] in ("file", TRASH_PREFIX) and name in ("unlink", "rmdir"):
            refused.append(name)
            if refused == ["unlink", "rmdir"]:
                (cache / "late").touch()
            return OSError(errno.EPERM, "no") if len(refused) <= 2 else None
        return None

    told = []
    report = clean_sync(str(cache), removed=told.append, kernel=watching(refuse=refuse))
    assert report.empty
    assert sorted(told) == ["entry", "entry/file", "late"]


def test_a_name_of_the_user_s_that_looks_like_trash_is_told_in_full(cache):
    (cache / f"{TRASH_PREFIX}-mine" / "d").mkdir(parents=True)
    told = []
    assert clean_sync(str(cache), removed=told.append).empty
    assert told == [f"{TRASH_PREFIX}-mine/d", f"{TRASH_PREFIX}-mine"]


@pytest.mark.parametrize("name", [".tmpx", ".lock"])
def test_a_root_given_as_the_parent_of_what_goes(cache, watching, name):
    (cache / name).mkdir()
    (cache / name / "stays").touch()
    kernel = watching(refuse=refusing(("unlink", "stays")))
    report = clean_sync(f"{cache}/{name}/..", residue_only=name == ".tmpx", kernel=kernel)
    assert [(left.path, left.errno) for left in report.left] == [(f"{name}/stays", "EPERM")]


class Endless:
    """A listing of a root in which somebody makes directories faster than they are moved."""

    def __init__(self, listing, root):
        self._listing = listing
        self._root = root
        self.met = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listing.close()

    def __iter__(self):
        return self

    def __next__(self):
        self.met += 1
        for entry in self._listing:
            return entry
        os.mkdir(self._root / f"new-{self.met}")
        with os.scandir(self._root) as again:
            return next(entry for entry in again if entry.name == f"new-{self.met}")


def test_moving_aside_has_an_end_and_is_interrupted(cache, watching, monkeypatch):
    """Some file systems show to an open listing what is made meanwhile."""
    entries(cache)
    monkeypatch.setattr("cache_core.trash._NAMES_MAX", 2000)
    listings = []
    kernel = watching()

    def scandir(fd):
        if listings:
            return REAL.scandir(fd)
        listings.append(Endless(REAL.scandir(fd), cache))
        return listings[0]

    kernel.scandir = scandir
    assert clean_sync(str(cache), kernel=kernel).empty
    assert 2000 <= listings[0].met <= 2001


def test_moving_aside_asks_whether_to_stop(cache, watching):
    for number in range(3000):
        (cache / f"{number}").mkdir()
    kernel = watching()
    report = clean_sync(str(cache), kernel=kernel, cancelled=lambda: any(name == "rename" for name, _ in kernel.calls))
    assert report.cancelled
    assert sum(name == "rename" for name, _ in kernel.calls) <= 1024


def test_a_link_in_two_directories_is_removed_once(cache, place):
    """Hard links: what is freed is counted with the last one, and not at all when one is outside."""
    entries(cache)
    (cache / "entry-0" / "big").write_bytes(b"x" * 100_000)
    os.link(cache / "entry-0" / "big", cache / "entry-1" / "same")
    (cache / "entry-2" / "kept").write_bytes(b"y" * 100_000)
    os.link(cache / "entry-2" / "kept", place / "kept")
    freed = os.stat(cache / "entry-0" / "big").st_blocks * 512
    report = clean_sync(str(cache))
    assert (report.files_removed, report.bytes_freed) == (15, freed)
    assert (place / "kept").read_bytes() == b"y" * 100_000
