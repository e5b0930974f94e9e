"""What the caller's functions raise while a lock is waited for is the caller's; the lock is still held by others."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from cache_core import CacheInUseError, clean_sync
from cache_core.locks import Wait, lock_cache


@pytest.fixture
def held(cache):
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_SH)
    yield cache
    os.close(fd)


def fail(*arguments):
    raise OSError(errno.ENOSPC, "stderr is full")


@pytest.mark.parametrize("callback", ["on_wait", "cancelled", "sleep"])
def test_a_callback_that_fails_does_not_make_a_lock_unavailable(held, callback):
    (held / "content").mkdir()
    with pytest.raises(OSError, match="stderr is full"):
        clean_sync(str(held), timeout=1, **{callback: fail})
    assert (held / "content").is_dir()


def test_whoever_is_waited_for_is_told_and_is_in_the_error(held):
    told = []
    problem = rf"its lock is held by .* \(pid {os.getpid()}\), for 0\.01 s now"
    with pytest.raises(CacheInUseError, match=problem) as caught:
        clean_sync(str(held), timeout=0.01, on_wait=told.append)
    assert [holder.pid for holder in caught.value.holders] == [os.getpid()]
    assert told == [caught.value.holders]
    assert caught.value.value == str(held)


def test_nor_does_a_clock(held):
    with pytest.raises(OSError, match="stderr is full"):
        lock_cache(str(held), shared=False, wait=Wait(timeout_seconds=1, clock=fail))


def test_a_callback_that_would_block_is_no_held_lock(held):
    """BlockingIOError is what flock says of a held lock; from a callback it says nothing about the lock."""

    def sleep(seconds):
        raise BlockingIOError(errno.EAGAIN, "not now")

    with pytest.raises(BlockingIOError):
        clean_sync(str(held), timeout=1, sleep=sleep)
