"""What is never cleaned is found out, or nothing is cleaned."""

from __future__ import annotations

import errno
import os

import pytest

from cache_core.cleaner import clean_sync
from cache_core.errors import SurroundingsError
from cache_core.surroundings import Surroundings


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.ENOMEM])
def test_no_error_of_the_system_makes_a_directory_fair_game(place, watching, monkeypatch, number):
    monkeypatch.chdir(place)
    kernel = watching()
    whole = Surroundings.of_process(kernel).refused
    calls = sum(name != "close" for name, _ in kernel.calls)
    start = len(os.listdir("/proc/self/fd"))
    assert calls > 5
    for step in range(calls + 1):
        count = [0]

        def refuse(name, arguments, step=step, count=count):
            count[0] += name != "close"
            return OSError(number, "injected") if name != "close" and count[0] == step + 1 else None

        if step < calls:
            with pytest.raises(SurroundingsError, match="injected") as caught:
                Surroundings.of_process(watching(refuse=refuse))
            assert caught.value.errno == number
        else:
            assert Surroundings.of_process(watching(refuse=refuse)).refused == whole
        assert len(os.listdir("/proc/self/fd")) == start


def test_a_home_that_does_not_exist_is_no_reason_to_refuse(cache, monkeypatch):
    for home in ("/nowhere/at/all", "/dev/null/x", "x" * 300, ""):
        monkeypatch.setenv("HOME", home)
        assert clean_sync(str(cache)).empty


def test_a_working_directory_that_is_gone_is_no_reason_to_refuse(cache, place, monkeypatch):
    (place / "gone").mkdir()
    monkeypatch.chdir(place / "gone")
    (place / "gone").rmdir()
    assert clean_sync(str(cache)).empty
