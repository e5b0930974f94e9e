"""Protocols: who builds in whose tree, and what is found, whoever is killed where."""

import fcntl
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache_core.buckets import SourceEntry
from cache_core.errors import CacheInUseError
from cache_core.kernel import REAL
from cache_core.locks import Wait
from cache_core.protocols import PROTOCOLS, Work
from cache_core.store import Found, Store
from tests.support.stores import (
    ENTRY,
    INDEX,
    PUBLISHING,
    WHEEL,
    Killed,
    Mortal,
    is_whole,
    store,
    temporaries,
    work,
)


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_build_is_published_and_found(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    assert is_whole(archive)
    assert store(root, "b").find_built(ENTRY).archive == archive
    assert not temporaries(root)
    assert (root / ENTRY.shard / WHEEL).is_file()


@pytest.mark.parametrize("name", PUBLISHING)
def test_what_is_there_is_not_built_again(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    nothing: Any = None
    assert PROTOCOLS[name](store(root, "b"), ENTRY, nothing) == archive


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_wheel_whose_archive_is_gone_is_unpacked_and_not_built(name: str, root: Path) -> None:
    archive = PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL))
    subprocess.run(["rm", "-rf", archive], check=True)
    again = work(REAL)
    nothing: Any = None
    assert is_whole(PROTOCOLS[name](store(root, "b"), ENTRY, Work(nothing, nothing, again.unpack, nothing)))


def test_the_tree_stays_in_the_entry_except_under_private(root: Path) -> None:
    for name in PUBLISHING:
        entry = SourceEntry(INDEX, "pkg", name, "pkg-1.0.tar.gz")
        PROTOCOLS[name](store(root, "a"), entry, work(REAL))
        assert (root / entry.source / "build").exists() == (name != "private"), name


@pytest.mark.parametrize("name", PUBLISHING)
def test_a_failing_build_publishes_nothing_and_its_error_passes(name: str, root: Path) -> None:
    def fail(source: str, output: str) -> None:
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError, match="compiler"):
        PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL, fail))
    assert store(root, "b").find_built(ENTRY) == Found()
    assert not temporaries(root)


@pytest.mark.parametrize("name", ["entry-lock", "private"])
def test_after_a_failed_build_the_next_starts_from_a_clean_tree(name: str, root: Path) -> None:
    def poison(source: str, output: str) -> None:
        Path(source, "build").chmod(0o200)
        raise RuntimeError("rmtree")

    with pytest.raises(RuntimeError):
        PROTOCOLS[name](store(root, "a"), ENTRY, work(REAL, poison))
    assert is_whole(PROTOCOLS[name](store(root, "b"), ENTRY, work(REAL)))


def test_under_shared_the_next_build_meets_what_a_failed_one_left(root: Path) -> None:
    def fail(source: str, output: str) -> None:
        raise RuntimeError("compiler")

    with pytest.raises(RuntimeError):
        PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL, fail))
    with pytest.raises(FileExistsError):
        PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL))


# Killed, at every call.


@pytest.mark.parametrize("name", PUBLISHING)
@pytest.mark.parametrize("again", ["a", "b"])
def test_killed_anywhere_nobody_finds_half_an_entry(name: str, again: str, tmp_path: Path) -> None:
    """And another, or the same one started again, gets it right: under `shared` as far as the tree allows."""
    whole = Mortal()
    store(tmp_path / "whole", "a", whole).prepare()
    prepared = whole.calls
    PROTOCOLS[name](store(tmp_path / "whole", "a", whole), ENTRY, work(whole))
    spoilt = 0
    for step in range(1, whole.calls - prepared + 1):
        root = tmp_path / str(step)
        store(root, "maker").prepare()
        kernel = Mortal(step)
        with pytest.raises(Killed):
            PROTOCOLS[name](store(root, "a", kernel), ENTRY, work(kernel))
        found = store(root, "c").find_built(ENTRY)
        assert found.archive is None or is_whole(found.archive), f"killed at call {step}"
        try:
            archive = PROTOCOLS[name](store(root, again), ENTRY, work(REAL))
        except FileExistsError:
            spoilt += 1
            continue
        assert is_whole(archive), f"killed at call {step}"
        assert store(root, "c").find_built(ENTRY).archive == archive
    # The calls from the making of `build` in the tree to the publishing of the wheel.
    assert (spoilt > 0) == (name == "shared")


# Two at once.


def test_shared_two_builds_meet_in_one_tree(root: Path) -> None:
    sources: list[str] = []

    def second(source: str, output: str) -> None:
        sources.append(source)
        with pytest.raises(FileExistsError):
            PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL, lambda source, output: sources.append(source)))

    archive = PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL, second))
    assert sources == [f"{root}/{ENTRY.source}"]
    assert is_whole(archive)


def test_shared_who_unpacks_second_builds_in_the_first_ones_tree(root: Path) -> None:
    mine = work(REAL)

    def fetch(directory: str) -> str:
        tree = mine.fetch(directory)
        theirs = work(REAL)
        Path(store(root, "b").path(ENTRY.shard)).mkdir(parents=True)
        tree_of_b = theirs.fetch(store(root, "b").fresh_directory("", "pkg"))
        Path(tree_of_b, "theirs").write_text("")
        os.rename(tree_of_b, root / ENTRY.source)
        return tree

    PROTOCOLS["shared"](store(root, "a"), ENTRY, Work(fetch, mine.build, mine.unpack, mine.scratch))
    assert (root / ENTRY.source / "theirs").exists()
    assert temporaries(root) == [".tmp-b-pkg"]  # which b would discard


