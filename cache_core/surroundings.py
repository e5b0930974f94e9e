"""Directories that are never cleaned, whatever they hold: `/`, the home directory, where we work; and what is mounted.

They belong to the process, not to the cache, so they are looked up with the real calls; directories are compared by
device and inode number with the cache's root: a symbolic link, a bind mount or `..` in the path changes nothing.

Guarantees: refuses `/`, the home directory of the environment and that of the user, and every directory that
contains one of these; and one that is or contains the working directory, unless it is tagged as a cache: somebody said
what it is, and where we stand in it is an entry like any other. When the system does not let us find out, nothing is
cleaned. Not guaranteed: the working directories of other processes. Above a directory that we may not search, where no
walk leads, the names of the path tell what contains it; what a symbolic link behind such a directory leads to is not
known.
Cost: some ten calls per level of the working directory's path; a caller that cleans often keeps the value.
"""

from __future__ import annotations

import errno
import os
import pwd

from cache_core.errors import RefusedRootError, SurroundingsError
from cache_core.kernel import REAL, let_go
from cache_core.layout import TAG_NAME
from cache_core.mounts import mounts_below
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cache_core.kernel import Kernel

# A home that does not exist, a working directory that was deleted.
_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))
# There, perhaps: a directory that we may not search, a file server that does not answer.
_OUT_OF_REACH = frozenset((errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN))

# What a directory is, by device and inode number.
_NONE: Mapping[tuple[int, int], str] = {}

_LOOK = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Directories that must survive.

    Attributes:
        refused: What each is, by device and inode number.
        sandbox: Whether nothing can be mounted in the caches that are cleaned; then nobody looks.
        refused_untagged: Those that must survive when nothing says that they are caches, likewise.
    """

    refused: Mapping[tuple[int, int], str]
    sandbox: bool = False
    refused_untagged: Mapping[tuple[int, int], str] = _NONE

    @classmethod
    def of_process(cls, kernel: Kernel = REAL) -> Surroundings:
        """Look up what this process stands on.

        Raises:
            SurroundingsError: The system does not let us.
        """
        refused: dict[tuple[int, int], str] = {}
        refused_untagged: dict[tuple[int, int], str] = {}
        place = "/"
        try:
            for place in _homes():
                _note_upwards(kernel, place, "the home directory", refused)
            place = "."
            _note_upwards(kernel, place, "the working directory", refused_untagged)
            place = "/"
            root = kernel.stat(place)
        except OSError as error:
            raise SurroundingsError(place, error) from error
        refused[root.st_dev, root.st_ino] = "is the root of the file system"
        return cls(refused, refused_untagged=refused_untagged)

    def require_harmless(self, path: str, status: os.stat_result) -> None:
        """Refuse a cache root that is, or contains, what must survive.

        Raises:
            RefusedRootError: It does.
        """
        problem = self.refused.get((status.st_dev, status.st_ino))
        if problem is not None:
            raise RefusedRootError(path, f"{problem}, which is never cleaned", "give the cache's own directory")

    def require_tag(self, path: str, status: os.stat_result, is_tagged: Callable[[], bool]) -> None:
        """Refuse a cache root that is, or contains, what must survive unless it is tagged; only then that is asked.

        Raises:
            RefusedRootError: It does, and is not tagged.
        """
        problem = self.refused_untagged.get((status.st_dev, status.st_ino))
        if problem is not None and not is_tagged():
            raise RefusedRootError(
                path, f"{problem}, which is never cleaned without a valid {TAG_NAME}", "give the cache's own directory"
            )

    def mounts_below(self, root_fd: int) -> list[str]:
        """The paths below a directory that something is mounted on; empty where nobody can tell."""
        if self.sandbox:
            return []
        found = mounts_below(REAL, root_fd)
        return [f"{directory}/{name}".lstrip("/") for directory, names in found.items() for name in names]


NOWHERE = Surroundings({}, sandbox=True)
"""For callers that know where the cache is, such as a sandbox of their own."""


def _homes() -> list[str]:
    homes = [os.environ.get("HOME", "")]
    try:
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        # A container's user without an entry has no home but that of the environment.
        return [home for home in homes if home]
    return [home for home in homes if home]


def _note_upwards(kernel: Kernel, start: str, what: str, refused: dict[tuple[int, int], str]) -> None:
    """Note a directory and all that contain it, the nearest meaning first."""
    try:
        fd = kernel.open(start, _LOOK)
    except OSError as error:
        _walk_ended(kernel, start, what, refused, error)
        return
    problem = f"is {what}"
    try:
        while True:
            status = kernel.fstat(fd)
            here = (status.st_dev, status.st_ino)
            refused.setdefault(here, problem)
            problem = f"contains {what}"
            try:
                parent = kernel.open("..", _LOOK, dir_fd=fd)
            except OSError as error:
                _walk_ended(kernel, start, what, refused, error)
                return
            let_go(kernel, fd)
            fd = parent
            above = kernel.fstat(fd)
            if (above.st_dev, above.st_ino) == here:
                return
    finally:
        let_go(kernel, fd)


def _walk_ended(kernel: Kernel, start: str, what: str, refused: dict[tuple[int, int], str], error: OSError) -> None:
    """Before the root of the file system: what is not there nothing contains; what is out of reach has a path."""
    if error.errno in _NOT_THERE:
        return
    if error.errno not in _OUT_OF_REACH:
        raise error
    try:
        # Neither needs what is denied: a working directory has its path from the kernel, a link that cannot be read
        # counts as a directory.
        names = os.path.realpath(os.getcwd() if start == "." else start).split("/")
        for stop in range(1, len(names) + 1):
            status = kernel.lstat("/".join(names[:stop]) or "/")
            refused.setdefault((status.st_dev, status.st_ino), f"contains {what}")
    except OSError as unseen:
        if unseen.errno not in _NOT_THERE | _OUT_OF_REACH:
            raise
