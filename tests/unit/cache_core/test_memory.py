"""Depth costs memory once: for the way down, and for paths that are reported."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from cache_core import audit, clean_sync

DEPTH = 1500
NAME = "n" * 200
# The way down is 300 kB of names and a level each; the paths of all of them would be 225 MB.
BYTES_MAX = 8_000_000


@pytest.fixture
def chain(cache):
    """A chain of directories that their owner may not write, in a partial tree."""

    def make(mode, partial):
        top = cache / "build" / "bdist.x" if partial else cache / "entry"
        top.mkdir(parents=True)
        fd = os.open(top, os.O_RDONLY)
        for _ in range(DEPTH):
            os.mkdir(NAME, dir_fd=fd)
            below = os.open(NAME, os.O_RDONLY, dir_fd=fd)
            os.fchmod(fd, mode)
            os.close(fd)
            fd = below
        os.close(fd)

    return make


def peak(work):
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("partial", [False, True])
def test_a_chain_of_read_only_directories(cache, chain, partial):
    chain(0o500, partial)
    found, used = peak(lambda: audit(str(cache)))
    assert (len(found.poisoned), found.nested) == ((1, DEPTH - 1) if partial else (0, 0))
    assert found.directories == DEPTH + 1 + partial
    assert used < BYTES_MAX
    report, used = peak(lambda: clean_sync(str(cache), dry_run=True))
    assert (report.succeeded, report.directories_removed) == (True, DEPTH + 1 + partial)
    assert used < BYTES_MAX
    report, used = peak(lambda: clean_sync(str(cache), residue_only=True))
    assert (report.succeeded, report.directories_removed) == (True, (DEPTH + 1) * partial)
    assert used < BYTES_MAX
