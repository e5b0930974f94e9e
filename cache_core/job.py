"""The part of a cleaning that changes something: lock, move aside, remove, read again.

Guarantees: nothing is removed before the lock is held, or known not to be had; from the first removal on the fence
stands, where there is one. What is to go is detached first (`trash`), then removed, by several at once where there is
a crew (`crew`), and looked at once more by us alone. Cost: some twenty calls besides the removal.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cache_core.aftermath import Aftermath
from cache_core.errors import CacheInUseError, LockCancelledError, LockUnavailableError, NotALockError, errno_name
from cache_core.layout import LOCK_NAME, TAG_NAME, TRASH_PREFIX, is_tagged, judge
from cache_core.locks import lock_cache
from cache_core.outcome import Options, Progress, Removal, nothing_but, total
from cache_core.removal import remove_contents, remove_tree
from cache_core.report import LOCK_HELD, LOCK_IGNORED, LOCK_NOT_TAKEN, LOCK_UNAVAILABLE, CleanReport
from cache_core.trash import Trash

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.crew import Crew
    from cache_core.fence import Fence
    from cache_core.kernel import Kernel
    from cache_core.layout import RootNames
    from cache_core.locks import Lock, Wait
    from cache_core.root import Root
    from cache_core.surroundings import Surroundings

# Something that is no lock is removed and a lock made; somebody who puts it there again that often means it.
_NO_LOCK_MAX = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """How to clean; as the arguments of `cleaner.clean_sync`."""

    kernel: Kernel
    options: Options
    force: bool
    untagged: bool
    dry_run: bool
    remove_root: bool
    residue_only: bool
    follow_root: bool
    crew: Crew
    fence: Fence
    surroundings: Surroundings


class Job:
    """The cleaning of one root."""

    def __init__(self, root: Root, wish: Wish) -> None:
        self._root = root
        self._wish = wish
        self._kernel = wish.kernel
        self._options = replace(
            wish.options, removed=_untrashed(wish.options.removed), mended=_untrashed(wish.options.mended)
        )
        self._aftermath = Aftermath(root, wish.kernel, wish.fence)
        self._trash = Trash(root.fd, wish.kernel, wish.surroundings)
        self._fenced = False
        self._no_locks: list[Removal] = []  # of what stood where the lock belongs
        self._lock_errno: int | None = None  # why there is none
        self._long_tag = False  # a valid tag that an empty cache cannot have

    def under_lock(self, wait: Wait) -> CleanReport | None:
        """Take the lock, remove, read again. None: the root was replaced meanwhile, and nothing removed."""
        lock = None
        try:
            lock, state = (None, LOCK_IGNORED) if self._wish.force else self._lock(wait)
            # Behind a fence there is no second root to turn to: what was replaced is said in the report.
            if self._moved() and not self._fenced:
                return None
            self._enclose()
            removal = self._remove()
            # The place that we made ourselves does not count.
            counted = removal.directories_removed - self._trash.end()
            return self._report(replace(removal, directories_removed=counted), state)
        except LockCancelledError:
            return self._report(total([*self._no_locks, nothing_but(cancelled=True)]), LOCK_NOT_TAKEN)
        finally:
            self._trash.close()
            if lock is not None:
                lock.release()

    def _enclose(self) -> None:
        if not self._fenced:
            self._fenced = self._wish.fence.enter(self._root.fd, self._root.parent_fd, self._root.name)

    def _report(self, removal: Removal, lock: str) -> CleanReport:
        wish, aftermath = self._wish, self._aftermath
        left, empty = aftermath.read_again(removal, whole=not wish.residue_only, tag_last=self._long_tag)
        replaced = aftermath.replaced()
        if replaced is not None:
            left, empty = (replaced,), False
        if self._long_tag and not empty:
            left = aftermath.marked_again(left)
        if wish.remove_root and empty and not (wish.residue_only or removal.cancelled):
            left = aftermath.remove_root()
            empty = not left
        return CleanReport(
            self._root.path,
            empty,
            removal.files_removed,
            removal.directories_removed,
            removal.bytes_freed,
            removal.permissions_repaired + (self._root.old_mode is not None),
            left,
            0,
            lock,
            residue_only=wish.residue_only,
            cancelled=removal.cancelled,
            lock_error=None if self._lock_errno is None else errno_name(self._lock_errno),
        )

    def _lock(self, wait: Wait) -> tuple[Lock | None, str]:
        for _ in range(_NO_LOCK_MAX):
            try:
                return lock_cache(self._root.fd, shared=False, kernel=self._kernel, wait=wait), LOCK_HELD
            except NotALockError:
                # Nobody can hold it, so it is content like any other.
                self._enclose()
                if self._trash.take(LOCK_NAME, self._root.fd, LOCK_NAME) is not None:
                    continue
                removal = remove_tree(LOCK_NAME, dir_fd=self._root.fd, kernel=self._kernel, options=self._options)
                self._no_locks.append(removal)
                if removal.cancelled:
                    raise LockCancelledError(self._root.path, "has no lock yet", "start again") from None
                if removal.left:
                    break
            except LockUnavailableError as error:
                self._lock_errno = error.errno
                return None, LOCK_UNAVAILABLE
            except CacheInUseError as error:
                problem = f"its lock {error.problem}"
                raise CacheInUseError(self._root.path, problem, error.advice, error.holders) from error
        return None, LOCK_UNAVAILABLE

    def _remove(self) -> Removal:
        if self._lock_errno == errno.EROFS:
            # Nothing can go; a million refusals would say no more than one.
            refused = OSError(errno.EROFS, os.strerror(errno.EROFS))
            return total([*self._no_locks, nothing_but(self._aftermath.left(".", refused))])
        if self._wish.residue_only:
            from cache_core.residue import remove_residue  # noqa: PLC0415 - only this wish pays for the audit

            removal = remove_residue(self._root.fd, self._trash, kernel=self._kernel, options=self._options)
            return total([*self._no_locks, removal])
        names = judge(self._root.fd, kernel=self._kernel)
        self._long_tag = TAG_NAME in names.content and self._is_tagged()
        removals = [*self._no_locks, *self._remove_all(names)]
        return total([*removals, self._remove_long_tag(removals[-1])])

    def _remove_all(self, names: RootNames) -> list[Removal]:
        """Remove whatever is not known to be a file of an empty cache."""
        keep = names.spared.union({TAG_NAME} if self._long_tag else ())
        # A root that was given as `entry/..` has lost its name when the entry is moved.
        if self._root.name != ".." and not self._stopped():
            self._trash.take_contents(keep)
        spared = nothing_but(*(self._aftermath.left(name, error) for name, error in names.unknown.items()))
        helped = self._wish.crew.help(self._root.fd, keep, kernel=self._kernel, options=self._options)
        # What others did not do, and what only the whole shows: the rest, and who is to blame for it.
        progress = self._options.progress
        rest = remove_contents(
            self._root.fd,
            keep=keep,
            kernel=self._kernel,
            options=self._options if progress is None else replace(self._options, progress=_after(helped, progress)),
        )
        return [spared, helped, rest]

    def _stopped(self) -> bool:
        return self._options.cancelled is not None and self._options.cancelled()

    def _is_tagged(self) -> bool:
        try:
            return is_tagged(self._root.fd, kernel=self._kernel)
        except OSError:
            # A tag that cannot be read protects nothing, and we are here because the caller said so.
            return False

    def _remove_long_tag(self, removal: Removal) -> Removal:
        """Remove the tag when all else is gone."""
        if not self._long_tag or removal.cancelled:
            return nothing_but()
        try:
            names = judge(self._root.fd, self._kernel.listdir(self._root.fd), kernel=self._kernel)
        except OSError:
            # The re-read meets the same, and says so.
            return nothing_but()
        if names.unknown or names.content != (TAG_NAME,):
            return nothing_but()
        return remove_tree(TAG_NAME, dir_fd=self._root.fd, kernel=self._kernel, options=self._options)

    def _moved(self) -> bool:
        """Whether the path leads elsewhere, or nowhere. What cannot be told now is told after the removal."""
        try:
            return not self._root.has_name()
        except FileNotFoundError:
            return True
        except OSError:
            return False


def _untrashed(tell: Callable[[str], None] | None) -> Callable[[str], None] | None:
    """Tell paths as they were before they were moved aside."""
    if tell is None:
        return None

    def told(path: str) -> None:
        top, _, below = path.partition("/")
        if not top.startswith(TRASH_PREFIX):
            tell(path)
        elif below:
            tell(below)

    return told


def _after(done: Removal, tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Tell progress as what was done before and what is done now."""

    def told(now: Progress) -> None:
        tell(
            Progress(
                done.files_removed + now.files_removed,
                done.directories_removed + now.directories_removed,
                done.bytes_freed + now.bytes_freed,
            )
        )

    return told