def test_shared_each_has_an_archive_of_its_own_and_the_link_leads_to_the_last(root: Path) -> None:
    archives: list[str] = []

    def second(wheel: str, directory: str) -> None:
        archives.append(PROTOCOLS["shared"](store(root, "b"), ENTRY, work(REAL)))
        mine.unpack(wheel, directory)

    mine = work(REAL)
    archives.append(PROTOCOLS["shared"](store(root, "a"), ENTRY, Work(mine.fetch, mine.build, second, mine.scratch)))
    assert len(set(archives)) == 2
    assert all(map(is_whole, archives))
    assert store(root, "c").find_built(ENTRY).archive == archives[-1]


def test_private_the_loser_discards_its_own(root: Path) -> None:
    archives: list[str] = []

    def second(source: str, output: str) -> None:
        archives.append(PROTOCOLS["private"](store(root, "b"), ENTRY, work(REAL)))
        # So that it can be told from what a makes.
        Path(archives[0], "b").write_text("")

    archives.append(PROTOCOLS["private"](store(root, "a"), ENTRY, work(REAL, second)))
    assert archives[0] == archives[1]
    assert Path(archives[0], "b").exists()
    assert len(os.listdir(root / "archive-v0")) == 1
    assert not temporaries(root)


def in_place(scratch: Path, during: Callable[[str, str], None] | None = None) -> Work:
    """The same build; its scratch is a fresh directory, and it does not fetch."""
    usual = work(REAL, during)

    def make() -> str:
        scratch.mkdir()
        return str(scratch)

    nothing: Any = None
    return Work(nothing, usual.build, usual.unpack, make)


def test_in_place_builds_in_the_local_directory_and_publishes_nothing(root: Path, tmp_path: Path) -> None:
    (root / ENTRY.local).mkdir(parents=True)
    before = sorted(os.listdir(root))
    archive = PROTOCOLS["in-place"](store(root, "a"), ENTRY, in_place(tmp_path / "a"))
    assert is_whole(archive)
    assert archive.startswith(str(tmp_path / "a"))
    assert os.listdir(root / ENTRY.local) == ["build"]
    assert sorted(os.listdir(root)) == before
    assert store(root, "b").find_built(ENTRY) == Found()


def test_in_place_the_next_build_meets_what_another_one_left(root: Path, tmp_path: Path) -> None:
    (root / ENTRY.local / "build").mkdir(parents=True)
    with pytest.raises(FileExistsError):
        PROTOCOLS["in-place"](store(root, "a"), ENTRY, in_place(tmp_path / "a"))


class Announces:
    """The real kernel; says when it is about to wait for a lock."""

    def __init__(self) -> None:
        self.waits = threading.Event()

    def __getattr__(self, operation: str) -> Any:
        return getattr(REAL, operation)

    def flock(self, fd: int, operation: int) -> None:
        try:
            REAL.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            self.waits.set()
            REAL.flock(fd, operation)


def test_entry_lock_the_second_waits_and_finds_what_the_first_built(root: Path) -> None:
    kernel = Announces()
    results: list[str] = []
    built: list[str] = []

    def run_second() -> None:
        mine = work(REAL, lambda source, output: built.append("b"))
        results.append(PROTOCOLS["entry-lock"](store(root, "b", kernel), ENTRY, mine))

    second = threading.Thread(target=run_second)

    def first(source: str, output: str) -> None:
        built.append("a")
        second.start()
        assert kernel.waits.wait(10), "the second one did not wait"

    results.append(PROTOCOLS["entry-lock"](store(root, "a"), ENTRY, work(REAL, first)))
    second.join(10)
    assert built == ["a"]
    assert results[0] == results[1]


def test_entry_lock_how_to_wait_is_the_stores(root: Path) -> None:
    impatient = Store(str(root), "b", wait=Wait(timeout_seconds=0))

    def during(source: str, output: str) -> None:
        with pytest.raises(CacheInUseError, match="is held by"):
            PROTOCOLS["entry-lock"](impatient, ENTRY, work(REAL))

    assert is_whole(PROTOCOLS["entry-lock"](store(root, "a"), ENTRY, work(REAL, during)))


def test_entry_lock_of_one_entry_does_not_hold_up_another(root: Path) -> None:
    other = SourceEntry(INDEX, "pkg", "2.0", "pkg-2.0.tar.gz")
    inner: list[str] = []

    def during(source: str, output: str) -> None:
        inner.append(PROTOCOLS["entry-lock"](store(root, "b"), other, work(REAL)))

    PROTOCOLS["entry-lock"](store(root, "a"), ENTRY, work(REAL, during))
    assert is_whole(inner[0])


def test_the_phases_are_told_in_order(root: Path) -> None:
    phases: list[str] = []
    told = Store(str(root), "a", REAL, phases.append)
    PROTOCOLS["entry-lock"](told, ENTRY, work(REAL))
    assert phases == ["look-up", "lock", "look-up", "publish", "publish"]
