"""The calls that Python has no function for behave as those that it has."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat

import pytest

from cache_core import kernel
from cache_core.kernel import REAL, RESOLVE_BENEATH

TURNS = 3


@pytest.fixture
def interrupted(monkeypatch):
    """Makes the first calls end as a signal would end them; returns the list of what was called."""
    calls = []
    real = kernel._syscall

    def syscall(*arguments):
        calls.append(arguments[0])
        if len(calls) <= TURNS:
            ctypes.set_errno(errno.EINTR)
            return -1
        return real(*arguments)

    monkeypatch.setattr(kernel, "_syscall", syscall)
    return calls


def test_an_interrupted_open_is_made_again(place, interrupted):
    above = os.open(place, os.O_RDONLY)
    os.close(REAL.openat2(".", os.O_RDONLY | os.O_DIRECTORY, RESOLVE_BENEATH, dir_fd=above))
    os.close(above)
    assert len(interrupted) == TURNS + 1


def test_an_interrupted_chmod_is_made_again(place, interrupted):
    (place / "d").mkdir(mode=0o700)
    pin = os.open(place / "d", os.O_PATH)
    REAL.chmod_descriptor(pin, 0o200)
    os.close(pin)
    assert stat.S_IMODE((place / "d").stat().st_mode) == 0o200
    assert len(interrupted) == TURNS + 1


def test_an_interrupted_call_still_fails_as_it_must(place, interrupted):
    above = os.open(place, os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        REAL.openat2("nothing", os.O_RDONLY, RESOLVE_BENEATH, dir_fd=above)
    os.close(above)


def test_an_exception_from_the_handler_of_a_signal_ends_it(place):
    """A real signal in a call that waits for ever: what comes out is what the handler raised, not EINTR."""
    os.mkfifo(place / "fifo")
    above = os.open(place, os.O_RDONLY)

    def handle(number, frame):
        raise TimeoutError("from the handler")

    def wait_for_a_writer():
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        REAL.openat2("fifo", os.O_RDONLY, RESOLVE_BENEATH, dir_fd=above)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        with pytest.raises(TimeoutError, match="from the handler"):
            wait_for_a_writer()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.close(above)
