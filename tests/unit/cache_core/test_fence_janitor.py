"""The janitor: it does its one thing, holds nothing, hears nothing, and ends when we do."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal

import pytest

from cache_core import janitor
from cache_core.janitor import start_janitor
from cache_core.kernel import REAL

# Newer interpreters warn of forks when another test has left a thread; the janitor needs none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

PR_SET_CHILD_SUBREAPER = 36
# A process that a test forks is ended after so many seconds, instead of the test hanging.
LIMIT_SECONDS = 30


@pytest.fixture
def parent(place):
    (place / "vacant").mkdir()
    fd = os.open(place, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.fixture
def started(parent):
    """A janitor for `vacant`, ended after the test."""
    running = start_janitor(parent, "vacant")
    yield running
    if running.pid in children():
        running.close()


def children():
    """Our children that nobody has reaped."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as stream:
        return {int(pid) for pid in stream.read().split()}


def test_it_removes_the_directory(started, place):
    started.remove()
    assert os.listdir(place) == []


def test_one_that_somebody_stopped_does_its_work_and_ends(started, place):
    os.kill(started.pid, signal.SIGSTOP)
    started.remove()
    assert os.listdir(place) == []
    os.kill(started.pid, signal.SIGSTOP)
    started.close()
    assert started.pid not in children()


@pytest.mark.parametrize(
    ("make", "number"), [(lambda path: path.touch(), errno.ENOTDIR), (lambda path: None, errno.ENOENT)]
)
def test_it_tells_the_error(started, place, make, number):
    (place / "vacant").rmdir()
    make(place / "vacant")
    with pytest.raises(OSError, match="vacant") as caught:
        started.remove()
    assert caught.value.errno == number


def test_an_error_number_beyond_a_byte_is_told(parent, monkeypatch):
    """ENOTSUPP, which NFS lets out."""

    class Strange:
        def __getattr__(self, name):
            return getattr(REAL, name)

        def rmdir(self, name, *, dir_fd):
            raise OSError(524, "Unknown error 524")

    monkeypatch.setattr(janitor, "REAL", Strange())
    running = start_janitor(parent, "vacant")
    with pytest.raises(OSError, match="524") as caught:
        running.remove()
    running.close()
    assert caught.value.errno == 524


def test_it_holds_the_directory_and_its_pipes_and_nothing_else(started, place, tmp_path):
    held = [os.readlink(f"/proc/{started.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{started.pid}/fd")]
    assert len(held) == 3
    assert str(place) in held
    assert sum(target.startswith("pipe:") for target in held) == 2


def test_it_keeps_no_lock(parent, place):
    """As soon as it is started: what takes our locks over would keep builds out after we have ended."""
    path = str(place / "lock")
    ours = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(ours, fcntl.LOCK_EX)
    running = start_janitor(parent, "vacant")
    theirs = os.open(path, os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(ours)
    fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert running.pid in children()
    running.remove()
    running.close()
    os.close(theirs)


def test_it_can_be_started_when_standard_streams_are_closed(place):
    """Its pipes then have their numbers."""
    (place / "vacant").mkdir()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(LIMIT_SECONDS)
            os.closerange(0, 256)
            where = os.open(place, os.O_PATH | os.O_DIRECTORY)
            running = start_janitor(where, "vacant")
            running.remove()
            running.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert os.listdir(place) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGTSTP", "SIGPIPE"])
def test_signals_of_the_terminal_are_not_for_it(started, place, name):
    os.kill(started.pid, signal.Signals[name])
    started.remove()
    assert os.listdir(place) == []


def test_our_own_signals_are_as_before(parent):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    start_janitor(parent, "vacant").close()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_an_interrupt_as_it_is_forked_is_not_lost_and_leaves_nothing(parent, monkeypatch):
    """The exception comes as the signals are let in again, before anybody knows the number of the new process."""
    fork = os.fork
    forked = []

    def interrupted():
        forked.append(fork())
        if forked[0]:
            os.kill(os.getpid(), signal.SIGINT)
        return forked[0]

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(janitor.os, "fork", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_janitor(parent, "vacant")
    assert os.listdir("/proc/self/fd") == before
    # It sees the end of its orders. (A process that is interrupted here ends soon, and its children are reaped.)
    assert os.waitpid(forked[0], 0)[1] == 0


def test_close_ends_and_reaps_it(started):
    started.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(started.pid, 0)


def test_close_ends_it_though_a_worker_holds_the_pipe(started):
    """The end of the pipe does not come for as long as the worker is there."""
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        try:
            signal.alarm(LIMIT_SECONDS)
            os.close(writing)
            os.read(reading, 1)
        finally:
            os._exit(0)
    os.close(reading)
    started.close()
    assert started.pid not in children()
    os.close(writing)
    assert os.waitpid(worker, 0)[1] == 0


def test_a_janitor_that_was_killed_is_reported(started):
    os.kill(started.pid, signal.SIGKILL)
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError, match="has ended"):
        started.remove()
    started.close()
    assert started.pid not in children()


def test_a_janitor_that_somebody_else_reaped_is_closed_all_the_same(started):
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)
    started.close()


