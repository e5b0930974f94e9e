"""What a cleaning leaves: the root, read again; and the root itself, when it is to go.

Guarantees: what is said to be left is what the cache holds when it is read, not what the removal remembers; a root that
was to be removed and stays is tagged as a cache again.
Races that remain, numbered on from `lift`, and why they do no harm:

- Race 16: between the last look at the root's name and its rmdir, another directory gets the name. Only an empty one
  goes, put by somebody who may write there at the very path that was to be gone. Ours is found to be there still: it is
  tagged again, and the report says that it was replaced.

Cost: one listing, some calls for each that is left; four calls for the root.
"""

from __future__ import annotations

import errno
import os

from cache_core.again import split_by_presence
from cache_core.errors import errno_name
from cache_core.layout import IGNORE_NAME, LOCK_NAME, TAG_NAME, judge, mark
from cache_core.outcome import Left
from cache_core.reasons import explain
from cache_core.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.fence import Fence
    from cache_core.kernel import Kernel
    from cache_core.outcome import Removal
    from cache_core.root import Root

_APPEARED = "appeared while the cache was cleaned: still in use"
_GOES_LAST = "goes last: without it, what is left would be no cache"
_REPLACED = "another directory has this path now: clean again"


class Aftermath:
    """A root after the removal."""

    def __init__(self, root: Root, kernel: Kernel, fence: Fence) -> None:
        self._root = root
        self._kernel = kernel
        self._fence = fence

    def read_again(self, removal: Removal, *, whole: bool, tag_last: bool) -> tuple[tuple[Left, ...], bool]:
        """What is left according to the cache itself, and whether that is nothing.

        Args:
            removal: What was done and what was left then.
            whole: Whether everything was to go.
            tag_last: Whether a tag that is there was to go after all else.
        """
        try:
            names = judge(self._root.fd, sorted(self._kernel.listdir(self._root.fd)), kernel=self._kernel)
        except OSError as error:
            left = [item for item in removal.left if item.path != "."]
            return (self.left(".", error), *left), False
        if not whole:
            return removal.left, names.empty
        # A root that could not be listed stands for what is in it.
        remaining = names.unknown.keys() | names.content | ({"."} if names.content else set())
        left = [item for item in removal.left if item.path.split("/", 1)[0] in remaining]
        left, emptied = split_by_presence(self._root.fd, left, self._kernel)
        left += [Left(path, errno_name(errno.ENOTEMPTY), _APPEARED) for path in emptied]
        named = {item.path.split("/", 1)[0] for item in left}
        left += [self.left(name, error) for name, error in names.unknown.items() if name not in named]
        if "." not in named:
            left += [
                self._stays(name, removal, tag_last=tag_last and name == TAG_NAME)
                for name in names.content
                if name not in named
            ]
        return tuple(sorted(left, key=lambda item: item.path)), names.empty

    @staticmethod
    def appeared(left: tuple[Left, ...]) -> bool:
        """Whether something came while the cache was cleaned."""
        return any(item.reason == _APPEARED for item in left)

    def _stays(self, name: str, removal: Removal, *, tag_last: bool) -> Left:
        """Why there is content that the removal did not meet, or had to leave."""
        if removal.cancelled:
            number = errno.ECANCELED
            reason = explain(self._kernel, os.geteuid(), self._root.fd, ".", number)
            return Left(name, errno_name(number), reason)
        return Left(name, errno_name(errno.ENOTEMPTY), _GOES_LAST if tag_last else _APPEARED)

    def replaced(self) -> Left | None:
        """What to report when the path leads elsewhere by now. Nowhere is fine: nothing is there to be full."""
        try:
            if self._root.has_name():
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return self.left(".", error)
        return Left(".", errno_name(errno.ESTALE), _REPLACED)

    def marked_again(self, left: tuple[Left, ...]) -> tuple[Left, ...]:
        """Tag what stays; says so with the first of `left` when that fails."""
        try:
            mark(self._root.fd, kernel=self._kernel)
        except FileNotFoundError:
            # No entry can be made in a directory that was removed: nothing is left to be marked.
            return left
        except OSError as error:
            lost = f"its {TAG_NAME} is gone and could not be made again ({errno_name(error)})"
            return (replace(left[0], reason=f"{left[0].reason}; {lost}"), *left[1:])
        return left

    def remove_root(self) -> tuple[Left, ...]:
        """Remove the three files and the root; a root that stays is a cache still. Returns what stays."""
        stays = self._remove_emptied_root()
        return () if stays is None else self.marked_again((stays,))

    def _remove_emptied_root(self) -> Left | None:
        # The lock last: until then those who wait for it know that we are here.
        for name in (IGNORE_NAME, TAG_NAME, LOCK_NAME):
            try:
                self._kernel.unlink(name, dir_fd=self._root.fd)
            except FileNotFoundError:
                # An empty cache need not have all of them.
                continue
            except OSError as error:
                return self.left(name, error)
        replaced = self.replaced()
        if replaced is not None:
            return replaced
        try:
            # Race 16: it goes by its name.
            self._fence.remove_root()
        except FileNotFoundError:
            # Another cleaner with the same wish was faster.
            return None
        except OSError as error:
            return self.left(".", error)
        return None if self._is_removed() else Left(".", errno_name(errno.ESTALE), _REPLACED)

    def _is_removed(self) -> bool:
        """Whether it is our directory that rmdir removed, and not one that took its place at the last moment."""
        try:
            if self._kernel.fstat(self._root.fd).st_nlink == 0:
                return True
            # Some file systems (overlayfs) give a removed directory a link; none makes an entry in it.
            mark(self._root.fd, kernel=self._kernel)
        except FileNotFoundError:
            return True
        except OSError:
            # It takes entries, if not this one: it is there.
            return False
        return False

    def left(self, name: str, error: OSError) -> Left:
        """A name in the root, or `.` for the root itself, with what keeps it there."""
        number = error.errno or errno.EIO
        if name == ".":
            reason = explain(self._kernel, os.geteuid(), self._root.parent_fd, self._root.name, number)
        else:
            reason = explain(self._kernel, os.geteuid(), self._root.fd, name, number)
        return Left(name, errno_name(number), reason)
