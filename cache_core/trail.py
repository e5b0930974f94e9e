"""Where a walk is: the names from the top down to here, and a constant number of descriptors.

The usual ways up a tree are a descriptor for each level (EMFILE at depth 1,000) or `..` (which leads wherever the
directory was moved to, and device and inode number do not prove that it is the right place: ext4 gives a number to
a new directory at once). This walk never goes up. It keeps the descriptors of the last few levels, and when a
level further up is needed again, it goes *down* to it by name from the nearest one above that is still open,
leaving descriptors half-way, a quarter, and so on, so that each level is opened about once more on the way back.

Guarantees: at most `HELD_MAX` descriptors at any depth, no recursion, and every directory reached lies below the
top at the time it was reached. Cost: none up to `HELD_MAX` levels; a chain of n levels costs one open a level on the
way back and looks up n * log2(n) / 2 names within those calls.
"""

from __future__ import annotations

from cache_core.kernel import let_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from cache_core.pinned import Opener

# Halving bridges 2**(HELD_MAX - 2) levels before a reopening has to span more than one; cache entries are 12 deep.
# With the listing's own descriptor, a pin, the lock and the standard three this stays below 32.
HELD_MAX = 14


class Trail:
    """A position in a tree, as names from the top. The top's descriptor is the caller's; the others are ours."""

    __slots__ = ("_held", "_kernel", "_opener", "names")

    def __init__(self, kernel: Kernel, opener: Opener, top_fd: int) -> None:
        self._kernel = kernel
        self._opener = opener
        self.names: list[str] = []
        # Pairs (level, descriptor), by level; level 0 is the top and always there.
        self._held = [(0, top_fd)]

    def enter(self, name: str, fd: int) -> None:
        """Go down to `name`, opened as `fd`, which is ours from here on."""
        self.names.append(name)
        self._held.append((len(self.names), fd))
        if len(self._held) > HELD_MAX:
            let_go(self._kernel, self._held.pop(1)[1])

    def current(self) -> int:
        """The descriptor of where we are, opened again when it was given up.

        Raises:
            OSError: A directory on the way was removed, replaced or made unreadable. `retreat` then.
        """
        level, fd = self._held[-1]
        here = len(self.names)
        while level < here:
            distance = here - level
            # With one place left there is no room for a stop on the way.
            stride = distance if len(self._held) >= HELD_MAX - 1 else (distance + 1) // 2
            fd = self._opener.descend(fd, self.names[level : level + stride])
            level += stride
            self._held.append((level, fd))
        return fd

    def leave(self) -> tuple[str, int]:
        """Go up one level. Call after `current`.

        Returns:
            The name left and its descriptor, which is the caller's from here on.
        """
        level, fd = self._held.pop()
        assert level == len(self.names), "leave() needs the descriptor that current() gives"  # noqa: S101
        return self.names.pop(), fd

    def retreat(self) -> str:
        """Give up the way that `current` could not open again: go up to the nearest level that is open.

        Returns:
            The name, in that level, of the way that was lost.
        """
        level = self._held[-1][0]
        lost = self.names[level]
        del self.names[level:]
        return lost

    def path(self, name: str) -> str:
        """The path of a name in the current directory, relative to the top."""
        return "/".join((*self.names, name))

    def close(self) -> None:
        """Close every descriptor but the top's."""
        while len(self._held) > 1:
            let_go(self._kernel, self._held.pop()[1])
