"""Give the owner of a directory the bits that are missing, and put the mode back.

Guarantees: changes directories only (a file may be a hard link to something outside), only through a descriptor
that pins the inode, only when the directory is ours and lacks one of the owner's three bits. Adds those bits and
nothing else. `put_back` restores the mode only of the same inode, and only as long as it is the one that we gave it.

Not guaranteed: the set-group-ID bit may be lost, as chmod(2) clears it for a group that we are not in.
Cost: nothing until something is refused; then one fstat, and one chmod where it helps.
"""

from __future__ import annotations

import stat

from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from cache_core.kernel import Kernel

OWNER_BITS = 0o700


@dataclass(frozen=True, slots=True)
class OldMode:
    """What a directory's mode was before a repair, and which directory it was."""

    mode: int
    device: int
    inode: int


def lacks_owner_bits(status: os.stat_result) -> bool:
    """Whether the owner of a directory may not read, write and search it."""
    return status.st_mode & OWNER_BITS != OWNER_BITS


def grant(kernel: Kernel, fd: int, uid: int, *, pinned: bool = False) -> OldMode | None:
    """As `mend`. Returns the mode before; None when nothing was changed."""
    return mend(kernel, fd, uid, pinned=pinned)[1]


def mend(kernel: Kernel, fd: int, uid: int, *, pinned: bool = False) -> tuple[bool, OldMode | None]:
    """Add the owner's missing bits to a directory of `uid`.

    Args:
        kernel: Where the calls go.
        fd: A descriptor of the directory.
        uid: Who we are.
        pinned: Whether `fd` is O_PATH.

    Returns:
        Whether it is ours and nothing is missing now, and the mode before if that is our doing. (False, None) when it
        is not ours, or the system refuses.
    """
    try:
        status = kernel.fstat(fd)
        if status.st_uid != uid or not stat.S_ISDIR(status.st_mode):
            return False, None
        if not lacks_owner_bits(status):
            return True, None
        mode = stat.S_IMODE(status.st_mode)
        change = kernel.chmod_descriptor if pinned else kernel.fchmod
        change(fd, mode | OWNER_BITS)
    except OSError:
        # Not ignored: the refusal that made us try is what gets reported.
        return False, None
    return True, OldMode(mode, status.st_dev, status.st_ino)


def put_back(kernel: Kernel, fd: int, old: OldMode, *, pinned: bool = False) -> None:
    """Give a directory its old mode again, unless it is gone, others changed it or the descriptor is another's."""
    change = kernel.chmod_descriptor if pinned else kernel.fchmod
    try:
        status = kernel.fstat(fd)
        ours = (status.st_dev, status.st_ino) == (old.device, old.inode)
        # The set-group-ID bit may have been lost in `grant`.
        if ours and status.st_nlink and (stat.S_IMODE(status.st_mode) ^ (old.mode | OWNER_BITS)) & ~stat.S_ISGID == 0:
            change(fd, old.mode)
    except OSError:
        # Made read-only, or somebody else's meanwhile. That the directory stays is reported already.
        return
