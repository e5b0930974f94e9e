"""Detach, then delete: what is to go is first moved into a directory at the root that no build looks into.

A rename takes a whole tree away at once, so a build that reads without the lock sees an entry or no entry, never half
of one; and what then turns out to be undeletable lies where it is in nobody's way. The directory is called
`.cachestorm-trash`, with a number when that is taken. What a killed cleaner left in one goes with the next cleaning.

Guarantees: moves directories only, within the root, by descriptors, never one that something is mounted in (the mount
would move with it). What cannot be moved (EXDEV on overlayfs, ENOSPC, another owner's, its own mode) stays where it is
and is removed there. Files are not moved: unlinking one is as sudden as renaming it.
Not guaranteed: that nothing is mounted in a tree that is moved when /proc does not tell.
Races that remain, numbered on from `removal`, and why they do no harm:

- Race 5: what stood where the lock belongs was none when we looked and is a lock when we move it. It is given its name
  back; whoever made another one in between holds that, and whoever waits notices that the file changed.
- Race 7: the place is moved or exchanged between its making and the last thing moved into it. It is held by descriptor
  and was opened below the root through no link and no mount: things go where it went, behind a fence never out of the
  cache. What we remove there was the cache's, or the mover's own (Race 2).
- Race 8: between listing and rename a name gets another directory, or none. That was in the cache too; a link or a file
  is moved as itself, and unlinked there.
- Race 9: what root gives to the cache's owner is not the directory that was made. Only an empty one of root's, with the
  mode that we make them with, is given: that is all that can be gained.
- Race 10: something is mounted in a tree after the list of mounts was read. It moves with the tree, is not entered, and
  is named where it is then.

Cost: a directory made, and a rename for each tree; nothing when there is nothing to move.
"""

from __future__ import annotations

import errno
import os
import stat
from itertools import islice

from cache_core.kernel import let_go
from cache_core.layout import LOCK_NAME, TRASH_PREFIX
from cache_core.outcome import going_on, rebased, telling
from cache_core.owners import foreign_owner, give
from cache_core.pinned import Opener
from cache_core.removal import remove_contents, remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cache_core.crew import Crew
    from cache_core.kernel import Kernel
    from cache_core.outcome import Options, Removal
    from cache_core.surroundings import Surroundings

# With more left-over trash than this, and for more things of one name, what is to go is removed in place.
_PLACES_MAX = 64
# So many names of a root are looked at; somebody may make them faster than we move them. The rest is removed in place.
_NAMES_MAX = 1_000_000
_BATCH = 512
# A temporary name, as `wholeness` knows them.
_TEMPORARY = ".tmp-cachestorm"
_MODE = 0o700
_NAME_BYTES_MAX = 255


