"""A lock file that an empty cache cannot have, over 4 KiB: what is in it goes, and nobody gets a lock meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from cache_core import clean_sync
from cache_core.report import LOCK_HELD
from cache_core.surroundings import NOWHERE

TEXT = b"x" * 6000
CHANGES = ("unlink", "rmdir", "rename", "mkdir", "listdir")


@pytest.fixture
def filled(cache):
    (cache / ".lock").write_bytes(TEXT)
    for directory in ("entry", "other"):
        (cache / directory / "d").mkdir(parents=True)
        (cache / directory / "file").write_text("x")
    return cache


def gets_lock(cache):
    """As a build does that starts now."""
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def named(report):
    return [(left.path, left.errno) for left in report.left]


def test_promise_5_no_build_gets_a_lock_while_we_clean(filled, watching):
    got = []

    def before(name, arguments):
        if name in CHANGES:
            got.append((name, gets_lock(filled)))

    report = clean_sync(str(filled), kernel=watching(before=before))
    assert (report.empty, report.lock) == (True, LOCK_HELD)
    assert sorted(os.listdir(filled)) == [".lock", "CACHEDIR.TAG"]
    assert {name for name, _ in got} == set(CHANGES)
    assert not any(one for _, one in got)
    assert gets_lock(filled)


def test_what_is_in_it_goes_and_is_counted(filled):
    gone = []
    report = clean_sync(str(filled), removed=gone.append)
    assert (filled / ".lock").read_bytes() == b""
    assert report.files_removed == 3
    assert report.bytes_freed >= len(TEXT)
    assert gone[-1] == ".lock"


def test_promise_1_it_may_be_a_hard_link_to_something_outside(filled, place):
    os.link(filled / ".lock", place / "precious")
    for directory in ("entry", "other"):
        (filled / directory / "file").write_bytes(b"")
    report = clean_sync(str(filled))
    assert (report.empty, report.files_removed, report.bytes_freed) == (True, 3, 0)
    assert (place / "precious").read_bytes() == TEXT
    assert (place / "precious").stat().st_nlink == 1


def test_the_tag_goes_after_it(filled):
    with open(filled / "CACHEDIR.TAG", "ab") as tag:
        tag.write(TEXT)
    assert clean_sync(str(filled)).empty
    assert os.listdir(filled) == [".lock"]


def test_with_the_root(filled):
    assert clean_sync(str(filled), remove_root=True).empty
    assert not filled.exists()


@pytest.mark.parametrize("call", ["open", "flock", "rename"])
def test_what_cannot_be_replaced_stays_is_held_and_is_named(filled, watching, call):
    inode = (filled / ".lock").stat().st_ino
    turns = []

    def refuse(name, arguments):
        of_it = str(arguments[0]).startswith(".tmp-") if name != "flock" else bool(turns)
        turns.extend([1] if name == "flock" else [])
        return OSError(errno.EPERM, "no") if name == call and of_it else None

    report = clean_sync(str(filled), kernel=watching(refuse=refuse))
    assert (report.empty, named(report)) == (False, [(".lock", "EPERM")])
    assert sorted(os.listdir(filled)) == [".lock", "CACHEDIR.TAG"]
    assert (filled / ".lock").stat().st_ino == inode


def test_in_a_directory_where_nothing_can_be_made_the_rest_goes_first(filled, watching):
    """As on a full disk: there is room for a new lock when something has gone."""

    def refuse(name, arguments):
        makes = name == "mkdir" or (name == "open" and arguments[1] & os.O_CREAT and arguments[0] != ".lock")
        gone = any(call == "unlink" for call, _ in kernel.calls)
        return OSError(errno.ENOSPC, "no") if makes and not gone else None

    kernel = watching(refuse=refuse)
    assert clean_sync(str(filled), kernel=kernel).empty


def test_cancelled_it_stays_as_it_is(filled):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 3

    report = clean_sync(str(filled), cancelled=cancelled)
    assert (report.cancelled, report.empty) == (True, False)
    assert (".lock", "ECANCELED") in named(report)
    assert (filled / ".lock").read_bytes() == TEXT


def test_residue_only_leaves_it(filled):
    assert clean_sync(str(filled), residue_only=True).succeeded
    assert (filled / ".lock").read_bytes() == TEXT


def clean_until(turn, cache, watching):
    """In a process of its own, killed before that call. Returns whether it was."""
    child = os.fork()
    if child == 0:
        kernel = watching(before=lambda name, arguments: len(kernel.calls) == turn and os._exit(9))
        clean_sync(str(cache), kernel=kernel, surroundings=NOWHERE)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_promise_6_killed_at_any_call_a_second_run_finishes(cache, watching):
    turn = 0
    killed = True
    while killed:
        turn += 1
        (cache / ".lock").unlink(missing_ok=True)
        (cache / ".lock").write_bytes(TEXT)
        (cache / "entry").mkdir()
        killed = clean_until(turn, cache, watching)
        assert (cache / ".lock").stat().st_size in (0, len(TEXT))
        assert (cache / "CACHEDIR.TAG").exists()
        assert clean_sync(str(cache), surroundings=NOWHERE).empty
        assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
    assert turn > 20
