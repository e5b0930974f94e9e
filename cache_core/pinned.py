"""Open directories so that the walk cannot be led out of the tree.

Guarantees: what `Opener` opens is a directory, reached downwards from a descriptor that the caller holds, through
no symbolic link, no `..` and no mount point; bind mounts of the same file system are mount points too. Where
openat2(2) exists the kernel checks all of that within the call. Where it is unknown (before Linux 5.6) or filtered
(EPERM in old container profiles), each component is opened with O_NOFOLLOW and its mount id, from
/proc/self/fdinfo, compared with that of the top; without /proc either, nothing is entered at all.
EXDEV means a mount point and nothing else. openat2 also says it of a directory that is moved away while it is looked
up, so it is asked again, and at last the mount ids are compared.

Not guaranteed: that a directory stays where it was found. See the numbered races in `removal`.
Cost: one call; without openat2 two for each component. A mount point costs some more.
"""

from __future__ import annotations

import errno
import os

from cache_core.kernel import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, let_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel

_INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIN = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# How often openat2 is asked before EXDEV is looked into. What was moved away is gone (ENOENT) the second time.
_LOOK_UPS_MAX = 3

# PATH_MAX of one call, with room for the end of the string.
_PATH_BYTES_MAX = 4000
# UTF-8 needs at most so many bytes for a character; an undecodable byte is one character and one byte.
_BYTES_PER_CHARACTER_MAX = 4


class Opener:
    """Opens directories below `top_fd`, which decides what counts as "the same mount"."""

    __slots__ = ("_kernel", "_mount", "_openat2_known", "_top_fd")

    def __init__(self, kernel: Kernel, top_fd: int) -> None:
        self._kernel = kernel
        self._top_fd = top_fd
        self._openat2_known = True
        self._mount: int | None = None

    def open(self, path: str, dir_fd: int) -> int:
        """Open a directory for listing. `path` is one name, or several joined by `/`.

        Raises:
            OSError: ENOENT (gone), ENOTDIR or ELOOP (no directory any more), EXDEV (a mount point), EACCES and more.
        """
        return self._open(path, dir_fd, _LIST)

    def pin(self, name: str, dir_fd: int) -> int:
        """Hold on to a directory that may not be readable (O_PATH); raises as `open`."""
        return self._open(name, dir_fd, _PIN)

    def open_pinned(self, pin: int) -> int:
        """Open for listing what `pin` holds, whatever has its name now."""
        return self._open(".", pin, _LIST)

    def descend(self, dir_fd: int, names: list[str]) -> int:
        """Open the directory that `names` lead to, however long the path; raises as `open`."""
        base = dir_fd
        done = 0
        while True:
            stop = _within_path_max(names, done)
            try:
                child = self._open("/".join(names[done:stop]), base, _LIST)
            finally:
                if base != dir_fd:
                    let_go(self._kernel, base)
            base, done = child, stop
            if done == len(names):
                return child

    def _open(self, path: str, dir_fd: int, flags: int) -> int:
        looked = 0
        while self._openat2_known and looked < _LOOK_UPS_MAX:
            looked += 1
            try:
                return self._kernel.openat2(path, flags, _INSIDE, dir_fd=dir_fd)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    continue
                if error.errno not in (errno.ENOSYS, errno.EPERM):
                    raise
                # A refusal that is meant, not a filter, is refused again below; the way is only slower then.
                self._openat2_known = False
        if not self._openat2_known:
            return self._open_by_steps(path, dir_fd, flags)
        return self._open_unless_mounted(path, dir_fd, flags)

    def _open_unless_mounted(self, path: str, dir_fd: int, flags: int) -> int:
        """Open what openat2 called a mount point, if it is none."""
        try:
            pin = self._open_by_steps(path, dir_fd, _PIN)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            # No /proc to ask: openat2 is all that there is to believe.
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path) from error
        try:
            return self._kernel.open(".", flags, dir_fd=pin)
        finally:
            let_go(self._kernel, pin)

    def _open_by_steps(self, path: str, dir_fd: int, flags: int) -> int:
        names = path.split("/")
        if ".." in names:
            # As RESOLVE_BENEATH has it; no listing gives this name, but a caller may.
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        base = dir_fd
        for number, name in enumerate(names, start=1):
            try:
                child = self._kernel.open(name, flags if number == len(names) else _PIN, dir_fd=base)
            finally:
                if base != dir_fd:
                    let_go(self._kernel, base)
            self._require_same_mount(child, name)
            base = child
        return base

    def _require_same_mount(self, fd: int, name: str) -> None:
        same = False
        try:
            if self._mount is None:
                self._mount = self._kernel.mount_id(self._top_fd)
            same = self._kernel.mount_id(fd) == self._mount
        except FileNotFoundError as error:
            # ENOENT would read as "the directory is gone".
            raise OSError(errno.EOPNOTSUPP, "mounts cannot be told apart without /proc", name) from error
        finally:
            if not same:
                let_go(self._kernel, fd)
        if not same:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)


def _within_path_max(names: list[str], start: int) -> int:
    """The end of the longest run of names from `start` that fits into one path; at least one name."""
    room = _PATH_BYTES_MAX
    for stop in range(start, len(names)):
        name = names[stop]
        room -= 1 + len(name) * (1 if name.isascii() else _BYTES_PER_CHARACTER_MAX)
        if room < 0 and stop > start:
            return stop
    return len(names)
