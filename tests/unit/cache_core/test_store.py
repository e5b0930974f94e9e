"""The store: what is found is whole, and where things are."""

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cache_core import buckets
from cache_core.buckets import WheelEntry
from cache_core.errors import CacheInUseError
from cache_core.kernel import REAL
from cache_core.layout import is_tagged
from cache_core.locks import Wait, lock_cache
from cache_core.protocols import PROTOCOLS
from cache_core.store import Found, Store
from tests.support.stores import (
    ENTRY,
    INDEX,
    WHEEL,
    Killed,
    Mortal,
    store,
    temporaries,
    work,
)

# Where things are.


def test_the_entry_of_the_report_is_where_uv_has_it() -> None:
    assert ENTRY.source == f"built-wheels-v3/index/{INDEX}/pkg/1.0/{buckets.entry_id('pkg', '1.0')}/pkg-1.0.tar.gz"
    assert ENTRY.lock == f"built-wheels-v3/index/{INDEX}/pkg/1.0/.lock"
    assert WheelEntry(INDEX, "pkg", WHEEL).link == f"wheels-v1/index/{INDEX}/pkg/pkg-1.0-py3-none-any"
    assert len(INDEX) == 16
    assert len(buckets.entry_id("pkg", "1.0")) == 21


def test_ids_follow_from_names_and_nothing_else() -> None:
    # A literal: another process, hash seed or machine must come to the same.
    assert buckets.entry_id("pkg", "1.0") == "OQAQVTe0M5RM0P48JctOS"
    assert buckets.entry_id("pkg", "1.0") != buckets.entry_id("pkg1", ".0")
    assert buckets.archive(WHEEL, "a") != buckets.archive(WHEEL, "b") != buckets.archive(WHEEL)


@pytest.mark.parametrize("identity", ["", "a/b"])
def test_an_identity_that_cannot_be_part_of_a_name_is_refused(identity: str) -> None:
    with pytest.raises(ValueError, match="identity"):
        Store("/nowhere", identity)


# The cache as a whole.


def test_a_prepared_cache_is_tagged(root: Path) -> None:
    fd = os.open(root, os.O_RDONLY)
    try:
        assert is_tagged(fd)
    finally:
        os.close(fd)
    assert sorted(os.listdir(root)) == [".gitignore", "CACHEDIR.TAG"]


def test_a_tag_is_never_seen_half_written(tmp_path: Path) -> None:
    for step in range(1, 30):
        place = tmp_path / str(step)
        kernel = Mortal(step)
        try:
            store(place, "a", kernel).prepare()
        except Killed:
            if (place / "CACHEDIR.TAG").exists():
                fd = os.open(place, os.O_RDONLY)
                assert is_tagged(fd), f"killed at call {step}"
                os.close(fd)
            store(place, "a").prepare()
            assert (place / "CACHEDIR.TAG").exists()
        else:
            assert step > 5
            return
    pytest.fail("preparing a cache takes more calls than it should")


def test_the_cache_lock_keeps_a_cleaner_out_only_while_in_use(root: Path) -> None:
    with store(root, "a").in_use(True), store(root, "b").in_use(True):
        fd = os.open(root / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_a_cache_that_is_missing_is_made_under_the_lock(tmp_path: Path) -> None:
    held: list[bool] = []

    class Watches:
        def __getattr__(self, operation: str) -> Any:
            return getattr(REAL, operation)

        def rename(self, source: str, target: str) -> None:
            fd = os.open(tmp_path / "new/cache/.lock", os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
            finally:
                os.close(fd)
            REAL.rename(source, target)

    with store(tmp_path / "new/cache", "a", Watches()).in_use(True):
        assert (tmp_path / "new/cache/CACHEDIR.TAG").exists()
    assert held == [True, True]  # the ignore file and the tag


def test_how_to_wait_for_the_cache_lock_is_the_stores(root: Path) -> None:
    impatient = Store(str(root), "a", wait=Wait(timeout_seconds=0))
    with lock_cache(str(root), shared=False), pytest.raises(CacheInUseError), impatient.in_use(True):
        pass


def test_without_the_cache_lock_there_is_no_lock_file(root: Path) -> None:
    with store(root, "a").in_use(False):
        assert not (root / ".lock").exists()


def test_the_index_is_asked_once(root: Path) -> None:
    asked: list[str] = []

    def ask() -> bytes:
        asked.append("")
        return b"answer"

    assert [store(root, who).index_file(INDEX, "pkg", ask) for who in "ab"] == [b"answer"] * 2
    assert len(asked) == 1


# Publishing.


def test_an_archive_is_found_after_it_was_published(root: Path) -> None:
    entry = WheelEntry(INDEX, "pkg", WHEEL)
    assert store(root, "a").find_wheel(entry) is None

    def fill(directory: str) -> None:
        Path(directory, "file").write_text("x")

    place = store(root, "a").publish_archive(entry.link, buckets.archive(WHEEL, "a"), fill)
    assert store(root, "b").find_wheel(entry) == place
    assert os.listdir(place) == ["file"]
    assert not temporaries(root)


def test_links_are_relative_so_a_cache_can_be_moved(root: Path) -> None:
    PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL))
    root.rename(root.parent / "moved")
    found = store(root.parent / "moved", "a").find_built(ENTRY)
    (root.parent / "moved").rename(root)
    assert found.archive is not None
    assert "/moved/archive-v0/" in found.archive
    (link,) = root.glob("built-wheels-v3/**/pkg-1.0-py3-none-any")
    assert link.resolve().is_dir()


def test_a_link_whose_archive_is_gone_is_a_miss(root: Path) -> None:
    archive = PROTOCOLS["shared"](store(root, "a"), ENTRY, work(REAL))
    subprocess.run(["rm", "-rf", archive], check=True)
    found = store(root, "a").find_built(ENTRY)
    assert found == Found(wheel=f"{root}/{ENTRY.shard}/{WHEEL}")


def test_what_fill_raises_leaves_nothing(root: Path) -> None:
    def fill(directory: str) -> None:
        Path(directory, "file").write_text("x")
        raise RuntimeError("full")

    with pytest.raises(RuntimeError):
        store(root, "a").publish_archive(WheelEntry(INDEX, "pkg", WHEEL).link, buckets.archive(WHEEL, "a"), fill)
    assert sorted(os.listdir(root)) == [".gitignore", "CACHEDIR.TAG"]


def test_discarding_reports_what_it_cannot_remove(root: Path) -> None:
    store(root, "a").discard(f"{root}/nothing")
    (root / "outer/inner").mkdir(parents=True)
    (root / "outer/inner/file").write_text("x")
    (root / "outer").chmod(0o500)
    if os.access(root / "outer", os.W_OK):
        pytest.fail("run the tests without capabilities: modes do not stop this process")
    with pytest.raises(PermissionError):
        store(root, "a").discard(f"{root}/outer/inner")


# Protocols, alone.
