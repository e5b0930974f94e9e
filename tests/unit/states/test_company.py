"""Who is at work in a cache comes to an end by itself when the cache is gone, and does no harm beside it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import traceback
import warnings

import pytest

from cache_core.removal import remove_tree
from scenarios.states import STATES
from tests.unit.states.looking import outside_of

ACCOMPANIED = [state for state in STATES.values() if state.company is not None]
# A company that goes on is ended after so many seconds, instead of the test hanging.
LIMIT_SECONDS = 30
READY = b"ready "
ENDED = b"ended"


class AtWork:
    """The company of a state in a process of its own, from when it is ready."""

    def __init__(self, state, place):
        self.reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Newer interpreters warn of forks when another test has left a thread; the child needs none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            self._work(state, place, writing)
        os.close(writing)
        assert os.read(self.reading, len(READY)) == READY

    @staticmethod
    def _work(state, place, writing):
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_SECONDS)
            state.company(place, lambda: os.write(writing, READY))
            os.write(writing, ENDED)
        except BaseException:  # noqa: BLE001 - the test shows it
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)

    def is_over(self):
        return bool(select.select([self.reading], [], [], 0)[0])

    def end(self):
        """What it said last."""
        with open(self.reading, "rb") as stream:
            said = stream.read()
        os.waitpid(self.pid, 0)
        self.pid = None
        return said


@pytest.fixture
def begin(place):
    """Lay a state and let its company begin."""
    begun = []

    def start(state):
        state.recipe().lay(place)
        begun.append(AtWork(state, place))
        return begun[-1]

    yield start
    for one in begun:
        # A test failed.
        if one.pid is not None:
            os.kill(one.pid, signal.SIGKILL)
            one.end()


def test_there_is_company_in_a_dozen_states():
    assert len(ACCOMPANIED) >= 10
    assert {state.group for state in ACCOMPANIED} == {"live", "locks"}


@pytest.mark.slow
@pytest.mark.parametrize("state", ACCOMPANIED, ids=lambda state: state.name)
def test_company_ends_when_the_cache_is_gone(state, place, begin):
    company = begin(state)
    while os.path.lexists(place.cache) and not company.is_over():
        # One that writes is faster now and then.
        remove_tree(place.cache)
    assert company.end() == ENDED
    # A build may have made it again, and nothing beside it.
    assert set(os.listdir(place.root)) <= {"cache", "outside"}
    seen = outside_of(place)
    assert remove_tree(place.outside).left == ()
    place.make_outside()
    assert outside_of(place) == seen


@pytest.mark.slow
def test_a_held_lock_is_held_until_the_build_has_written(place, begin):
    company = begin(STATES["lock-held"])
    with open(f"{place.cache}/.lock", "rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = os.listdir(f"{place.cache}/http-v2/built")
    assert company.end() == ENDED
    assert len(built) == len(os.listdir(f"{place.cache}/http-v2/built")) > 1


@pytest.mark.slow
def test_a_lock_is_replaced_once_somebody_has_it_open(place, begin):
    company = begin(STATES["lock-replaced"])
    with open(f"{place.cache}/.lock", "rb") as lock:
        # It is let go only when there is another.
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert os.fstat(lock.fileno()).st_nlink == 0
        with open(f"{place.cache}/.lock", "rb") as another, pytest.raises(BlockingIOError):
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert company.end() == ENDED


@pytest.mark.slow
def test_a_lock_that_nobody_opens_is_left_when_it_is_gone(place, begin):
    company = begin(STATES["lock-replaced"])
    os.unlink(f"{place.cache}/.lock")
    assert company.end() == ENDED
    assert os.path.exists(f"{place.cache}/.lock")


def test_the_writer_writes_as_long_as_there_is_a_directory(place, begin):
    company = begin(STATES["writer"])
    entry = f"{place.cache}/http-v2/entry"
    while not os.path.exists(f"{entry}/written-3"):
        assert not company.is_over()
    os.rename(entry, f"{place.cache}/moved")
    assert company.end() == ENDED


def test_the_writer_by_descriptor_goes_on_where_the_directory_is_moved_to(place, begin):
    company = begin(STATES["writer-by-descriptor"])
    entry = f"{place.cache}/http-v2/entry"
    os.rename(entry, f"{place.cache}/moved")
    seen = len(os.listdir(f"{place.cache}/moved"))
    while len(os.listdir(f"{place.cache}/moved")) <= seen + 3:
        assert not company.is_over()
    while os.path.exists(f"{place.cache}/moved"):
        remove_tree(f"{place.cache}/moved")
    assert company.end() == ENDED


@pytest.mark.parametrize("name", ["swapped-for-links", "swapped-for-hard-links", "bucket-swapped-for-a-link"])
def test_swaps_go_on_until_there_is_nothing_to_swap(name, place, begin):
    company = begin(STATES[name])
    path = f"{place.cache}/http-v2" if name.startswith("bucket") else f"{place.cache}/http-v2/entry/7"
    kinds = set()
    while len(kinds) < 2:
        assert not company.is_over()
        kinds.add(os.path.isdir(path) and not os.path.islink(path))
    while os.path.lexists(place.cache):
        remove_tree(place.cache)
    assert company.end() == ENDED


def test_directories_are_shut_again_whoever_opens_them(place, begin):
    company = begin(STATES["shut-again"])
    entry = f"{place.cache}/http-v2/entry/7"
    for _ in range(3):
        os.chmod(entry, 0o755)
        while os.stat(entry).st_mode & 0o777 != 0o200:
            assert not company.is_over()
    while os.path.lexists(place.cache):
        remove_tree(place.cache)
    assert company.end() == ENDED


def test_open_files_are_held_until_the_last_is_gone(place, begin):
    company = begin(STATES["open-files"])
    entry = f"{place.cache}/http-v2/entry"
    assert os.readlink(f"/proc/{company.pid}/cwd") == f"{entry}/below"
    for number in range(4):
        os.unlink(f"{entry}/{number}")
    assert not company.is_over()
    os.unlink(f"{entry}/4")
    assert company.end() == ENDED
