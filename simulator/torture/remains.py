"""What is left in a cache, whatever state it is in: the judge's own look, which believes nobody.

The walk holds one descriptor, goes down by name and up by `..`, so no depth stops it; that is safe only because whoever
could move something is dead by now. A directory that keeps its owner out is opened for the moment of the look and shut
again. Guarantees: follows no link, changes nothing for good. Costs: an open and a listing for each directory, and at
most `ENTRIES_MAX` entries.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.kernel import REAL
from cache_core.layout import KEPT_BYTES_MAX, KEPT_NAMES
from cache_core.privileges import holds_override_capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

# States in which something may stay are smaller by far; of the others it is enough to say "at least".
ENTRIES_MAX = 1_000
_OWNER_ALL = 0o700
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Remnant:
    """One thing that is left.

    Attributes:
        path: relative to the cache.
        identity: device and inode.
        above: identities of the directories in the cache that it is in.
    """

    path: str
    identity: Identity
    above: tuple[Identity, ...]


def identity_of(path: str) -> Identity:
    """Which file or directory it is, whatever it is called later."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def is_empty(cache: str) -> bool:
    """Whether the cache is gone, or holds nothing but its tag, its ignore file and its lock, each a small file.

    A path that is neither gone nor a directory is not empty; a symbolic link is no directory.

    Raises:
        OSError: It cannot be told.
    """
    try:
        return stat.S_ISDIR(os.lstat(cache).st_mode) and next(remnants(cache), None) is None
    except FileNotFoundError:
        return True


def remnants(cache: str) -> Iterator[Remnant]:
    """Everything in a directory but what an empty cache may hold, parents first; at most `ENTRIES_MAX`.

    Raises:
        OSError: It cannot be looked at.
    """
    with _opened(cache) as fd:
        names = sorted(os.listdir(fd), reverse=True)
        top = _Level("", identity_of(cache), [name for name in names if not _may_stay(fd, name)])
        yield from _walk(os.dup(fd), top)


def _may_stay(fd: int, name: str) -> bool:
    status = os.lstat(name, dir_fd=fd)
    return name in KEPT_NAMES and stat.S_ISREG(status.st_mode) and status.st_size <= KEPT_BYTES_MAX


@dataclass(slots=True)
class _Level:
    name: str
    identity: Identity
    names: list[str]
    old_mode: int | None = None


def _walk(fd: int, top: _Level) -> Iterator[Remnant]:
    levels = [top]
    seen = 0
    try:
        while True:
            level = levels[-1]
            if level.names and seen < ENTRIES_MAX:
                name = level.names.pop()
                seen += 1
                status = os.lstat(name, dir_fd=fd)
                path = "/".join([*(above.name for above in levels[1:]), name])
                within = tuple(above.identity for above in levels[1:])
                yield Remnant(path, (status.st_dev, status.st_ino), within)
                if stat.S_ISDIR(status.st_mode):
                    fd = _go_down(fd, name, status, levels)
            elif len(levels) > 1:
                fd = _go_up(fd, levels.pop())
            else:
                return
    finally:
        # Also when whoever asked has seen enough.
        while len(levels) > 1:
            fd = _go_up(fd, levels.pop())
        os.close(fd)


def _go_down(fd: int, name: str, status: os.stat_result, levels: list[_Level]) -> int:
    """Open a directory and add its level. What cannot be opened stands for what is in it."""
    mode = stat.S_IMODE(status.st_mode)
    shut = _keeps_us_out(mode) and _try_chmod(name, mode | _OWNER_ALL, fd)
    try:
        below = os.open(name, _READ, dir_fd=fd)
    except OSError:
        # Another user's.
        return fd
    os.close(fd)
    names = sorted(os.listdir(below), reverse=True)
    levels.append(_Level(name, (status.st_dev, status.st_ino), names, mode if shut else None))
    return below


def _go_up(fd: int, level: _Level) -> int:
    above = os.open("..", _READ, dir_fd=fd)
    if level.old_mode is not None:
        os.fchmod(fd, level.old_mode)
    os.close(fd)
    return above


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """A directory, open and accessible; its mode is what it was afterwards."""
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    shut = _keeps_us_out(mode) and _try_chmod(path, mode | _OWNER_ALL, None)
    fd = os.open(path, _READ)
    try:
        yield fd
    finally:
        if shut:
            os.fchmod(fd, mode)
        os.close(fd)


def _keeps_us_out(mode: int) -> bool:
    return mode & _OWNER_ALL != _OWNER_ALL and not holds_override_capabilities()


def _try_chmod(path: str, mode: int, dir_fd: int | None) -> bool:
    try:
        REAL.chmod(path, mode, dir_fd=dir_fd)
    except OSError:
        # A read-only disk, immutable, or not ours: the open that follows tells.
        return False
    return True
