"""Behind a fence, which is for good: in a forked process, that tells the test what it saw."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import stat
import traceback
import warnings

import pytest

from cache_core import landlock

needs_landlock = pytest.mark.skipif(
    landlock.landlock_abi() < landlock.ABI_MIN, reason="this machine has no Landlock of ABI 2 or later"
)
# A process that a test forks is ended after so many seconds, instead of the test hanging.
LIMIT_SECONDS = 30


def run_forked(work):
    """Call a function in a forked process; returns what it returns, fails with its traceback when it failed."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Newer interpreters warn of forks when another test has left a thread; the child needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_SECONDS)
            os.close(reading)
            try:
                said = (True, work())
            except BaseException:  # noqa: BLE001 - the test raises it again
                said = (False, traceback.format_exc())
            os.write(writing, pickle.dumps(said))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as stream:
        heard = stream.read()
    os.waitpid(child, 0)
    assert heard, "the process ended without a word: too slow?"
    fine, value = pickle.loads(heard)
    assert fine, value
    return value


def make_ground(place):
    """A root with something in it, and things beside it."""
    (place / "root/d/e").mkdir(parents=True)
    (place / "root/file").write_text("inside")
    (place / "root/d/file").write_text("inside")
    (place / "beside/d").mkdir(parents=True)
    (place / "beside/file").write_text("outside")
    (place / "beside/other").write_text("outside")
    os.symlink("file", place / "beside/link")


def opened(ground, name="root"):
    """The descriptors and the name that `enter` takes."""
    parent = os.open(ground, os.O_PATH | os.O_DIRECTORY)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent), parent, name


def state(directory):
    """Every path below, with type, links and length."""
    seen = {}
    for base, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(base, name)
            status = os.lstat(path)
            size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
            seen[os.path.relpath(path, directory)] = (stat.S_IFMT(status.st_mode), status.st_nlink, size)
    return seen


def refusal(action):
    """The errno that an action fails with, None when it works."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def truncate_open(path):
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
