"""What is outside of the cache: looked at before and after, and compared.

Looked at: the directory that holds the cache, its names, and everything below what is beside the cache: type, inode,
mode, owner, size, content, modification time, target of a link. Not looked at: link counts and change times, which a
name that goes from the cache changes by right; what a state keeps for itself (`place.ASIDE`).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.errors import shown
from scenarios.states.place import ASIDE, CACHE

if TYPE_CHECKING:
    from scenarios.states.place import Place

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


_WRITTEN = "was written to"


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that is outside."""

    kind: str
    inode: int
    mode: int
    owner: tuple[int, int]
    size: int
    modified: int
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
        elif self.modified != now.modified:
            told.append(_WRITTEN)
        return told


def look(place: Place) -> dict[str, Seen]:
    """Everything outside of the cache, by path relative to the directory that holds it; `.` is that directory."""
    found = {".": _see(place.root, with_times=False)}
    for name in os.listdir(place.root):
        if name not in (CACHE, ASIDE):
            found[name] = _see(f"{place.root}/{name}", with_times=True)
    for directory, directories, files in os.walk(place.outside):
        for name in directories + files:
            path = f"{directory}/{name}"
            found[os.path.relpath(path, place.root)] = _see(path, with_times=True)
    return found


def harm(before: dict[str, Seen], after: dict[str, Seen]) -> list[str]:
    """What was done outside, one line each."""
    told = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            told.append(f"{shown(path)}: is gone")
        elif path not in before:
            told.append(f"{shown(path)}: is new")
        else:
            told += [f"{shown(path)}: {change}" for change in before[path].changes(after[path])]
    # What follows from other harm is told last.
    return sorted(told, key=lambda line: line.endswith(_WRITTEN))


def _see(path: str, *, with_times: bool) -> Seen:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    content = None
    if kind == stat.S_IFLNK:
        content = os.fsencode(os.readlink(path))
    elif kind == stat.S_IFREG:
        content = _content(path)
    return Seen(
        _KINDS.get(kind, "device"),
        status.st_ino,
        stat.S_IMODE(status.st_mode),
        (status.st_uid, status.st_gid),
        0 if kind == stat.S_IFDIR else status.st_size,
        # The directory that holds the cache is written to when the cache goes.
        status.st_mtime_ns if with_times else 0,
        content,
    )


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError:
        # It was readable when it was laid: its mode tells.
        return None
