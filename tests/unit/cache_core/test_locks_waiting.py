"""Waiting for a lock that others hold: for how long, for whom, and for which file."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from cache_core.errors import CacheInUseError, LockCancelledError, NotALockError
from cache_core.holders import Holder
from cache_core.locks import Wait, lock_cache


class Clock:
    """Time that passes only while somebody sleeps; `during` is called in the n-th sleep, from 1."""

    def __init__(self, during=None):
        self.now = 100.0
        self.slept = []
        self._during = during

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        assert len(self.slept) < 1000, "it waits for ever"
        self.now += seconds
        if self._during is not None:
            self._during(len(self.slept))

    def wait(self, **options):
        return Wait(clock=self, sleep=self.sleep, **options)


@pytest.fixture
def held(place):
    """Somebody has the lock of the cache `place`; the descriptor that holds it."""
    fd = os.open(place / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield fd
    # A test may have given it up.
    if fd >= 0 and os.path.exists(f"/proc/self/fd/{fd}"):
        os.close(fd)


def replace(place):
    os.unlink(place / ".lock")
    (place / ".lock").touch()


def test_cancelled_while_waiting(place, held):
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) == 3

    start = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LockCancelledError):
        lock_cache(str(place), shared=False, wait=Clock().wait(cancelled=cancelled))
    assert len(asked) == 3
    assert len(os.listdir("/proc/self/fd")) == start


def test_it_asks_more_and_more_seldom_and_not_past_the_deadline(place, held):
    clock = Clock()
    with pytest.raises(CacheInUseError):
        lock_cache(str(place), shared=False, wait=clock.wait(timeout_seconds=1))
    assert clock.slept[:3] == [0.005, 0.01, 0.02]
    assert max(clock.slept) == 0.1
    assert sum(clock.slept) == pytest.approx(1)


def test_who_holds_it_is_told_once_and_before_the_first_pause(place, held):
    told = []
    clock = Clock(during=lambda turn: os.close(held) if turn == 3 else None)
    wait = clock.wait(on_wait=lambda holders: told.append((holders, len(clock.slept))))
    with lock_cache(str(place), shared=True, wait=wait):
        assert len(clock.slept) == 3
    (((holder,), before),) = told
    assert (holder.pid, before) == (os.getpid(), 0)
    assert "python" in holder.command


def test_nobody_is_told_or_looked_for_when_the_lock_is_free(place, watching):
    kernel = watching()
    lock_cache(str(place), shared=True, kernel=kernel, wait=Wait(on_wait=pytest.fail)).release()
    assert not [name for name, arguments in kernel.calls if "/proc" in str(arguments)]


def test_nobody_is_looked_for_when_nobody_wants_to_know(place, held, watching):
    kernel = watching()
    clock = Clock(during=lambda turn: os.close(held) if turn == 2 else None)
    lock_cache(str(place), shared=True, kernel=kernel, wait=clock.wait()).release()
    assert not [name for name, arguments in kernel.calls if "/proc" in str(arguments)]


def test_in_use_says_by_whom_and_for_how_long_it_waited(place, held):
    with pytest.raises(CacheInUseError) as caught:
        lock_cache(str(place), shared=False, wait=Clock().wait(timeout_seconds=2))
    (holder,) = caught.value.holders
    assert holder.pid == os.getpid()
    assert caught.value.problem == f"is held by {holder.command} (pid {holder.pid}), for 2 s now"
    assert caught.value.value == f"{place}/.lock"


def test_in_use_at_once_does_not_say_that_it_waited(place, held):
    with pytest.raises(CacheInUseError) as caught:
        lock_cache(str(place), shared=False, wait=Clock().wait(timeout_seconds=0))
    assert caught.value.problem.endswith(f"(pid {os.getpid()})")


def test_in_use_without_proc_is_by_others(place, held, watching):
    def no_proc(name, arguments):
        return OSError(errno.ENOENT, "no /proc") if "/proc/" in str(arguments) else None

    with pytest.raises(CacheInUseError, match=r"is held by others, for 0\.5 s now; wait longer") as caught:
        lock_cache(str(place), shared=False, kernel=watching(refuse=no_proc), wait=Clock().wait(timeout_seconds=0.5))
    assert caught.value.holders == ()


def test_in_use_of_whatever_was_told_before_the_holders_were(place):
    """Whoever makes one with three words, as before, names nobody."""
    assert CacheInUseError("path", "problem", "advice").holders == ()
    assert CacheInUseError("path", "problem", "advice", (Holder(1, "init"),)).holders == (Holder(1, "init"),)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_goes_while_we_wait_is_waited_for_no_longer(place, held, how):
    """Its holder still has the old one and may keep it for ever: it is a lock on nothing."""

    def during(turn):
        if turn == 4:
            os.unlink(place / ".lock")
            if how == "replaced":
                (place / ".lock").touch()

    clock = Clock(during)
    told = []
    with lock_cache(str(place), shared=False, wait=clock.wait(on_wait=told.append)) as lock:
        assert os.fstat(lock.fd).st_ino == os.stat(place / ".lock").st_ino != os.fstat(held).st_ino
    assert len(clock.slept) == 4
    assert len(told) == 1


def test_whoever_holds_the_new_file_is_waited_for(place, held):
    """And the old deadline stays, and nobody is told twice."""
    new = []

    def during(turn):
        if turn == 4:
            replace(place)
            new.append(os.open(place / ".lock", os.O_RDWR))
            fcntl.flock(new[0], fcntl.LOCK_EX)

    clock = Clock(during)
    told = []
    start = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CacheInUseError):
        lock_cache(str(place), shared=False, wait=clock.wait(timeout_seconds=2, on_wait=told.append))
    assert sum(clock.slept) == pytest.approx(2)
    assert len(told) == 1
    os.close(new[0])
    assert len(os.listdir("/proc/self/fd")) == start


def test_a_file_that_is_gone_is_not_in_use_when_the_time_is_up(place, held, watching):
    """Between the refusal and the look: what is refused is the lock of nobody's file."""
    looks = []

    def before(name, arguments):
        if name == "lstat":
            looks.append(name)
            if len(looks) == 1:
                replace(place)

    wait = Clock().wait(timeout_seconds=0)
    lock_cache(str(place), shared=False, kernel=watching(before=before), wait=wait).release()
    assert len(looks) == 2


def test_what_takes_its_place_may_be_no_lock(place, held):
    def during(turn):
        os.unlink(place / ".lock")
        (place / ".lock").mkdir()

    with pytest.raises(NotALockError):
        lock_cache(str(place), shared=False, wait=Clock(during).wait())


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOMEM])
def test_a_name_that_cannot_be_looked_at_while_we_wait_does_not_end_the_wait(place, held, watching, number):
    """Others hold the lock, that is known: a cleaner must not go on as if it could not be had."""

    def refuse(name, arguments):
        return OSError(number, "injected") if name == "lstat" else None

    with pytest.raises(CacheInUseError):
        lock_cache(str(place), shared=False, kernel=watching(refuse=refuse), wait=Clock().wait(timeout_seconds=1))
