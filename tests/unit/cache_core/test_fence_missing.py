"""Where there can be no fence, or only part of one: it is said, nothing is left behind, and all else works."""

from __future__ import annotations

import errno
import os
import resource
import threading

import pytest

from cache_core import fence, janitor, landlock
from cache_core.fence import LandlockFence
from tests.support.fenced import make_ground, needs_landlock, opened, refusal, run_forked, truncate_open


@pytest.fixture
def ground(place):
    make_ground(place)
    return place


def no_fence_stands(ground, entered):
    """Whether the process is as it was, but for the answer: descriptors, children, and what it may do."""
    (ground / "vacant").mkdir()
    where = opened(ground, "vacant")
    before = os.listdir("/proc/self/fd")
    ours = LandlockFence(remove_root=True)
    assert ours.enter(*where) is entered
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, 0)
    os.unlink(ground / "beside/file")
    ours.remove_root()
    ours.close()
    return True


REAL_SYSCALL = landlock._syscall


def failing(number_of_call, error):
    """A `syscall` that refuses one call of Landlock's, looking for the version excepted."""

    def syscall(number, *arguments):
        asks_version = number == landlock._SYS_CREATE_RULESET and arguments[0] is None
        if number == number_of_call and not asks_version:
            landlock.ctypes.set_errno(error)
            return -1
        return REAL_SYSCALL(number, *arguments)

    return syscall


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP])
def test_a_system_without_landlock_has_no_fence(ground, monkeypatch, error):
    def unknown(*arguments):
        landlock.ctypes.set_errno(error)
        return -1

    monkeypatch.setattr(landlock, "_syscall", unknown)
    assert landlock.landlock_abi() == 0
    assert run_forked(lambda: no_fence_stands(ground, False))
    assert not (ground / "vacant").exists()


@needs_landlock
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("call", ["_SYS_CREATE_RULESET", "_SYS_ADD_RULE", "_SYS_RESTRICT_SELF"])
def test_a_call_that_is_filtered_means_no_fence(ground, monkeypatch, call, error):
    monkeypatch.setattr(landlock, "_syscall", failing(getattr(landlock, call), error))
    assert run_forked(lambda: no_fence_stands(ground, False))
    assert not (ground / "vacant").exists()


@needs_landlock
def test_without_no_new_privs_there_is_no_fence(ground, monkeypatch):
    monkeypatch.setattr(landlock, "_prctl", lambda *arguments: -1)
    assert run_forked(lambda: no_fence_stands(ground, False))


def test_an_abi_without_renames_between_directories_is_not_used(ground, monkeypatch):
    monkeypatch.setattr(fence, "landlock_abi", lambda: 1)
    assert run_forked(lambda: no_fence_stands(ground, False))


@needs_landlock
def test_an_abi_without_truncate_is_used(ground, monkeypatch):
    """Linux 5.19 to 6.1: asking it for the right would be refused."""
    monkeypatch.setattr(landlock, "landlock_abi", lambda: 2)

    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        assert refusal(lambda: os.unlink(ground / "beside/file")) == "EACCES"
        truncate_open("/dev/null")
        return refusal(lambda: os.truncate(ground / "beside/file", 0))

    assert run_forked(work) is None


def test_a_process_with_threads_is_not_fenced(ground):
    def work():
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        try:
            return no_fence_stands(ground, False)
        finally:
            stop.set()
            thread.join()

    assert run_forked(work)


def test_a_fork_that_is_refused_means_no_fence(ground, monkeypatch):
    def refused():
        raise BlockingIOError(errno.EAGAIN, "no process to be had")

    def work():
        monkeypatch.setattr(janitor.os, "fork", refused)
        return no_fence_stands(ground, False)

    assert run_forked(work)


def test_a_janitor_that_cannot_let_go_of_our_locks_means_no_fence(ground, monkeypatch):
    monkeypatch.setattr(janitor, "_syscall", lambda *arguments: -1)
    assert run_forked(lambda: no_fence_stands(ground, False))


@pytest.mark.parametrize("spare", range(5))
def test_too_few_descriptors_mean_no_fence(ground, spare):
    def work():
        where = opened(ground)
        free = os.dup(where[0])
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, free + spare))
        entered = LandlockFence(remove_root=True).enter(*where)
        assert refusal(lambda: os.unlink(ground / "beside/file")) is None
        return entered

    assert run_forked(work) is False
