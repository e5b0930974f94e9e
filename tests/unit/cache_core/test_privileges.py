"""Permission bits: proven, and dropped in a process of our own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from cache_core import PrivilegeError, privileges


def test_the_bits_stop_this_process(place):
    """tests/conftest.py has seen to that."""
    assert privileges.permission_bits_stop_us(str(place))
    assert not privileges.holds_override_capabilities()
    assert os.listdir(place) == []


def test_a_left_over_proof_is_passed_over(place):
    (place / ".permission-proof-0").mkdir()
    assert privileges.permission_bits_stop_us(str(place))
    assert os.listdir(place) == [".permission-proof-0"]


def test_no_proof_without_a_directory(place):
    with pytest.raises(PrivilegeError, match="nowhere"):
        privileges.permission_bits_stop_us(str(place / "nowhere"))


def test_an_open_that_works_is_no_proof(place, watching):
    class Root(watching):
        def open(self, *arguments):
            return os.open("/", os.O_RDONLY)

    assert not privileges.permission_bits_stop_us(str(place), kernel=Root())
    assert os.listdir(place) == []


def test_dropping_is_refused_once_there_are_threads():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(PrivilegeError, match="threads"):
            privileges.drop_override_capabilities()
    finally:
        stop.set()
        thread.join()


def test_dropping_twice_does_no_harm():
    code = "from cache_core import privileges as p; p.drop_override_capabilities(); p.drop_override_capabilities()"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.root
def test_root_is_stopped_after_dropping_and_so_is_what_it_executes(tmp_path):
    code = """
import subprocess, sys
from cache_core import privileges as p
assert p.holds_override_capabilities() and not p.permission_bits_stop_us(sys.argv[1])
p.drop_override_capabilities()
assert not p.holds_override_capabilities() and p.permission_bits_stop_us(sys.argv[1])
again = [sys.executable, "-c", "from cache_core import privileges as p; print(p.holds_override_capabilities())"]
print(subprocess.run(again, capture_output=True, text=True).stdout.strip())
p.empty_bounding_set()
print(subprocess.run(again, capture_output=True, text=True).stdout.strip())
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["True", "False"], "")
