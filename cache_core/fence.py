"""A fence around the cache, so that a bug of ours cannot reach out.

The remover goes by descriptors and never follows a link, so nothing outside of a cache changes as long as it is
right. The fence holds even if it is wrong: the kernel itself refuses (`landlock`).

Guarantees: once `LandlockFence.enter` has said True, this process and what it forks from then on change no file
outside of the root, in the sense and with the limits that `landlock` lists. **Modes and owners have no fence** (chmod,
chown). The root's own name is outside, and removed by a process that can do nothing else (`janitor`). When `enter` has
said False, there is no fence, nothing has changed but perhaps no_new_privs, and everything works.

Not guaranteed: that there is a fence. It takes Landlock ABI 2 (Linux 5.19) that no filter refuses, a process with one
thread, and /proc to see that by. It is for a process of our own, as it can never be taken down: in a library
caller's process it would surprise everybody, so the library's default is `NoFence`.
Cost: 0.4 ms, with a janitor 3 to 5 ms; each removal takes 0.6 us more and 0.1 us for every level that it is below the
root, which is 11 to 25 % of an unlink in memory (docs/decisions/0011-fence.md).
"""

from __future__ import annotations

from cache_core.kernel import REAL, let_go
from cache_core.landlock import ABI_MIN, enforce, landlock_abi, prepare
from cache_core.privileges import has_one_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from cache_core.janitor import Janitor
    from cache_core.kernel import Kernel
else:
    # What only a type checker reads.
    Protocol = object


class Fence(Protocol):
    """What stands between the removal of a cache and the rest of the world."""

    def enter(self, root_fd: int, parent_fd: int, name: str) -> bool:
        """Go behind the fence around the directory `root_fd`, which is `name` in `parent_fd`.

        Called when it is certain that this root will be cleaned, before the first change. Again for the same root:
        nothing happens. The descriptors stay the caller's and open until `close`.

        Returns:
            Whether there is a fence from now on.
        """

    def remove_root(self) -> None:
        """Remove the root, which is empty, by the name that `enter` was given.

        Raises:
            OSError: As rmdir(2): ENOTEMPTY, ENOENT and more; ESRCH when the process that was to do it is gone.
        """

    def close(self) -> None:
        """Give up what `remove_root` needs. A fence, once there, stays."""


class NoFence:
    """No fence: `enter` says so, the root is removed like any directory."""

    __slots__ = ("_kernel", "_name", "_parent_fd")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._parent_fd = -1
        self._name = ""

    def enter(self, root_fd: int, parent_fd: int, name: str) -> bool:
        """As `Fence.enter`; always False."""
        del root_fd
        self._parent_fd = parent_fd
        self._name = name
        return False

    def remove_root(self) -> None:
        """As `Fence.remove_root`."""
        self._kernel.rmdir(self._name, dir_fd=self._parent_fd)

    def close(self) -> None:
        """Nothing to give up."""


class LandlockFence:
    """The kernel's fence, around this process, for good. For a process of our own that has one thread.

    Args:
        remove_root: Whether the root is to be removed too; without, nobody stays outside who could.
    """

    __slots__ = ("_janitor", "_name", "_parent_fd", "_remove_root", "_root")

    def __init__(self, *, remove_root: bool) -> None:
        self._remove_root = remove_root
        self._janitor: Janitor | None = None
        self._parent_fd = -1
        self._name = ""
        # Device and inode of the root that the fence is around. The fence itself keeps the inode, and so its number.
        self._root: tuple[int, int] | None = None

    def enter(self, root_fd: int, parent_fd: int, name: str) -> bool:
        """As `Fence.enter`; False whenever there can be none, for whatever reason."""
        if self._root is not None:
            assert _identity(root_fd) == self._root, "a fence is around one root, for good"  # noqa: S101
            return True
        self._parent_fd = parent_fd
        self._name = name
        try:
            if landlock_abi() < ABI_MIN or not has_one_thread():
                return False
            self._raise_around(root_fd)
        except OSError:
            # Switched off, filtered, no process or descriptor to be had: all mean the same, and cleaning goes on.
            self.close()
            return False
        return True

    def _raise_around(self, root_fd: int) -> None:
        root = _identity(root_fd)
        ruleset = prepare(root_fd)
        try:
            if self._remove_root:
                from cache_core.janitor import start_janitor  # noqa: PLC0415 - only this wish pays for it

                self._janitor = start_janitor(self._parent_fd, self._name)
            enforce(ruleset)
            self._root = root
        finally:
            let_go(REAL, ruleset)

    def remove_root(self) -> None:
        """As `Fence.remove_root`; EACCES from behind the fence when it was not asked for, or after `close`."""
        if self._janitor is None:
            REAL.rmdir(self._name, dir_fd=self._parent_fd)
        else:
            self._janitor.remove()

    def close(self) -> None:
        """As `Fence.close`; may be called at any time, and again."""
        janitor, self._janitor = self._janitor, None
        if janitor is not None:
            janitor.close()


def _identity(fd: int) -> tuple[int, int]:
    status = REAL.fstat(fd)
    return status.st_dev, status.st_ino
