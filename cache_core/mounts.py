"""Where something is mounted in a tree, mounted files included.

A directory that is a mount point shows when it is opened (`pinned`). A file that is one shows only when it is unlinked,
or in the kernel's list of mounts, which is what this reads: one link, and one file of a line for each mount.

Guarantees: changes and follows nothing. Not guaranteed: anything without /proc, or for a tree whose path is longer
than PATH_MAX: then no mount is known. Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os

from cache_core.kernel import let_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel

_LIST = "/proc/self/mountinfo"
_READ_BYTES = 65_536
# In a line: an id, that of the parent, the device, the root within it, the mount point.
_POINT_FIELD = 4


def mounts_below(kernel: Kernel, root_fd: int) -> dict[str, set[str]]:
    """The names that are mount points, by the directory they are in; paths relative to the root, which is `""`."""
    found: dict[str, set[str]] = {}
    try:
        top = kernel.readlink(f"/proc/self/fd/{root_fd}").rstrip("/") + "/"
        lines = _read(kernel).splitlines()
    except OSError:
        return found
    for line in lines:
        point = _unescaped(line.split(b" ")[_POINT_FIELD])
        if point.startswith(top):
            directory, _, name = point[len(top) :].rpartition("/")
            found.setdefault(directory, set()).add(name)
    return found


def _unescaped(field: bytes) -> str:
    """A path; where it has a space, a tab, a line feed or a backslash, the list has a backslash and octal digits."""
    first, *rest = field.split(b"\\")
    return os.fsdecode(first + b"".join(bytes([int(piece[:3], 8)]) + piece[3:] for piece in rest))


def _read(kernel: Kernel) -> bytes:
    fd = kernel.open(_LIST, os.O_RDONLY | os.O_CLOEXEC)
    pieces: list[bytes] = []
    try:
        while piece := kernel.read(fd, _READ_BYTES):
            pieces.append(piece)
    finally:
        let_go(kernel, fd)
    return b"".join(pieces)
