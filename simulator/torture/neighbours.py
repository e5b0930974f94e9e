"""What is outside of the cache: looked at before and after, and compared.

Looked at: the directory that holds the cache, its names, and everything below what is beside the cache: type, inode,
mode, owner, size, content, attributes, times of modification and change, number of names, target of a link. Not looked
at: number of names and time of change of a file that has a name in the cache, which that name changes by right when it
goes.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.errors import shown
from scenarios.states.place import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios.states.place import Place

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_WRITTEN = "was written to"
_OWNER_WRITES = 0o200
# What is laid outside is smaller by far: of what is larger now, the size tells.
_CONTENT_BYTES_MAX = 1 << 16
# Somebody who fills the place with names need not be told all of them.
_LINES_MAX = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that is outside.

    Attributes:
        modified, changed: nanoseconds; 0 of what holds the cache, which may be written to.
        names: how many names a file has; 0 of a directory.
    """

    kind: str
    inode: int
    mode: int
    owner: tuple[int, int]
    size: int
    modified: int
    changed: int
    names: int
    attributes: tuple[tuple[str, bytes], ...]
    content: bytes | None

    def changes(self, now: Seen) -> list[str]:
        """What is different now."""
        if self.kind != now.kind:
            return [f"was a {self.kind}, is a {now.kind}"]
        told = []
        if self.inode != now.inode:
            told.append(f"is another {self.kind}")
        if self.mode != now.mode:
            told.append(f"mode was {self.mode:04o}, is {now.mode:04o}")
        if self.owner != now.owner:
            told.append(f"owner was {self.owner[0]}:{self.owner[1]}, is {now.owner[0]}:{now.owner[1]}")
        if self.content != now.content or self.size != now.size:
            told.append("content is another")
        if self.attributes != now.attributes:
            told.append("extended attributes are others")
        if self.names == 1 and now.names > 1:
            told.append("has another name elsewhere")
        if told:
            return told
        if self.modified != now.modified:
            return [_WRITTEN]
        # A name in the cache that goes changes a file with several.
        return ["was changed and put back"] if self.names <= 1 and self.changed != now.changed else []


def look(place: Place) -> dict[str, Seen]:
    """Everything outside of the cache, by path relative to the directory that holds it; `.` is that directory.

    Raises:
        OSError, RecursionError: It cannot be looked at; nothing that is laid is so.
    """
    found = {".": _see(place.root, holds_cache=True)}
    for name in os.listdir(place.root):
        if name != CACHE:
            found[name] = _see(f"{place.root}/{name}")
    for directory in (place.outside, place.aside):
        for path in _below(directory):
            found[os.path.relpath(path, place.root)] = _see(path)
    return found


def _below(directory: str) -> Iterator[str]:
    if os.path.islink(directory) or not os.path.lexists(directory):
        return
    for base, directories, files in os.walk(directory, onerror=_raise):
        for name in directories + files:
            yield f"{base}/{name}"


def _raise(error: OSError) -> None:
    raise error


def harm(before: dict[str, Seen], place: Place) -> list[str]:
    """What was done outside since, one line each.

    Args:
        before: what `look` said.
        place: where to look again.
    """
    try:
        after = look(place)
    except (OSError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return [f"what is outside cannot be looked at any more: {reason}"]
    told = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            told.append(f"{shown(path)}: is gone")
        elif path not in before:
            told.append(f"{shown(path)}: is new")
        else:
            told += [f"{shown(path)}: {change}" for change in before[path].changes(after[path])]
    if not before["."].mode & _OWNER_WRITES and not os.path.lexists(place.cache) and not told:
        told.append(".: was made writable for a moment: else the cache could not have gone")
    # What follows from other harm is told last.
    told.sort(key=lambda line: line.endswith(_WRITTEN))
    more = [f"and {len(told) - _LINES_MAX:,} more"] if len(told) > _LINES_MAX else []
    return told[:_LINES_MAX] + more


def _see(path: str, *, holds_cache: bool = False) -> Seen:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    content = None
    if kind == stat.S_IFLNK:
        content = os.fsencode(os.readlink(path))
    elif kind == stat.S_IFREG and status.st_size <= _CONTENT_BYTES_MAX:
        content = _content(path)
    return Seen(
        kind=_KINDS.get(kind, "device"),
        inode=status.st_ino,
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        size=0 if kind == stat.S_IFDIR else status.st_size,
        modified=0 if holds_cache else status.st_mtime_ns,
        changed=0 if holds_cache else status.st_ctime_ns,
        names=0 if kind == stat.S_IFDIR else status.st_nlink,
        attributes=_attributes(path),
        content=content,
    )


def _attributes(path: str) -> tuple[tuple[str, bytes], ...]:
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    except OSError:
        # A file system without any, or one that keeps them from us.
        return ()


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_CONTENT_BYTES_MAX)
    except PermissionError:
        # It was readable when it was laid: its mode tells.
        return None
