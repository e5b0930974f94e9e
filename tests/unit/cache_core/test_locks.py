"""Locks: who excludes whom, and what is no lock."""

from __future__ import annotations

import errno
import fcntl
import os
import socket

import pytest

from cache_core.errors import CacheInUseError, LockUnavailableError, NotALockError
from cache_core.locks import FOR_EVER, IN_KERNEL, Wait, lock_cache, lock_entry

AT_ONCE = Wait(timeout_seconds=0)


def test_shared_with_shared_and_nothing_else(place):
    with lock_cache(str(place), shared=True) as first, lock_cache(str(place), shared=True, wait=AT_ONCE):
        assert first.shared
        with pytest.raises(CacheInUseError):
            lock_cache(str(place), shared=False, wait=AT_ONCE)
    with lock_cache(str(place), shared=False), pytest.raises(CacheInUseError):
        lock_cache(str(place), shared=True, wait=AT_ONCE)
    assert os.listdir(place) == [".lock"]


def test_by_descriptor_is_the_same_lock(place):
    fd = os.open(place, os.O_RDONLY)
    with lock_cache(fd, shared=False), pytest.raises(CacheInUseError):
        lock_cache(str(place), shared=False, wait=AT_ONCE)
    os.close(fd)


def test_interoperates_with_a_plain_flock(place):
    with lock_cache(str(place), shared=True):
        fd = os.open(place / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(fd)


def test_a_shared_lock_never_becomes_an_exclusive_one(place):
    """flock(2) would give it up before it waits for the other; so who tries has to ask like everybody."""
    with lock_cache(str(place), shared=True) as lock:
        with pytest.raises(CacheInUseError) as caught:
            lock_cache(str(place), shared=False, wait=AT_ONCE)
        assert [holder.pid for holder in caught.value.holders] == [os.getpid()]
        fd = os.open(place / ".lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
        assert {name for name in dir(lock) if not name.startswith("_")} == {"fd", "path", "shared", "release"}


def test_entry_lock(place):
    with lock_entry(str(place / "entry.lock")), pytest.raises(CacheInUseError):
        lock_entry(str(place / "entry.lock"), wait=AT_ONCE)
    with lock_entry(str(place / "entry.lock"), wait=AT_ONCE) as lock:
        lock.release()
        lock.release()
        lock_entry(str(place / "entry.lock"), wait=AT_ONCE).release()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_lock_on_a_file_that_is_gone_is_not_held(place, watching, how):
    """uv 0.13.9 cleans under such a lock while another holds the real one."""
    turns = []

    def before(name, arguments):
        if name == "flock":
            turns.append(name)
            if len(turns) == 1:
                os.unlink(place / ".lock")
                if how == "replaced":
                    (place / ".lock").touch()

    with lock_cache(str(place), shared=False, kernel=watching(before=before)) as lock:
        assert len(turns) == 2
        assert os.fstat(lock.fd).st_ino == os.stat(place / ".lock").st_ino
        with pytest.raises(CacheInUseError):
            lock_cache(str(place), shared=False, wait=AT_ONCE)


def test_a_lock_replaced_for_ever_ends(place, watching):
    def before(name, arguments):
        if name == "flock":
            os.unlink(place / ".lock")

    with pytest.raises(CacheInUseError, match="replaced"):
        lock_cache(str(place), shared=False, kernel=watching(before=before))


def test_no_inode_number_fools_the_check(place, watching):
    """The descriptor keeps the deleted inode, so a new file cannot have its number."""
    seen = []

    def before(name, arguments):
        if name == "flock" and len(seen) < 20:
            seen.append(os.fstat(arguments[0]).st_ino)
            os.unlink(place / ".lock")
            (place / ".lock").touch()
            assert os.stat(place / ".lock").st_ino != seen[-1]

    lock_cache(str(place), shared=False, kernel=watching(before=before)).release()


@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo", "socket", "device"])
def test_what_is_no_file_is_no_lock(place, outside, kind):
    lock = place / ".lock"
    if kind == "link":
        os.symlink(outside / "plain", lock)
    elif kind == "dangling":
        os.symlink(outside / "new", lock)
    elif kind == "directory":
        lock.mkdir()
    elif kind == "fifo":
        os.mkfifo(lock)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(lock))
    else:
        os.symlink("/dev/null", lock)
    with pytest.raises(NotALockError):
        lock_cache(str(place), shared=False)
    assert not (outside / "new").exists()


def test_cannot_be_opened_is_not_in_use(place):
    (place / ".lock").touch(0o000)
    with pytest.raises(LockUnavailableError) as caught:
        lock_cache(str(place), shared=False, wait=AT_ONCE)
    assert caught.value.errno == 13


def test_one_that_is_missing_and_cannot_be_made_says_why(place):
    place.chmod(0o555)
    with pytest.raises(LockUnavailableError) as caught:
        lock_cache(str(place), shared=False, wait=AT_ONCE)
    place.chmod(0o755)
    assert caught.value.errno == errno.EACCES


def test_a_lock_that_we_may_only_read_is_a_lock(place):
    (place / ".lock").touch(0o444)
    with lock_cache(str(place), shared=False):
        fd = os.open(place / ".lock", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(fd)


def test_a_file_system_without_flock_is_not_in_use(place, watching):
    def refuse(name, arguments):
        return OSError(37, "No locks available") if name == "flock" else None

    with pytest.raises(LockUnavailableError):
        lock_cache(str(place), shared=False, kernel=watching(refuse=refuse), wait=AT_ONCE)


# To one who polls, EAGAIN of flock is no refusal but says that others hold it.
REFUSALS = [
    (call, number, wait)
    for call in ("open", "fstat", "flock", "lstat")
    for number in (errno.EIO, errno.ENOMEM, errno.EINTR, errno.EAGAIN)
    for wait in (FOR_EVER, IN_KERNEL)
    if (call, number, wait) != ("flock", errno.EAGAIN, FOR_EVER)
]


@pytest.mark.parametrize(("call", "number", "wait"), REFUSALS)
def test_what_the_system_refuses_is_a_lock_that_cannot_be_had(place, watching, call, number, wait):
    start = len(os.listdir("/proc/self/fd"))

    def refuse(name, arguments):
        return OSError(number, "injected") if name == call else None

    with pytest.raises(LockUnavailableError, match="injected") as caught:
        lock_cache(str(place), shared=False, kernel=watching(refuse=refuse), wait=wait)
    assert caught.value.errno == number
    assert len(os.listdir("/proc/self/fd")) == start


def test_the_second_look_at_the_descriptor_fails(place, watching):
    looks = []

    def refuse(name, arguments):
        looks.extend([name] if name == "fstat" else [])
        return OSError(errno.EIO, "injected") if name == "fstat" and len(looks) == 2 else None

    with pytest.raises(LockUnavailableError):
        lock_cache(str(place), shared=False, kernel=watching(refuse=refuse))


@pytest.mark.parametrize("callback", ["cancelled", "on_wait", "sleep"])
def test_what_a_callback_raises_is_no_fault_of_the_lock(place, callback):
    """Else a terminal that is gone would let a cleaner go on without the lock that others hold."""

    def broken(*_):
        raise BrokenPipeError

    with lock_cache(str(place), shared=True), pytest.raises(BrokenPipeError):
        lock_cache(str(place), shared=False, wait=Wait(**{"timeout_seconds": 9, callback: broken}))


@pytest.mark.parametrize("number", [errno.EIO, errno.EINTR])
def test_a_lock_is_given_up_whatever_close_says(place, watching, number):
    class Closing(watching):
        def close(self, fd):
            os.close(fd)
            raise OSError(number, "no")

    lock_cache(str(place), shared=False, kernel=Closing()).release()
    lock_cache(str(place), shared=False, wait=AT_ONCE).release()


def test_waiting_in_the_kernel_is_one_blocking_call(place, watching):
    kernel = watching()
    lock_cache(str(place), shared=False, kernel=kernel, wait=IN_KERNEL).release()
    assert [arguments[1] for name, arguments in kernel.calls if name == "flock"] == [fcntl.LOCK_EX]


@pytest.mark.parametrize("wait", [FOR_EVER, IN_KERNEL], ids=["polling", "in-kernel"])
def test_a_free_lock_costs_the_same_five_calls_however_one_would_wait(place, watching, wait):
    """What a simulated run records: how we would have waited must not show."""
    kernel = watching()
    lock = lock_cache(str(place), shared=True, kernel=kernel, wait=wait)
    assert [name for name, _ in kernel.calls] == ["open", "fstat", "flock", "lstat", "fstat"]
    lock.release()


@pytest.mark.parametrize("beside", [{"timeout_seconds": 0}, {"cancelled": bool}, {"on_wait": print}])
def test_what_waits_in_the_kernel_cannot_do_anything_else_meanwhile(beside):
    with pytest.raises(ValueError, match="in the kernel"):
        Wait(in_kernel=True, **beside)


def test_a_lock_goes_with_its_holder(place):
    child = os.fork()
    if child == 0:
        lock_cache(str(place), shared=False)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    lock_cache(str(place), shared=False, wait=AT_ONCE).release()
