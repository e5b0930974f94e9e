"""What a privileged process makes in somebody else's cache belongs to whom the cache belongs to.

Else root, cleaning a user's cache, would leave a lock there that the user's own tools cannot open any more.

Guarantees: only a file that the caller has just made is given away, never one that was there (it may be a hard link
to anything). Not guaranteed: that it works everywhere (no capability, a network file system): it stays ours then.
Cost: nothing but a look at the process's own capabilities where it has none over others' files, and so under the
simulator; else one look at the directory, and one call when it is another's.
"""

from __future__ import annotations

import os

from cache_core.errors import PrivilegeError
from cache_core.privileges import holds_override_capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel


def acts_for_others() -> bool:
    """Whether this process can work in directories that are not its own, as root does."""
    try:
        return holds_override_capabilities()
    except PrivilegeError:
        return False


def foreign_owner(directory_fd: int, kernel: Kernel) -> tuple[int, int] | None:
    """User and group of a directory, when it is somebody else's and we act for others; else None."""
    if not acts_for_others():
        return None
    try:
        status = kernel.fstat(directory_fd)
    except OSError:
        return None
    return None if status.st_uid == os.geteuid() else (status.st_uid, status.st_gid)


def give(fd: int, owner: tuple[int, int], kernel: Kernel) -> None:
    """Make a file that was just made `owner`'s."""
    try:
        kernel.fchown(fd, *owner)
    except OSError:
        # A file that stays ours does its service all the same: to us, and to whoever may read it.
        return
