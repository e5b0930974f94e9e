"""Locks between real processes: who holds them, killed holders, files that are exchanged while somebody waits."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys

import pytest

from cache_core.errors import CacheInUseError
from cache_core.holders import holders_of
from cache_core.kernel import REAL
from cache_core.locks import Wait, lock_cache, lock_entry
from tests.support.lock_list import rows_of, until_it_waits

pytestmark = pytest.mark.slow

AT_ONCE = Wait(timeout_seconds=0)

# Waits as we do; a pause is as long as whoever started it takes to write a line.
POLLS = """
import sys
from cache_core.locks import Wait, lock_cache
def sleep(seconds):
    print("waits", flush=True)
    sys.stdin.readline()
with lock_cache(sys.argv[1], shared="shared" in sys.argv, wait=Wait(sleep=sleep)):
    print("holds", flush=True)
    sys.stdin.readline()
"""
BLOCKS = """
import sys
from cache_core.locks import IN_KERNEL, lock_cache
with lock_cache(sys.argv[1], shared="shared" in sys.argv, wait=IN_KERNEL):
    print("holds", flush=True)
    sys.stdin.readline()
"""


class Party:
    """A process that takes the lock of a cache."""

    def __init__(self, script, place, *words):
        command = [sys.executable, "-c", script, str(place), *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def says(self):
        return self.process.stdout.readline().strip()

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def place(tmp_path):
    """A directory with the lock of a cache in it."""
    (tmp_path / ".lock").touch()
    return tmp_path


@pytest.fixture
def party(place):
    parties = []

    def start(script, *words):
        parties.append(Party(script, place, *words))
        return parties[-1]

    yield start
    for one in parties:
        one.kill()


def hold_new(place):
    """Exchange the lock file and hold the new one."""
    os.unlink(place / ".lock")
    fd = os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def test_no_lock_survives_a_killed_holder(place, party):
    holder = party(POLLS)
    assert holder.says() == "holds"
    with pytest.raises(CacheInUseError) as caught:
        lock_cache(str(place), shared=True, wait=AT_ONCE)
    assert [one.pid for one in caught.value.holders] == [holder.pid]
    holder.kill()
    lock_cache(str(place), shared=False, wait=AT_ONCE).release()


@pytest.mark.parametrize("script", [POLLS, BLOCKS], ids=["polling", "in-kernel"])
def test_whoever_waits_goes_on_when_the_holder_is_killed(place, party, script):
    holder = party(POLLS)
    assert holder.says() == "holds"
    waiter = party(script)
    if script == BLOCKS:
        until_it_waits(place / ".lock", waiter.process)
    else:
        assert waiter.says() == "waits"
    holder.kill()
    if script == POLLS:
        waiter.go_on()
    assert waiter.says() == "holds"
    assert rows_of(place / ".lock") == [(False, waiter.pid)]


def test_two_share_it_and_a_third_waits_for_both(place, party):
    first, second = party(POLLS, "shared"), party(POLLS, "shared")
    assert (first.says(), second.says()) == ("holds", "holds")
    for one in (first, second):
        with pytest.raises(CacheInUseError) as caught:
            lock_cache(str(place), shared=False, wait=AT_ONCE)
        assert one.pid in {holder.pid for holder in caught.value.holders}
        one.kill()
    lock_cache(str(place), shared=False, wait=AT_ONCE).release()


def test_polling_nobody_holds_a_file_that_was_exchanged(place, party):
    """A holds, B waits, the file is exchanged, C holds the new one: B must not hold anything while C does.

    uv 0.12.5 and 0.13.9 do: they empty the cache with a lock on a file that is gone.
    """
    first = lock_cache(str(place), shared=False)
    waiter = party(POLLS)
    assert waiter.says() == "waits"
    new = hold_new(place)
    first.release()
    for _ in range(3):
        waiter.go_on()
        assert waiter.says() == "waits"
    os.close(new)
    waiter.go_on()
    assert waiter.says() == "holds"
    assert rows_of(place / ".lock") == [(False, waiter.pid)]


def test_polling_the_new_file_is_waited_for_while_the_old_one_is_still_held(place, party):
    first = lock_cache(str(place), shared=False)
    waiter = party(POLLS)
    assert waiter.says() == "waits"
    os.close(hold_new(place))
    waiter.go_on()
    assert waiter.says() == "holds"
    first.release()


def test_in_the_kernel_nobody_holds_a_file_that_was_exchanged(place, party):
    first = lock_cache(str(place), shared=False)
    waiter = party(BLOCKS)
    until_it_waits(place / ".lock", waiter.process)
    new = hold_new(place)
    first.release()
    until_it_waits(place / ".lock", waiter.process)
    os.close(new)
    assert waiter.says() == "holds"
    assert rows_of(place / ".lock") == [(False, waiter.pid)]


# Who holds it.


@pytest.fixture
def file(place):
    fd = os.open(place / ".lock", os.O_RDWR)
    yield fd
    os.close(fd)


def test_whoever_holds_it_is_found_by_pid_and_command(file, party):
    holder = party(POLLS, "some", "words")
    assert holder.says() == "holds"
    (found,) = holders_of(file, REAL)
    assert found.pid == holder.pid
    # The script that comes next has a line of its own first.
    assert found.command.startswith(os.path.basename(sys.executable) + r" -c \nimport sys")
    holder.kill()
    assert holders_of(file, REAL) == ()


def test_all_who_share_it_are_found_in_order(file, party):
    sharers = [party(POLLS, "shared") for _ in range(3)]
    assert [one.says() for one in sharers] == ["holds"] * 3
    assert [found.pid for found in holders_of(file, REAL)] == sorted(one.pid for one in sharers)


def test_whoever_only_waits_is_no_holder(place, file, party):
    holder = party(POLLS)
    assert holder.says() == "holds"
    until_it_waits(place / ".lock", party(BLOCKS).process)
    assert [found.pid for found in holders_of(file, REAL)] == [holder.pid]


def test_a_lock_of_another_file_or_kind_is_none(place, file):
    with lock_entry(f"{place}/other"):
        fcntl.lockf(file, fcntl.LOCK_EX)
        with open("/proc/locks", encoding="ascii") as locks:
            assert f"POSIX  ADVISORY  WRITE {os.getpid()} " in locks.read()
        assert holders_of(file, REAL) == ()


def test_one_lock_of_a_process_and_what_it_forked_is_one_holder(file):
    """The row is that of who took it: one open file, one lock."""
    fcntl.flock(file, fcntl.LOCK_SH)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        assert [holder.pid for holder in holders_of(file, REAL)] == [os.getpid()]
    finally:
        os.close(writing)
        os.waitpid(child, 0)
