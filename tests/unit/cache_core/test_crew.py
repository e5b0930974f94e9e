"""Workers that are forked: the same result as alone, whatever becomes of one of them."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest

from cache_core import clean_sync
from cache_core.crew import Forked
from cache_core.layout import TRASH_PREFIX
from cache_core.surroundings import NOWHERE

ENTRIES = 80
# How long an idle thread of an event loop may take to end: three times what it does.
LIMIT_SECONDS = 30


def fill(cache):
    for entry in range(ENTRIES):
        (cache / "archive" / f"{entry}" / "package").mkdir(parents=True)
        for number in range(4):
            (cache / "archive" / f"{entry}" / "package" / f"{number}").write_bytes(b"x" * 5000)
    for number in range(300):
        (cache / "archive" / f"{ENTRIES - 1}" / f"{number}").touch()
    for entry in range(0, ENTRIES, 7):
        (cache / "archive" / f"{entry}" / "package").chmod((0o200, 0o000, 0o500)[entry % 3])


@pytest.fixture(autouse=True)
def one_thread():
    """Event loops of earlier tests keep idle threads for some seconds; with one of them nobody forks."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(LIMIT_SECONDS)
    # A thread that has ended for Python may be there a moment longer for the system.
    for _ in range(1_000_000):
        if len(os.listdir("/proc/self/task")) == 1:
            return
    raise AssertionError(f"other threads: {threading.enumerate()}")


@pytest.fixture
def forks(monkeypatch):
    """Counts how often this process forked."""
    made = []
    real = os.fork

    def fork():
        child = real()
        if child:
            made.append(child)
        return child

    monkeypatch.setattr(os, "fork", fork)
    return made


def assert_no_children():
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def same(report):
    return replace(report, seconds=0, path="")


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_the_same_report_as_alone(place, forks, workers):
    reports = []
    for name, crew in (("alone", Forked(1)), ("crew", Forked(workers))):
        cache = place / name
        cache.mkdir()
        fill(cache)
        reports.append(clean_sync(str(cache), untagged=True, surroundings=NOWHERE, crew=crew))
        assert os.listdir(cache) == [".lock"]
    assert same(reports[0]) == same(reports[1])
    assert (reports[0].files_removed, reports[0].permissions_repaired) == (ENTRIES * 4 + 300, 12)
    assert len(forks) == workers - 1
    assert_no_children()


@pytest.mark.parametrize("mode", [0o555, 0o000, 0o300, 0o600])
@pytest.mark.parametrize("bucket", [0o555, 0o700])
def test_a_directory_that_a_worker_may_only_empty_counts_once(place, forks, bucket, mode):
    """It lies in one whose mode is for the last look to repair, which finds it empty."""
    repaired = []
    for name, crew in (("alone", Forked(1)), ("crew", Forked(2))):
        for entry in range(100):
            (place / name / "archive" / f"{entry}").mkdir(parents=True)
            if entry % 3:
                (place / name / "archive" / f"{entry}" / "file").touch()
            (place / name / "archive" / f"{entry}").chmod(mode)
        (place / name / "archive").chmod(bucket)
        report = clean_sync(str(place / name), untagged=True, surroundings=NOWHERE, crew=crew)
        assert report.empty
        repaired.append(report.permissions_repaired)
    assert repaired == [66 + (bucket == 0o555)] * 2
    assert len(forks) == 1


def test_files_in_the_root_itself_are_shared_too(cache, forks, watching):
    """Who lists a directory has a place in it of their own: nothing is left to the last look."""
    for number in range(1000):
        (cache / f"{number}").touch()
    kernel = watching()
    assert clean_sync(str(cache), crew=Forked(2), kernel=kernel).files_removed == 1000
    assert len(forks) == 1
    last = max(at for at, (name, _) in enumerate(kernel.calls) if name == "scandir")
    assert not [name for name, _ in kernel.calls[last:] if name == "unlink"]


def test_a_program_whose_children_the_system_reaps(cache, forks):
    fill(cache)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert clean_sync(str(cache), crew=Forked(2)).empty
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert len(forks) == 1


def test_library_callers_never_fork(cache, forks):
    fill(cache)
    assert clean_sync(str(cache)).empty
    assert forks == []


def test_a_small_cache_is_one_process_s_work(cache, forks):
    for number in range(20):
        (cache / f"{number}").mkdir()
    assert clean_sync(str(cache), crew=Forked(2)).empty
    assert forks == []


