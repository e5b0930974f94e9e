"""What stands at the root of a cache, whatever fills it: the tag, the ignore file, the lock.

A directory says that it is a cache with a file `CACHEDIR.TAG` that starts with a fixed signature (the Cache
Directory Tagging Specification, bford.info/cachedir). That is what a cleaner asks for before it deletes anything.

A cache is *empty* when its root holds nothing but `CACHEDIR.TAG`, `.gitignore` and `.lock`, each a regular file of
at most 4 KiB: more than that is data in disguise. Where entries lie within a cache is `buckets`' business.

Guarantees: follows no symbolic link at any of the three names and changes none of them (`mark` creates one, never
overwrites; made by root in somebody else's directory, it is theirs). A name that cannot be looked at is taken for
neither: not for content, since it may be the lock that we hold, and not for one of the three files, since it may be
anything. Cost: one lstat for each of the three names.
"""

from __future__ import annotations

import errno
import os
import stat

from cache_core.kernel import REAL, let_go
from cache_core.owners import foreign_owner, give
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cache_core.kernel import Kernel

TAG_NAME = "CACHEDIR.TAG"
IGNORE_NAME = ".gitignore"
LOCK_NAME = ".lock"
KEPT_NAMES = (TAG_NAME, IGNORE_NAME, LOCK_NAME)
KEPT_BYTES_MAX = 4096

# What a cleaner has moved aside to remove it, in the root; a killed one leaves it there.
TRASH_PREFIX = ".cachestorm-trash"

TAG_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
TAG_TEXT = TAG_SIGNATURE + (
    b"\n# Made by cachestorm: everything in this directory can be made again, so backups may leave it out.\n"
    b"# What the first line means: https://bford.info/cachedir/\n"
)

# What open(2) says of a tag that is missing, a link, a socket, a device without driver, or not for us to read.
_NO_TAG = frozenset((errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM))

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_tagged(root_fd: int, *, kernel: Kernel = REAL) -> bool:
    """Whether the directory holds a valid CACHEDIR.TAG: a regular file, no link, that starts with the signature.

    A tag that we may not read is not valid: nothing is known about the directory then.

    Raises:
        OSError: The system fails to tell.
    """
    try:
        # O_NONBLOCK: a fifo by that name must not make us wait for a writer.
        fd = kernel.open(TAG_NAME, _READ_FLAGS, dir_fd=root_fd)
    except OSError as error:
        if error.errno not in _NO_TAG:
            raise
        return False
    try:
        return stat.S_ISREG(kernel.fstat(fd).st_mode) and kernel.read(fd, len(TAG_SIGNATURE)) == TAG_SIGNATURE
    finally:
        let_go(kernel, fd)


def mark(root_fd: int, *, kernel: Kernel = REAL) -> bool:
    """Make the directory a cache: create its CACHEDIR.TAG unless something has that name.

    Returns:
        Whether this call created it.

    Raises:
        OSError: It cannot be created or written.
    """
    try:
        fd = kernel.open(TAG_NAME, _CREATE_FLAGS, 0o644, dir_fd=root_fd)
    except FileExistsError:
        return False
    try:
        try:
            owner = foreign_owner(root_fd, kernel)
            if owner is not None:
                give(fd, owner, kernel)
            rest = TAG_TEXT
            while rest:
                rest = rest[kernel.write(fd, rest) :]
        finally:
            kernel.close(fd)
    except OSError:
        # Half a tag would keep everybody from making a whole one.
        _try_to_unlink(TAG_NAME, root_fd, kernel)
        raise
    return True


def _try_to_unlink(name: str, dir_fd: int, kernel: Kernel) -> None:
    try:
        kernel.unlink(name, dir_fd=dir_fd)
    except OSError:
        # There is an error before this one, and that is the one to tell.
        return


@dataclass(frozen=True, slots=True)
class RootNames:
    """Names in a cache's root, judged.

    Attributes:
        kept: Those of the three that are there as an empty cache may have them.
        content: What stands between the cache and being empty, in the order given.
        unknown: Those of the three that could not be looked at, and why.
    """

    kept: frozenset[str]
    content: tuple[str, ...]
    unknown: dict[str, OSError]

    @property
    def empty(self) -> bool:
        """Whether a root with these names, and no others, is known to be empty."""
        return not self.content and not self.unknown

    @property
    def spared(self) -> frozenset[str]:
        """What a cleaner leaves alone: whatever is not known to be content."""
        return self.kept.union(self.unknown)


def judge(root_fd: int, names: Iterable[str] = KEPT_NAMES, *, kernel: Kernel = REAL) -> RootNames:
    """Tell the files of an empty cache from content. A name that has gone is neither."""
    kept: list[str] = []
    content: list[str] = []
    unknown: dict[str, OSError] = {}
    for name in names:
        small = False
        if name in KEPT_NAMES:
            try:
                small = _is_small_file(root_fd, name, kernel)
            except FileNotFoundError:
                continue
            except OSError as error:
                unknown[name] = error
                continue
        (kept if small else content).append(name)
    return RootNames(frozenset(kept), tuple(content), unknown)


def needs_tag(root_fd: int, names: Iterable[str], *, kernel: Kernel = REAL) -> bool:
    """Whether a root with these names must be tagged to be cleaned: there is something to lose, or a tag to judge."""
    judged = judge(root_fd, names, kernel=kernel)
    return not judged.empty or TAG_NAME in judged.kept


def _is_small_file(root_fd: int, name: str, kernel: Kernel) -> bool:
    status = kernel.lstat(name, dir_fd=root_fd)
    return stat.S_ISREG(status.st_mode) and status.st_size <= KEPT_BYTES_MAX
