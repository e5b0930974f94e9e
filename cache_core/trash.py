"""Detach, then delete: what is to go is first moved into a directory at the root that no build looks into.

A rename takes a whole tree away at once, so a build that reads without the lock sees an entry or no entry, never half
of one; and what then turns out to be undeletable lies where it is in nobody's way. The directory is called
`.cachestorm-trash`, with a number when that is taken. What a killed cleaner left in one goes with the next cleaning.

Guarantees: moves directories only, within the root, by descriptors, never one that something is mounted in (the mount
would move with it). What cannot be moved (EXDEV on overlayfs, ENOSPC, another owner's, its own mode) stays where it is
and is removed there. Files are not moved: unlinking one is as sudden as renaming it.
Not guaranteed: that nothing is mounted in a tree that is moved when /proc does not tell.
Cost: a directory made, and a rename for each tree; nothing when there is nothing to move.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from cache_core.kernel import let_go
from cache_core.layout import TRASH_PREFIX
from cache_core.owners import foreign_owner, give
from cache_core.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Collection

    from cache_core.kernel import Kernel
    from cache_core.outcome import Options, Removal
    from cache_core.surroundings import Surroundings

# More left-over trash than this, in one cache, is removed in place.
_NAMES_MAX = 64
_NAME_BYTES_MAX = 255
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Trash:
    """A place in a cache's root for what is to be removed; made when the first thing is put into it."""

    def __init__(self, root_fd: int, kernel: Kernel, surroundings: Surroundings) -> None:
        self._root_fd = root_fd
        self._kernel = kernel
        self._surroundings = surroundings
        self._fd: int | None = None
        self._refused = False
        self._mounted: list[str] = []
        self.name: str | None = None

    def take_contents(self, keep: Collection[str]) -> None:
        """Move every directory of the root here, but those to `keep` and older trash."""
        try:
            with self._kernel.scandir(self._root_fd) as listing:
                for entry in listing:
                    name = entry.name
                    if name in keep or name.startswith(TRASH_PREFIX) or not entry.is_dir(follow_symlinks=False):
                        continue
                    self.take(name, self._root_fd, name)
                    if self._refused:
                        return
        except OSError:
            # The removal meets the same, and says so.
            return

    def take(self, name: str, dir_fd: int, path: str) -> str | None:
        """Move what has the `name` in `dir_fd` here; `path` is where that is below the root.

        Returns:
            Its path below the root from now on; None when it stays where it is.
        """
        if not self._is_made() or any(mount == path or mount.startswith(f"{path}/") for mount in self._mounted):
            return None
        aside = name
        for number in range(1, _NAMES_MAX):
            try:
                self._kernel.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=self._fd)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    return None
            else:
                return f"{self.name}/{aside}"
            # Another directory's had the same name.
            aside = f"{number}-{name}"
            if len(os.fsencode(aside)) > _NAME_BYTES_MAX:
                return None
        return None

    def remove(self, aside: str, options: Options) -> Removal:
        """Remove what `take` gave the path `aside`; paths in the result and to callbacks begin with its name here."""
        assert self._fd is not None, "something was taken"  # noqa: S101
        return remove_tree(aside.rpartition("/")[2], dir_fd=self._fd, kernel=self._kernel, options=options)

    def end(self) -> bool:
        """Remove the place itself, if it is empty. Returns whether a removal was faster, and has counted it."""
        self.close()
        if self.name is None:
            return False
        gone = False
        try:
            self._kernel.rmdir(self.name, dir_fd=self._root_fd)
        except FileNotFoundError:
            gone = True
        except OSError:
            # Something in it stays, and is named; or it cannot be told, and whether it is there can.
            gone = self._is_gone()
            if not gone:
                return False
        self.name = None
        return gone

    def _is_gone(self) -> bool:
        try:
            self._kernel.lstat(str(self.name), dir_fd=self._root_fd)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        fd, self._fd = self._fd, None
        if fd is not None:
            let_go(self._kernel, fd)

    def _is_made(self) -> bool:
        if self._fd is None and not self._refused:
            self._make()
            self._mounted = self._surroundings.mounts_below(self._root_fd)
            self._refused = self._fd is None
        return self._fd is not None

    def _make(self) -> None:
        for number in range(_NAMES_MAX):
            name = f"{TRASH_PREFIX}-{number}" if number else TRASH_PREFIX
            try:
                self._kernel.mkdir(name, 0o700, dir_fd=self._root_fd)
            except FileExistsError:
                continue
            except OSError:
                return
            self.name = name
            try:
                self._fd = self._kernel.open(name, _LIST, dir_fd=self._root_fd)
            except OSError:
                # Made and lost, or no descriptor left; it is empty and goes in the end.
                return
            # Else a run of root's that is killed leaves a directory that the owner of the cache cannot look into.
            owner = foreign_owner(self._root_fd, self._kernel)
            if owner is not None:
                give(self._fd, owner, self._kernel)
            return