def test_a_process_with_threads_does_not_fork(cache, forks):
    fill(cache)
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert clean_sync(str(cache), crew=Forked(2)).empty
    finally:
        end.set()
        thread.join()
    assert forks == []


def test_a_list_of_what_goes_has_one_author(cache, forks):
    fill(cache)
    told = []
    assert clean_sync(str(cache), crew=Forked(2), removed=told.append).empty
    assert forks == []
    assert len(told) == len(set(told)) == ENTRIES * (4 + 2) + 300 + 1


def test_where_fork_is_refused_one_is_enough(cache, monkeypatch):
    fill(cache)

    def refuse():
        raise BlockingIOError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    report = clean_sync(str(cache), crew=Forked(2))
    assert (report.empty, report.files_removed) == (True, ENTRIES * 4 + 300)


def test_where_there_is_no_pipe_one_is_enough(cache, monkeypatch, forks):
    fill(cache)
    start = sorted(os.listdir("/proc/self/fd"))
    for refused in (1, 2):
        fill_again = [] if refused == 1 else [fill(cache)]
        assert len(fill_again) == refused - 1
        asked = []
        real = os.pipe

        def pipe(asked=asked, refused=refused, real=real):
            asked.append(1)
            if len(asked) == refused:
                raise OSError(errno.EMFILE, "too many")
            return real()

        monkeypatch.setattr(os, "pipe", pipe)
        assert clean_sync(str(cache), crew=Forked(2)).empty
        monkeypatch.setattr(os, "pipe", real)
    assert forks == []
    assert sorted(os.listdir("/proc/self/fd")) == start


class Doing:
    """The real calls; in a worker, something else happens at a call."""

    def __init__(self, kernel, action):
        self._kernel = kernel
        self._action = action
        self._parent = os.getpid()

    def __getattr__(self, name):
        real = getattr(self._kernel, name)

        def call(*arguments, **options):
            if os.getpid() != self._parent:
                self._action(name)
            return real(*arguments, **options)

        return call


@pytest.mark.parametrize("at", ["openat2", "unlink", "rmdir", "chmod_descriptor"])
def test_a_worker_that_is_killed_is_replaced_by_the_last_look(cache, watching, forks, at):
    fill(cache)

    def die(name):
        if name == at:
            os.kill(os.getpid(), signal.SIGKILL)

    assert clean_sync(str(cache), crew=Forked(3), kernel=Doing(watching(), die)).empty
    assert len(forks) == 2
    assert_no_children()


def test_a_worker_with_a_bug_is_replaced_by_the_last_look(cache, watching, forks):
    fill(cache)

    def fail(name):
        if name == "unlink":
            raise ZeroDivisionError

    assert clean_sync(str(cache), crew=Forked(2), kernel=Doing(watching(), fail)).empty
    assert len(forks) == 1


def test_what_stays_is_named_once_and_its_mode_is_put_back(cache, watching, forks):
    fill(cache)

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if (name, arguments[0]) == ("unlink", "3") else None

    report = clean_sync(str(cache), crew=Forked(2), kernel=watching(refuse=refuse))
    stays = [f"{TRASH_PREFIX}/archive/{entry}/package/3" for entry in range(ENTRIES)]
    stays.append(f"{TRASH_PREFIX}/archive/{ENTRIES - 1}/3")
    assert [left.path for left in report.left] == sorted(stays)
    assert report.files_removed == ENTRIES * 3 + 299
    # Those that can be listed and searched needed no repair to find out that something stays, at the last look.
    assert report.permissions_repaired == 8
    for entry in range(0, ENTRIES, 7):
        mode = (cache / TRASH_PREFIX / "archive" / f"{entry}" / "package").stat().st_mode
        assert mode & 0o777 == (0o200, 0o000, 0o500)[entry % 3]
    assert len(forks) == 1


def test_progress_is_of_all_together(cache, forks):
    fill(cache)
    seen = []
    report = clean_sync(str(cache), crew=Forked(2), progress=seen.append)
    numbers = [(now.files_removed, now.directories_removed, now.bytes_freed) for now in seen]
    assert numbers == sorted(numbers)
    assert numbers[-1] == (report.files_removed, report.directories_removed, report.bytes_freed)
    assert len(forks) == 1


@pytest.mark.parametrize("after", [0, 1, 3])
def test_cancelled(cache, forks, after):
    fill(cache)
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > after

    report = clean_sync(str(cache), crew=Forked(2), cancelled=cancelled)
    assert (report.cancelled, report.empty) == (True, False)
    assert_no_children()
    places = [cache / TRASH_PREFIX / "archive", cache / "archive"]
    for place in places:
        for entry in range(0, ENTRIES, 7):
            package = place / f"{entry}" / "package"
            if package.exists():
                assert package.stat().st_mode & 0o777 == (0o200, 0o000, 0o500)[entry % 3]
    assert clean_sync(str(cache)).empty


