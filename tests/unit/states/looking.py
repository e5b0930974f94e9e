"""What is in a tree, however deep and shut it is, as a list that can be compared; and bash, to make one."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import NamedTuple

from cache_core.removal import remove_tree

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TO_LOOK = stat.S_IRUSR | stat.S_IXUSR
_CONTENT_BYTES_MAX = 1 << 17


class Seen(NamedTuple):
    """One thing in a tree.

    Attributes:
        depth: below the directory that holds the tree.
        told: what a link leads to, what a small file holds, or the number of a device.
    """

    depth: int
    name: str
    mode: int
    owner: int
    size: int
    links: int
    told: str | bytes | int


def walk(path):
    """All that has the path or is below it, top down, in order of names: (names on the way, status, descriptor).

    The names are a list that changes; the descriptor is the one of the last name's directory. Shut directories are
    opened, and left open.
    """
    way = []
    fd = os.open(os.path.dirname(path), _OPEN)
    waiting = [[os.path.basename(path)] if os.path.lexists(path) else []]
    try:
        while True:
            while waiting[-1]:
                way.append(waiting[-1].pop())
                status = os.lstat(way[-1], dir_fd=fd)
                yield way, status, fd
                if stat.S_ISDIR(status.st_mode):
                    fd = _moved_down(fd, way[-1], status)
                    waiting.append(sorted(os.listdir(fd), reverse=True))
                else:
                    way.pop()
            waiting.pop()
            if not waiting:
                return
            way.pop()
            fd = _moved(fd, "..")
    finally:
        os.close(fd)


def _moved_down(fd, name, status):
    if status.st_mode & _TO_LOOK != _TO_LOOK:
        os.chmod(name, stat.S_IRWXU, dir_fd=fd)
    return _moved(fd, name)


def _moved(fd, name):
    """The descriptor of a directory next to this one, which is closed."""
    other = os.open(name, _OPEN, dir_fd=fd)
    os.close(fd)
    return other


def tree_of(path):
    """All that has the path or is below it; afterwards it is open."""
    return [_seen(len(way), way[-1], status, fd) for way, status, fd in walk(path)]


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


def outside_of(place):
    """What is outside; how many names a file has does not count, for some may be in the cache."""
    return [one._replace(links=0) for one in tree_of(place.outside)]


def led_out(place):
    """The symbolic links in a cache whose targets, read as text, are not in the place."""
    found = []
    for way, status, fd in walk(place.cache):
        if stat.S_ISLNK(status.st_mode):
            target = os.path.join(place.root, *way[:-1], os.readlink(way[-1], dir_fd=fd))
            if not f"{os.path.normpath(target)}/".startswith(f"{place.root}/"):
                found.append("/".join(way[1:]))
    return found


def refusal(action, *arguments):
    """The errno that an action fails with, by name; None when it works."""
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def emptied(place):
    """Remove all of a place but its directory."""
    assert remove_tree(place.root).left == ()
    os.mkdir(place.root, 0o755)
    return place


def told_to_bash(commands, place, **options):
    """Run commands in the directory of a place; each of them has to succeed."""
    script = "\n".join(["set -e", "umask 022", *commands]).encode("ascii")
    # The interpreter that is meant by `python3` is this one; what is made elsewhere goes with the test.
    variables = {
        "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": os.path.dirname(place.root),
    }
    done = subprocess.run(
        ["bash"], input=script, cwd=place.root, env=variables, stderr=subprocess.PIPE, check=False, **options
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr.decode(errors='backslashreplace')}"
