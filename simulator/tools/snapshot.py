"""Copies of what a storm of real processes left: such a storm cannot be played again, so each cleaner gets a copy.

Kept: names (as bytes), types, contents, modes (0200 and 0000 included), modification times, hard links within the
tree, the targets of symbolic links.
Not kept: owners other than us, access control lists and other extended attributes, holes in files, sockets and devices
(left out), hard links to files outside of the tree (they become files of their own), the order of listings.
Guarantees: works by descriptor, follows no symbolic link. A mode that keeps us out of the original is opened for the
moment of the copy and put back. Not guaranteed: that nobody sees it meanwhile.
Costs: what `cp -a` costs; a descriptor and a level of the interpreter's stack for each level of the tree, so a tree of
some hundred levels is the limit: builds make a dozen.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache_core.kernel import REAL

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 1 << 20
_OWNER_ALL = 0o700
_READ_DIRECTORY = stat.S_IRUSR | stat.S_IXUSR
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class _Copy:
    """A copy in the making."""

    # Of each original with several names: where its first copy is.
    links: dict[tuple[int, int], bytes] = field(default_factory=dict)
    # Directories get their modes and times last: in one that is 0200 nothing could be made any more.
    finished: list[tuple[bytes, os.stat_result]] = field(default_factory=list)


def copy_tree(source: str, target: str) -> None:
    """Copy a directory and all that is in it to a new path.

    Raises:
        OSError: the original is changed at the same moment, there is no room, or the target exists.
    """
    copy = _Copy()
    above = os.open(os.path.dirname(source), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _copy_directory(copy, above, os.fsencode(os.path.basename(source)), os.fsencode(target))
    finally:
        os.close(above)
    for path, status in copy.finished:
        # The innermost come first: setting a directory's time is no change to the one above.
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        REAL.chmod(os.fsdecode(path), stat.S_IMODE(status.st_mode))


def _copy_directory(copy: _Copy, above: int, name: bytes, target: bytes) -> None:
    status = os.stat(name, dir_fd=above, follow_symlinks=False)
    REAL.mkdir(os.fsdecode(target), _OWNER_ALL)
    with _opened(above, name, os.O_RDONLY | os.O_DIRECTORY, status) as fd:
        for entry in sorted(map(os.fsencode, os.listdir(fd))):
            _copy_entry(copy, fd, entry, target + b"/" + entry)
    copy.finished.append((target, status))


def _copy_entry(copy: _Copy, above: int, name: bytes, target: bytes) -> None:
    status = os.stat(name, dir_fd=above, follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        _copy_directory(copy, above, name, target)
        return
    key = (status.st_dev, status.st_ino)
    first = copy.links.get(key)
    if first is not None:
        os.link(first, target, follow_symlinks=False)
        return
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=above), target)
    elif kind == stat.S_IFREG:
        _copy_file(above, name, target, status)
    elif kind == stat.S_IFIFO:
        os.mkfifo(target)
    else:
        return
    if status.st_nlink > 1:
        copy.links[key] = target
    if kind != stat.S_IFLNK:
        REAL.chmod(os.fsdecode(target), stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _copy_file(above: int, name: bytes, target: bytes, status: os.stat_result) -> None:
    with _opened(above, name, os.O_RDONLY, status) as source:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while os.sendfile(fd, source, None, _BLOCK_BYTES):
                pass
        finally:
            os.close(fd)


@contextlib.contextmanager
def _opened(above: int, name: bytes, flags: int, status: os.stat_result) -> Iterator[int]:
    """Open something for reading; a mode that keeps us out is changed for the while."""
    needed = _READ_DIRECTORY if stat.S_ISDIR(status.st_mode) else stat.S_IRUSR
    keeps_out = status.st_mode & needed != needed
    with _made_open(above, name, status) if keeps_out else contextlib.nullcontext():
        fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            yield fd
        finally:
            os.close(fd)


@contextlib.contextmanager
def _made_open(above: int, name: bytes, status: os.stat_result) -> Iterator[None]:
    pinned = os.open(name, _LOOK, dir_fd=above)
    try:
        itself = f"/proc/self/fd/{pinned}"
        REAL.chmod(itself, stat.S_IMODE(status.st_mode) | _OWNER_ALL)
        try:
            yield
        finally:
            REAL.chmod(itself, stat.S_IMODE(status.st_mode))
    finally:
        os.close(pinned)
