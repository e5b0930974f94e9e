"""States of the cache's lock file, `.lock`: what stands there and is none, what cannot be opened, who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from scenarios.states.privileged import Owner
from scenarios.states.state import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios.states.place import Place
    from scenarios.states.recipe import Recipe

GROUP = Group("locks")

_LOCK = ".lock"
# Long enough for any cleaner to have begun; a polite one waits as long.
_HELD_SECONDS = 0.6
_FILES = 10
# Somebody would have to be faster than a mkdir that many times.
_TRIES_MAX = 100
_LOOK_SECONDS = 0.005
_OPENED_SECONDS = 0.05
_CLEANER_SECONDS_MAX = 10.0


def _content(make: Recipe) -> None:
    make.file("http-v2/entry/file")
    make.file("http-v2/other/file")


@GROUP.state()
def lock_is_a_link(make: Recipe) -> None:
    """The lock is a symbolic link to a file outside: whoever opens it for writing, or locks it, is outside."""
    _content(make)
    make.link(_LOCK, "outside/plain")


@GROUP.state()
def lock_is_a_dangling_link(make: Recipe) -> None:
    """The lock is a symbolic link to nothing: whoever creates through it makes a file outside."""
    _content(make)
    make.link(_LOCK, "outside/nothing")


@GROUP.state()
def lock_is_a_directory(make: Recipe) -> None:
    """The lock is a directory, with a shut one in it: it is content, and no lock."""
    _content(make)
    make.file(f"{_LOCK}/inner/file")
    make.mode(f"{_LOCK}/inner", 0o200)


@GROUP.state(classes=(25,))
def lock_is_a_fifo(make: Recipe) -> None:
    """The lock is a fifo: whoever opens it for reading waits for ever."""
    _content(make)
    make.node(_LOCK, "fifo")


@GROUP.state(classes=(18,))
def lock_is_a_hard_link(make: Recipe) -> None:
    """The lock is one more name of a file outside: it may be locked, and neither written nor truncated."""
    _content(make)
    make.hard_link(_LOCK, "plain")


@GROUP.state(classes=(42,), met=("astral-sh/uv#5611",))
def lock_shut(make: Recipe) -> None:
    """The lock is a file of mode 0000: it cannot be opened, which is not to say that somebody holds it."""
    _content(make)
    make.file(_LOCK, b"", 0o000)


@GROUP.state(classes=(42,), met=("astral-sh/uv#5611",))
def lock_read_only(make: Recipe) -> None:
    """The lock is a file of mode 0444: it can be locked by whoever does not insist on writing to it."""
    _content(make)
    make.file(_LOCK, b"", 0o444)


@GROUP.state(classes=(42,), met=("huggingface/huggingface_hub#2580",))
def lock_of_another(make: Recipe) -> None:
    """The lock is another user's, of mode 0600: one run as root made it."""
    _content(make)
    make.file(_LOCK, b"", 0o600)
    make.last(Owner(_LOCK))


def _hold(place: Place) -> int:
    """Hold the lock; whoever takes no notice of it may remove the cache at any moment."""
    for _ in range(_TRIES_MAX):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.makedirs(place.cache, exist_ok=True)
            fd = os.open(f"{place.cache}/{_LOCK}", os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(fd, fcntl.LOCK_SH)
            return fd
    raise FileNotFoundError(place.cache)


def _publish(place: Place) -> None:
    """As a build does: an entry, a file at a time; what is removed under it, it makes again."""
    entry = f"{place.cache}/http-v2/built"
    for number in range(_FILES):
        time.sleep(_HELD_SECONDS / _FILES)
        for _ in range(_TRIES_MAX):
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                os.makedirs(entry, exist_ok=True)
                with open(f"{entry}/{number}", "w", encoding="ascii"):
                    break


def _build_with_lock(place: Place, ready: Callable[[], None]) -> None:
    """A build that holds .lock (shared) for 0.6 s and writes http-v2/built meanwhile."""
    _hold(place)
    ready()
    _publish(place)
    # The lock goes with this process.


@GROUP.state(classes=(30,), met=("astral-sh/uv#15704", "pnpm/pnpm#8586"), company=_build_with_lock)
def lock_held(make: Recipe) -> None:
    """A build holds the lock for 0.6 s and writes an entry meanwhile.

    Whoever waits for the lock finds all of it. Whoever does not removes what is being built, and it comes again.
    """
    _content(make)
    make.file(_LOCK, b"")


def _replace_lock(place: Place, ready: Callable[[], None]) -> None:
    """A build that holds .lock until somebody waits for it, deletes it, holds a new one, and writes http-v2/built."""
    first = _hold(place)
    ready()
    _await_opener(first)
    # Whoever takes no lock may have removed it.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{place.cache}/{_LOCK}")
    second = _hold(place)
    os.close(first)
    _publish(place)
    os.close(second)


def _await_opener(fd: int) -> None:
    """Until another process has the file open, or the file is gone."""
    deadline = time.monotonic() + _CLEANER_SECONDS_MAX
    status = os.fstat(fd)
    while time.monotonic() < deadline and os.fstat(fd).st_nlink:
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) != os.getpid() and _has_open(pid, status.st_ino):
                # It opens before it waits.
                time.sleep(_OPENED_SECONDS)
                return
        time.sleep(_LOOK_SECONDS)


def _has_open(pid: str, inode: int) -> bool:
    try:
        directory = f"/proc/{pid}/fd"
        return any(
            os.readlink(f"{directory}/{fd}").endswith(f"/{_LOCK}") and os.stat(f"{directory}/{fd}").st_ino == inode
            for fd in os.listdir(directory)
        )
    except OSError:
        # It ended, or is another user's.
        return False


@GROUP.state(classes=(41,), met=("tox-dev/filelock#577", "tox-dev/filelock#574"), company=_replace_lock)
def lock_replaced(make: Recipe) -> None:
    """The lock file is deleted while the cleaner waits for it; a build makes a new one, holds that, and writes.

    Whoever does not look again after waiting holds a lock that nobody else knows of. Whoever takes no lock is not
    waited for, and cleans before or while the build writes.
    """
    _content(make)
    make.file(_LOCK, b"")
