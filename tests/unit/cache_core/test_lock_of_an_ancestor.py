"""The lock is held by whoever started us, and may be waiting for us: no wait without a limit begins."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys

import pytest

from cache_core import CacheInUseError, clean_sync, lock_cache
from cache_core.holders import Holder, ancestor_among
from cache_core.kernel import REAL

# Generous: it is there to end a test that waits for ever.
SECONDS_MAX = 60
PROGRAM = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()", "clean"]
# Somebody in between, as a shell is.
THROUGH = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"]


@pytest.fixture
def held(cache):
    """By us, who start the cleaner."""
    (cache / "entry").mkdir()
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_SH)
    yield cache
    os.close(fd)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


@pytest.mark.parametrize("through", [[], THROUGH], ids=["parent", "grandparent"])
def test_it_is_said_at_once_and_in_one_line(held, through):
    done = run(*through, *PROGRAM, str(held), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["kind"], document["exit"]) == (1, "in-use", 1)
    (line,) = done.stderr.splitlines()
    assert f"(pid {os.getpid()}); pid {os.getpid()} started this process" in line
    assert "--force" in line
    assert (held / "entry").exists()


def test_force_goes_on(held):
    done = run(*PROGRAM, str(held), "--force")
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "cache is empty")


def test_with_a_limit_it_waits_as_long_as_it_was_told_to(held):
    """Whoever started it may give the lock up."""
    done = run(*PROGRAM, str(held), "--timeout", "0.2s")
    assert done.returncode == 1
    waiting, failed = done.stderr.splitlines()
    assert waiting.startswith("cachestorm: waiting for ")
    assert f", for 0.2 s now; pid {os.getpid()} started this process" in failed


def test_in_a_library_it_is_the_same_error_and_nobody_is_told_of_a_wait(held, monkeypatch):
    told = []
    child = os.fork()
    if child == 0:
        try:
            clean_sync(str(held), on_wait=told.append, sleep=lambda seconds: os._exit(3))
        except CacheInUseError as error:
            os._exit(0 if not told and [holder.pid for holder in error.holders] == [os.getppid()] else 4)
        finally:
            os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_lock_of_our_own_process_is_waited_for(cache):
    """Another thread or task of it can give it up."""
    lock = lock_cache(str(cache), shared=True)
    told = []
    assert clean_sync(str(cache), on_wait=told.append, sleep=lambda seconds: lock.release()).empty
    assert [holder.pid for (holder,) in told] == [os.getpid()]


def test_the_nearest_of_several_is_found():
    parent = Holder(os.getppid(), "parent")
    assert ancestor_among([Holder(1, "init"), parent], REAL) == parent
    assert ancestor_among([Holder(os.getpid(), "we"), Holder(0, "")], REAL) is None
    assert ancestor_among([], REAL) is None


def test_without_proc_there_is_none(watching):
    def refuse(name, arguments):
        return FileNotFoundError("no /proc") if "/proc/" in str(arguments) else None

    assert ancestor_among([Holder(os.getppid(), "parent")], watching(refuse=refuse)) is None