def test_a_worker_that_somebody_stopped_does_not_hold_us_up(cache, watching, forks, monkeypatch):
    monkeypatch.setattr("cache_core.crew._PATIENCE_LOOKS", 2)
    fill(cache)

    def stop(name):
        if name == "unlink":
            os.kill(os.getpid(), signal.SIGSTOP)

    def cancelled():
        # As an interrupt that comes when we wait for it.
        return any(state(child) == "T" for child in forks)

    report = clean_sync(str(cache), crew=Forked(2), kernel=Doing(watching(), stop), cancelled=cancelled)
    assert report.cancelled
    assert_no_children()
    assert clean_sync(str(cache)).empty


@pytest.mark.parametrize("raising", [False, True])
def test_a_worker_that_somebody_stopped_goes_on(cache, watching, forks, raising):
    fill(cache)
    stopped = []

    def stop(name):
        if name == "unlink" and not stopped:
            stopped.append(name)
            os.kill(os.getpid(), signal.SIGSTOP)

    end = time.monotonic() + LIMIT_SECONDS

    def progress(now):
        if raising and state(forks[0]) == "T":
            raise ZeroDivisionError
        if time.monotonic() > end:
            os.kill(forks[0], signal.SIGKILL)
            raise AssertionError("it waits for a worker that is stopped")

    with pytest.raises(ZeroDivisionError) if raising else nullcontext():
        assert clean_sync(str(cache), crew=Forked(2), kernel=Doing(watching(), stop), progress=progress).empty
    assert len(forks) == 1
    assert_no_children()
    assert clean_sync(str(cache)).empty


def state(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as told:
            return told.read().rpartition(") ")[2][0]
    except FileNotFoundError:
        return None


def test_a_callback_that_raises_ends_the_workers(cache, forks):
    fill(cache)

    def progress(now):
        if now.directories_removed > 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clean_sync(str(cache), crew=Forked(2), progress=progress)
    assert len(forks) == 1
    assert_no_children()
    assert clean_sync(str(cache)).empty


def test_no_descriptor_is_left_open(cache):
    start = sorted(os.listdir("/proc/self/fd"))
    fill(cache)
    assert clean_sync(str(cache), crew=Forked(2)).empty
    assert sorted(os.listdir("/proc/self/fd")) == start


def test_32_descriptors_are_enough(cache):
    fill(cache)
    (cache / "archive" / "0" / "/".join("d" * 100)).mkdir(parents=True, mode=0o755)
    (cache / "archive" / "0" / "package").chmod(0o000)
    child = os.fork()
    if child == 0:
        try:
            os.closerange(3, 256)
            resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
            report = clean_sync(str(cache), crew=Forked(2))
            os._exit(0 if report.empty else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_cleaner_that_is_killed_leaves_the_lock_with_its_workers_until_they_end(cache, watching):
    """No build starts while somebody still removes; and somebody who has lost the cleaner stops."""
    fill(cache)
    at_work, told = os.pipe()
    go_on, going_on = os.pipe()
    cleaner = os.fork()
    if cleaner == 0:
        os.close(going_on)
        held = []

        def wait(name):
            if name == "unlink" and not held:
                held.append(1)
                os.write(told, f"{os.getpid()}\n".encode())
                os.read(go_on, 1)

        try:
            clean_sync(str(cache), crew=Forked(2), kernel=Doing(watching(), wait))
        finally:
            os._exit(0)
    os.close(told)
    os.close(go_on)
    worker = int(os.read(at_work, 20))
    os.kill(cleaner, signal.SIGKILL)
    os.waitpid(cleaner, 0)
    with pytest.raises(BlockingIOError):
        clean_now(cache)
    assert os.path.exists(f"/proc/{worker}")
    os.close(going_on)
    # Its end of this pipe goes with the worker: it stopped although there was more to do.
    assert os.read(at_work, 1) == b""
    os.close(at_work)
    assert os.listdir(cache / TRASH_PREFIX)
    assert clean_sync(str(cache)).empty


def clean_now(cache):
    from fcntl import LOCK_EX, LOCK_NB, flock

    fd = os.open(cache / ".lock", os.O_RDWR)
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    finally:
        os.close(fd)