def test_a_janitor_that_dies_at_its_work_is_reported(parent, monkeypatch):
    class Deadly:
        def __getattr__(self, name):
            return getattr(REAL, name)

        def rmdir(self, name, *, dir_fd):
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(janitor, "REAL", Deadly())
    running = start_janitor(parent, "vacant")
    with pytest.raises(ProcessLookupError, match="has ended"):
        running.remove()
    running.close()


def end_of(parent, *, begin=lambda: None, end, worker=False):
    """How a janitor ended when the process that had started it did: its wait status.

    Done in a process that inherits orphans, so that it is that process that reaps the janitor.
    """
    reaper = os.fork()
    if reaper:
        return os.waitstatus_to_exitcode(os.waitpid(reaper, 0)[1])
    status = 255
    try:
        signal.alarm(LIMIT_SECONDS)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        reading, writing = os.pipe()
        cleaner = os.fork()
        if cleaner == 0:
            begin()
            running = start_janitor(parent, "vacant")
            if worker and os.fork() == 0:
                # It inherits our end of the pipe, and is killed below.
                signal.alarm(LIMIT_SECONDS)
                os.write(writing, os.getpid().to_bytes(4))
                signal.pause()
            os.write(writing, running.pid.to_bytes(4))
            end()
        pids = [int.from_bytes(os.read(reading, 4)) for _ in range(2 if worker else 1)]
        os.waitpid(cleaner, 0)
        # Whoever is no child of ours by now was one of the cleaner's and is given to us: the worker is left alone.
        ended, how = os.waitpid(-1, 0)
        code = os.waitstatus_to_exitcode(how)
        for pid in set(pids) - {ended}:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        status = 100 - code if code < 0 else code
    finally:
        os._exit(status)


def kill_ourselves():
    os.kill(os.getpid(), signal.SIGKILL)


def deaf_to_death():
    """As if the system would not tell the janitor that we died."""
    janitor._prctl = lambda *arguments: -1


KILLED = 100 + signal.SIGKILL


def test_it_ends_with_a_process_that_is_killed_while_workers_hold_its_pipe(parent):
    assert end_of(parent, end=kill_ourselves, worker=True) == KILLED


def test_it_ends_at_the_end_of_its_pipe(parent):
    assert end_of(parent, begin=deaf_to_death, end=kill_ourselves) == 0


@pytest.mark.parametrize("end", [kill_ourselves, lambda: os._exit(0)])
def test_it_ends_with_us(parent, end):
    assert end_of(parent, end=end) in (0, KILLED)


def test_it_does_not_begin_for_a_process_that_has_ended(parent, monkeypatch):
    monkeypatch.setattr(janitor.os, "getppid", lambda: 1)
    with pytest.raises(ProcessLookupError):
        start_janitor(parent, "vacant")
    assert children() == set()
