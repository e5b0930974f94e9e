"""Put an empty lock in the place of one that is data in disguise (`layout`), with no moment at which nobody holds it.

Guarantees: the caller holds the old lock alone; the new file is locked before it gets the name, by one rename. So
whoever opens the name, before or after, opens a lock that is held. The old file is neither written to nor truncated: it
may have other names. Killed in between, a cleaner leaves the one lock or the other, and at most a temporary name.

Not guaranteed: anything to whoever waits in flock(2) for the old file and does not look afterwards whether it still has
its name, as uv does not (`locks` does). Such a build gets the old file when the cleaning is over, so this one does it
no harm; but it holds what nobody else asks for, and the next cleaning does not wait for it, as after `remove_root`.
Cost: five calls.
"""

from __future__ import annotations

import fcntl
import os

from cache_core.kernel import let_go
from cache_core.layout import LOCK_NAME
from cache_core.locks import Lock
from cache_core.owners import foreign_owner, give

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel

# A temporary name, as `wholeness` knows them.
_TEMPORARY = ".tmp-cachestorm-lock"
# What killed cleaners left goes with what is removed before.
_NAMES_MAX = 64

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def renew(root_fd: int, kernel: Kernel) -> Lock:
    """Hold a new cache lock, exclusively, in the place of the one that the caller holds.

    Raises:
        OSError: It cannot be made, locked, or given the name; the old one has it still.
    """
    fd, name = _make(root_fd, kernel)
    held = False
    try:
        owner = foreign_owner(root_fd, kernel)
        if owner is not None:
            give(fd, owner, kernel)
        kernel.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kernel.rename(name, LOCK_NAME, src_dir_fd=root_fd, dst_dir_fd=root_fd)
        held = True
    finally:
        if not held:
            let_go(kernel, fd)
            _try_to_unlink(name, root_fd, kernel)
    return Lock(kernel, fd, LOCK_NAME, shared=False)


def _make(root_fd: int, kernel: Kernel) -> tuple[int, str]:
    number = 0
    while True:
        name = f"{_TEMPORARY}-{number}"
        try:
            return kernel.open(name, _NEW, 0o666, dir_fd=root_fd), name
        except FileExistsError:
            number += 1
            if number == _NAMES_MAX:
                raise


def _try_to_unlink(name: str, root_fd: int, kernel: Kernel) -> None:
    try:
        kernel.unlink(name, dir_fd=root_fd)
    except OSError:
        # There is an error before this one; and the root is read again.
        return
