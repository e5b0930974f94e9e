"""What is in a sandbox before the first step of a run, as the shadow needs to know it.

Read with plain calls by whoever owns the sandbox, while nobody moves; a directory that keeps its owner out is opened
for a moment. Which paths are one file is asked by inode number here and kept as a number of our own.
Cost: one listing for each directory and one lstat (for a link a readlink as well) for each object.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from cache_core.kernel import REAL
from simulator.engine.paths import Paths, Relative
from simulator.exploration.tree import DIRECTORY, FILE, LINK

_LISTED = 0o500


@dataclass(frozen=True, slots=True)
class Found:
    """One name.

    Attributes:
        path: from the sandbox.
        kind: as `simulator.exploration.tree` has it.
        mode: permission bits.
        identity: the same for all names of one file.
        target: where a symbolic link leads, as the kernel records it.
        empty: whether it is an empty file.
    """

    path: str
    kind: str
    mode: int
    identity: int
    target: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Start:
    """A whole sandbox.

    Attributes:
        mode: its own.
        found: what is in it, directories before what is in them.
        umask: of everybody who will make something there; None if nobody knows.
    """

    mode: int
    found: tuple[Found, ...]
    umask: int | None = None


def observe(sandbox: str, cache: str, umask: int | None = None) -> Start:
    """Look at a sandbox.

    Args:
        sandbox: absolute path.
        cache: name of the cache in it.
        umask: as in `Start`; no directory in the sandbox may have a default ACL, which would come in its place.

    Raises:
        PermissionError: a closed directory is another user's.
    """
    paths = Paths(sandbox, cache)
    identities: dict[tuple[int, int], int] = {}
    found: list[Found] = []
    mode = stat.S_IMODE(os.lstat(sandbox).st_mode)
    waiting = [(sandbox, "", mode)]
    with contextlib.ExitStack() as closed:
        while waiting:
            directory, prefix, bits = waiting.pop()
            if bits & _LISTED != _LISTED:
                REAL.chmod(directory, bits | _LISTED)
                # Undone last one first: what is below before the way there.
                closed.callback(REAL.chmod, directory, bits)
            for name in sorted(os.listdir(directory)):
                path = f"{directory}/{name}"
                status = os.lstat(path)
                identity = identities.setdefault((status.st_dev, status.st_ino), len(identities))
                found.append(_found(paths, path, prefix + name, status, identity))
                if stat.S_ISDIR(status.st_mode):
                    waiting.append((path, f"{prefix}{name}/", found[-1].mode))
    return Start(mode, tuple(found), umask)


def _found(paths: Paths, path: str, short: str, status: os.stat_result, identity: int) -> Found:
    mode = status.st_mode
    target = ""
    if stat.S_ISLNK(mode):
        led = os.readlink(path)
        target = paths.shown(led) if led.startswith("/") else Relative(led, os.path.dirname(short), led)
    kind = LINK if target else DIRECTORY if stat.S_ISDIR(mode) else FILE
    return Found(short, kind, stat.S_IMODE(mode), identity, target, kind == FILE and status.st_size == 0)
