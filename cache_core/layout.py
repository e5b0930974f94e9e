"""What stands at the root of a cache, whatever fills it: the tag, the ignore file, the lock.

A directory says that it is a cache with a file `CACHEDIR.TAG` that starts with a fixed signature (the Cache
Directory Tagging Specification, bford.info/cachedir). That is what a cleaner asks for before it deletes anything.

A cache is *empty* when its root holds nothing but `CACHEDIR.TAG`, `.gitignore` and `.lock`, each a regular file of
at most 4 KiB: more than that is data in disguise. Where entries lie within a cache is `buckets`' business.

Guarantees: follows no symbolic link at any of the three names and changes none of them (`mark` creates one, never
overwrites). Cost: one lstat for each of the three names that is there.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cache_core.kernel import REAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cache_core.kernel import Kernel

TAG_NAME = "CACHEDIR.TAG"
IGNORE_NAME = ".gitignore"
LOCK_NAME = ".lock"
KEPT_NAMES = (TAG_NAME, IGNORE_NAME, LOCK_NAME)
KEPT_BYTES_MAX = 4096

TAG_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
TAG_TEXT = TAG_SIGNATURE + (
    b"\n# Made by cachestorm: everything in this directory can be made again, so backups may leave it out.\n"
    b"# What the first line means: https://bford.info/cachedir/\n"
)

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_tagged(root_fd: int, *, kernel: Kernel = REAL) -> bool:
    """Whether the directory holds a valid CACHEDIR.TAG: a regular file, no link, that starts with the signature.

    A tag that cannot be read is not valid: nothing is known about the directory then.
    """
    try:
        # O_NONBLOCK: a fifo by that name must not make us wait for a writer.
        fd = kernel.open(TAG_NAME, _READ_FLAGS, dir_fd=root_fd)
    except OSError:
        return False
    try:
        return stat.S_ISREG(kernel.fstat(fd).st_mode) and kernel.read(fd, len(TAG_SIGNATURE)) == TAG_SIGNATURE
    except OSError:
        return False
    finally:
        kernel.close(fd)


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
        rest = TAG_TEXT
        while rest:
            rest = rest[kernel.write(fd, rest) :]
    finally:
        kernel.close(fd)
    return True


def kept_names(root_fd: int, *, kernel: Kernel = REAL) -> frozenset[str]:
    """Which of the three names are there as an empty cache may have them; a name that is anything else is content."""
    return frozenset(name for name in KEPT_NAMES if _is_small_file(root_fd, name, kernel))


def content(root_fd: int, names: Iterable[str], *, kernel: Kernel = REAL) -> list[str]:
    """Those of the root's names that stand between the cache and being empty, in the order given."""
    return [name for name in names if name not in KEPT_NAMES or not _is_small_file(root_fd, name, kernel)]


def needs_tag(names: Iterable[str]) -> bool:
    """Whether a root with these names must be tagged to be cleaned: there is something to lose, or a tag to judge."""
    return not {LOCK_NAME, IGNORE_NAME}.issuperset(names)


def _is_small_file(root_fd: int, name: str, kernel: Kernel) -> bool:
    try:
        status = kernel.lstat(name, dir_fd=root_fd)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= KEPT_BYTES_MAX
