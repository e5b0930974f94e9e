"""What is in a tree, however deep and shut it is, as a list that can be compared."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import NamedTuple

from cache_core.removal import remove_tree

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CONTENT_BYTES_MAX = 1 << 16


class Seen(NamedTuple):
    """One thing in a tree; `depth` below the directory that holds the tree."""

    depth: int
    name: str
    mode: int
    owner: int
    size: int
    links: int
    told: str | bytes | int


def tree_of(path):
    """All that has the path or is below it, in order of names; directories that are shut are left open."""
    seen = []
    fd = os.open(os.path.dirname(path), _OPEN)
    waiting = [[os.path.basename(path)] if os.path.lexists(path) else []]
    try:
        while waiting:
            if waiting[-1]:
                name = waiting[-1].pop()
                status = os.lstat(name, dir_fd=fd)
                seen.append(_seen(len(waiting), name, status, fd))
                if stat.S_ISDIR(status.st_mode):
                    fd = _moved(fd, name, status)
                    waiting.append(sorted(os.listdir(fd), reverse=True))
            else:
                waiting.pop()
                if waiting:
                    fd = _moved(fd, "..")
    finally:
        os.close(fd)
    return seen


def _seen(depth, name, status, fd):
    mode = status.st_mode
    told = status.st_rdev
    if stat.S_ISLNK(mode):
        told = os.readlink(name, dir_fd=fd)
    elif stat.S_ISREG(mode) and mode & stat.S_IRUSR and 0 < status.st_size <= _CONTENT_BYTES_MAX:
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd), "rb") as file:
            told = file.read()
    # How large a directory is depends on the order in which it was filled.
    size = 0 if stat.S_ISDIR(mode) else status.st_size
    return Seen(depth, name, mode, status.st_uid, size, status.st_nlink, told)


def _moved(fd, name, status=None):
    """The descriptor of a directory next to this one; this one is closed."""
    if status is not None and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, stat.S_IRWXU, dir_fd=fd)
    below = os.open(name, _OPEN, dir_fd=fd)
    os.close(fd)
    return below


def outside_of(place):
    """What is outside; how many names a file has does not count, for links may be in the cache."""
    return [one._replace(links=0) for one in tree_of(place.outside)]


def emptied(place):
    """Remove all of a place but its directory."""
    assert remove_tree(place.root).left == ()
    os.mkdir(place.root, 0o755)
    return place


def told_to_bash(commands, place):
    """Run commands in the directory of a place, to the end or the first that fails."""
    script = "\n".join(["set -e", "umask 022", *commands])
    # The interpreter that is meant by `python3` is this one.
    variables = {"PATH": f"{os.path.dirname(sys.executable)}:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}
    subprocess.run(["bash"], input=script.encode("ascii"), cwd=place.root, env=variables, check=True)