class Trash:
    """A place in a cache's root for what is to be removed; made when the first thing is put into it.

    Args:
        root_fd: The root.
        kernel: Where the calls go.
        surroundings: Know what is mounted.
        usable: Whether anything may be moved; not where the root was given as `entry/..` and has its name from there.
    """

    def __init__(self, root_fd: int, kernel: Kernel, surroundings: Surroundings, *, usable: bool = True) -> None:
        self._root_fd = root_fd
        self._kernel = kernel
        self._surroundings = surroundings
        self._refused = not usable
        self._held: frozenset[str] | None = None
        self._origins: dict[str, str] = {}  # where that was which has another path here
        self.fd: int | None = None
        self.name: str | None = None

    def take_contents(self, keep: Collection[str], stop: Callable[[], bool]) -> None:
        """Move every directory of the root here, but those to `keep` and older trash, until `stop` says so."""
        try:
            with self._kernel.scandir(self._root_fd) as listing:
                for number, entry in enumerate(islice(listing, _NAMES_MAX)):
                    if self._refused or (number % _BATCH == 0 and stop()):
                        return
                    name = entry.name
                    if name not in keep and not name.startswith(TRASH_PREFIX) and entry.is_dir(follow_symlinks=False):
                        self.take(name, self._root_fd, name)
        except OSError:
            # The removal meets the same, and says so.
            return

    def take(self, name: str, dir_fd: int, path: str) -> str | None:
        """Move what has the `name` in `dir_fd` here; `path` is where that is below the root.

        Returns:
            Its name here; None when it stays where it is.
        """
        if not self._is_made() or path in self.held:
            return None
        aside = name
        for number in range(1, _PLACES_MAX):
            try:
                self._kernel.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=self.fd)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    return None
            else:
                if aside != path:
                    self._origins[aside] = path
                return aside
            # Another directory's had the same name.
            aside = f"{number}-{name}"
            if len(os.fsencode(aside)) > _NAME_BYTES_MAX:
                return None
        return None

    @property
    def held(self) -> frozenset[str]:
        """Paths below the root that something is mounted on or in."""
        if self._held is None:
            held: set[str] = set()
            for mount in self._surroundings.mounts_below(self._root_fd):
                names = mount.split("/")
                held.update("/".join(names[:depth]) for depth in range(1, len(names) + 1))
            self._held = frozenset(held)
        return self._held

    def rename_in_place(self, name: str, dir_fd: int, path: str) -> str:
        """Give what cannot be moved here a name, in its own directory, that is residue by itself.

        For what shows that it is residue by a mode that has to be repaired: killed half-way, a cleaner would leave
        something that looks whole.

        Returns:
            Its name from now on: another one, or the one that it has.
        """
        if path in self.held:
            return name
        for number in range(_PLACES_MAX):
            aside = f"{_TEMPORARY}-{number}"
            try:
                self._kernel.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    return name
            else:
                return aside
        return name

    def take_no_lock(self) -> bool:
        """Move what stands where the lock belongs and is none. Returns whether it is worth asking for the lock again.

        Another cleaner may have made a lock there since we looked, and somebody may hold it: one that was moved by
        mistake is given its name again, unless there is a third one already (Race 5).
        """
        if self._is_lock(LOCK_NAME, self._root_fd):
            return True
        aside = self.take(LOCK_NAME, self._root_fd, LOCK_NAME)
        if aside is None:
            return False
        if self._is_lock(aside, self.fd):
            self._give_name_back(aside)
        return True

    def _give_name_back(self, aside: str) -> None:
        try:
            # A link, unlike a rename, replaces nothing.
            self._kernel.link(aside, LOCK_NAME, src_dir_fd=self.fd, dst_dir_fd=self._root_fd)
        except OSError:
            # Then it goes with the trash: whoever waits for it notices that it was replaced.
            return

    def _is_lock(self, name: str, dir_fd: int | None) -> bool:
        try:
            return stat.S_ISREG(self._kernel.lstat(name, dir_fd=dir_fd).st_mode)
        except OSError:
            return False

    def remove(self, aside: str, options: Options) -> Removal:
        """Remove what `take` gave the name `aside`; paths are below the root, to callbacks where they were before."""
        assert self.fd is not None, "something was taken"  # noqa: S101
        how = telling(options, self._origin)
        return rebased(remove_tree(aside, dir_fd=self.fd, kernel=self._kernel, options=how), str(self.name))

    def empty(self, crew: Crew, options: Options) -> list[Removal]:
        """Remove all that was taken; paths as in `remove`."""
        if self.fd is None:
            return []
        options = telling(options, self._origin)
        done = crew.help(self.fd, (), kernel=self._kernel, options=options)
        rest = remove_contents(self.fd, kernel=self._kernel, options=going_on(done, options))
        return [done, rebased(rest, str(self.name))]

    def origin(self, path: str) -> str | None:
        """Where what has a path below the root now was before it was moved here; None for the place itself."""
        place, _, rest = path.partition("/")
        return path if place != self.name else self._origin(rest)

    def _origin(self, path: str) -> str | None:
        """The same for a path below here."""
        aside, slash, rest = path.partition("/")
        return None if aside in ("", ".") else self._origins.get(aside, aside) + slash + rest

    def end(self) -> OSError | None:
        """Remove the place itself, if it is empty; nobody counts it. Returns what refused that."""
        self.close()
        if self.name is None:
            return None
        try:
            self._kernel.rmdir(self.name, dir_fd=self._root_fd)
        except FileNotFoundError:
            self.name = None
        except OSError as error:
            # Something in it stays; or it cannot be told, and whether it is there can.
            if not self._is_gone():
                return error
            self.name = None
        else:
            self.name = None
        return None

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
        fd, self.fd = self.fd, None
        if fd is not None:
            let_go(self._kernel, fd)

    def _is_made(self) -> bool:
        if self.fd is None and not self._refused:
            self._make()
            self._refused = self.fd is None
        return self.fd is not None

    def _make(self) -> None:
        for number in range(_PLACES_MAX):
            name = f"{TRASH_PREFIX}-{number}" if number else TRASH_PREFIX
            try:
                self._kernel.mkdir(name, _MODE, dir_fd=self._root_fd)
            except FileExistsError:
                continue
            except OSError:
                return
            self.name = name
            try:
                # Not what somebody has mounted on it meanwhile.
                self.fd = Opener(self._kernel, self._root_fd).open(name, self._root_fd)
            except OSError:
                # Made and lost, or no descriptor left; it is empty and goes in the end.
                return
            self._give_to_owner(self.fd)
            return

    def _give_to_owner(self, fd: int) -> None:
        """Else a run of root's that is killed leaves a directory that the owner of the cache cannot look into."""
        owner = foreign_owner(self._root_fd, self._kernel)
        if owner is None:
            return
        try:
            status = self._kernel.fstat(fd)
            # Somebody may have exchanged it: only an empty directory of ours, as we have just made one, is given.
            ours = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == _MODE
            if ours and not self._kernel.listdir(fd):
                give(fd, owner, self._kernel)
        except OSError:
            return
