"""Clean a cache: lock it, remove what is in it, read it again, say what was done.

Guarantees: the promises of `removal`, and

- only a directory that says it is a cache is cleaned (CACHEDIR.TAG), unless the caller insists or there is nothing to
  lose; never `/`, a home directory, or a directory that contains the working directory;
- builds that hold the cache lock are waited for (`locks`), unless forced. A lock that cannot be opened or made, as on
  a full disk, does not keep anybody from cleaning; the report says that it was done without;
- `empty` is what the cache was when it was read again at the end, under the lock where there is one. The cache is the
  directory that has the path: when it was replaced while the lock was waited for, the new one is cleaned, and when it
  was replaced later, that is said;
- a valid tag goes last, however long it is: what is left is a cache, and a second run can clean it;
- a refusal changes nothing; a root that had to be made readable to be judged gets its mode back.

Not guaranteed: that an entry disappears at once for readers without the lock, and a pause for readers of it.
`asynchronous.clean` is the same for programs on asyncio or trio. Cost: some twenty calls besides the removal.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cache_core.audit import audit_open
from cache_core.errors import (
    CacheInUseError,
    LockCancelledError,
    LockUnavailableError,
    NotACacheError,
    NotALockError,
    UnreadableRootError,
    errno_name,
    path_fields,
)
from cache_core.kernel import REAL
from cache_core.layout import IGNORE_NAME, LOCK_NAME, TAG_NAME, is_tagged, judge, mark, needs_tag
from cache_core.locks import Lock, Wait, lock_cache
from cache_core.outcome import Left, Options, Removal, nothing_but, total
from cache_core.reasons import explain, explain_root
from cache_core.removal import remove_contents, remove_tree
from cache_core.residue import remove_residue
from cache_core.root import Root, open_root
from cache_core.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from cache_core.outcome import Progress

LOCK_HELD = "exclusive"
LOCK_IGNORED = "ignored"
LOCK_UNAVAILABLE = "unavailable"
LOCK_NOT_TAKEN = "none"

# Something that is no lock is removed and a lock made; somebody who puts it there again that often means it.
_NO_LOCK_MAX = 3

# Each turn means that somebody replaced the whole cache while we waited for its lock. Nobody does that for long.
_ROOTS_MAX = 16

_APPEARED = "appeared while the cache was cleaned: still in use"
_GOES_LAST = "goes last: without it, what is left would be no cache"
_REPLACED = "another directory has this path now: clean again"


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What a cleaning did and what it leaves.

    Attributes:
        path: The cache, as given.
        empty: Whether the root holds nothing but `CACHEDIR.TAG`, `.gitignore` and `.lock`, each a small regular file;
            when the root was to be removed, whether it is gone.
        files_removed: Entries that were no directories; with `dry_run`, that would be removed.
        directories_removed: Directories, likewise.
        bytes_freed: Blocks of files whose last link went, likewise.
        permissions_repaired: Directories that were given bits their owner lacked.
        left: Each path that stays, relative to the cache (`.` is the root), once.
        seconds: How long it took, waiting for the lock included.
        lock: `exclusive`, `ignored` (forced), `unavailable` (could not be opened or made), or `none` (not needed).
        dry_run: Whether nothing was changed.
        residue_only: Whether only residue was removed.
        cancelled: Whether the caller stopped it.
    """

    path: str
    empty: bool
    files_removed: int
    directories_removed: int
    bytes_freed: int
    permissions_repaired: int
    left: tuple[Left, ...]
    seconds: float
    lock: str = LOCK_NOT_TAKEN
    dry_run: bool = False
    residue_only: bool = False
    cancelled: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether what was asked for holds: the cache is empty; no residue is left; all of it could be read."""
        if self.cancelled:
            return False
        return not self.left if self.dry_run or self.residue_only else self.empty

    def document(self) -> dict[str, object]:
        """The fields as JSON has them."""
        return {
            **path_fields(self.path),
            "empty": self.empty,
            "files_removed": self.files_removed,
            "directories_removed": self.directories_removed,
            "bytes_freed": self.bytes_freed,
            "permissions_repaired": self.permissions_repaired,
            "left": [{**path_fields(left.path), "errno": left.errno, "reason": left.reason} for left in self.left],
            "seconds": self.seconds,
            "lock": self.lock,
        }


def clean_sync(
    path: str,
    *,
    kernel: Kernel = REAL,
    force: bool = False,
    untagged: bool = False,
    dry_run: bool = False,
    remove_root: bool = False,
    residue_only: bool = False,
    timeout: float | None = None,
    measure: bool = True,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_wait: Callable[[], None] | None = None,
    surroundings: Surroundings | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> CleanReport:
    """Empty a cache.

    Args:
        path: The cache's root directory; a path that nothing has is a success.
        kernel: Where the calls go.
        force: Do not take the cache lock; nothing else is forced.
        untagged: Clean a directory without a valid CACHEDIR.TAG as well.
        dry_run: Change nothing; report what would be removed, and as `left` what could not be read.
        remove_root: Remove the root too.
        residue_only: Remove partial trees and poisoned directories, keep the rest.
        timeout: Seconds to wait for the lock; None waits for ever.
        measure: Count `bytes_freed`; an lstat for each file.
        progress: Called every few hundred entries.
        cancelled: Asked as often, and while waiting; True stops.
        on_wait: Called when others hold the lock: once, unless the root is replaced meanwhile.
        surroundings: What must not be cleaned; None looks it up.
        clock: Monotonic seconds.
        sleep: Lets so many seconds pass, while waiting.

    Raises:
        NotACacheError: No valid CACHEDIR.TAG, and something to lose.
        RefusedRootError: A directory that is never cleaned; with `remove_root`, a path that ends in `..`.
        SurroundingsError: What is never cleaned cannot be told.
        NotADirectoryRootError: The path is a file, a symbolic link or another node.
        UnreadableRootError: The root, or its tag, cannot be read, and is not ours to repair.
        MountedRootError: With `remove_root`, the root is a mount point.
        CacheInUseError: The lock was held by others for `timeout` seconds, or the root replaced again and again.
    """
    start = clock()
    wish = _Wish(kernel, Options(measure, progress, cancelled), force, untagged, dry_run, remove_root, residue_only)
    wait = Wait(timeout, cancelled, on_wait, clock, sleep)
    refused = surroundings or Surroundings.of_process()
    for turn in range(_ROOTS_MAX):
        if turn and timeout is not None:
            wait = replace(wait, timeout_seconds=max(0.0, timeout - (clock() - start)))
        try:
            report = _clean_root(path, wish, wait, refused)
        except UnreadableRootError as error:
            raise explain_root(kernel, error, repair=not dry_run) from error
        if report is not None:
            return replace(report, seconds=clock() - start)
    raise CacheInUseError(path, f"was replaced {_ROOTS_MAX} times while we locked it", "find out who does that")


@dataclass(frozen=True, slots=True)
class _Wish:
    """How to clean; as the arguments of `clean_sync`."""

    kernel: Kernel
    options: Options
    force: bool
    untagged: bool
    dry_run: bool
    remove_root: bool
    residue_only: bool


def _clean_root(path: str, wish: _Wish, wait: Wait, surroundings: Surroundings) -> CleanReport | None:
    """Clean what has the path now. None: something else has it by the time that we could begin."""
    root = open_root(path, wish.kernel, surroundings, repair=not wish.dry_run)
    if root is None:
        return CleanReport(path, True, 0, 0, 0, 0, (), 0, dry_run=wish.dry_run, residue_only=wish.residue_only)
    finished = False
    try:
        _require_cache(root, wish.kernel, untagged=wish.untagged)
        if wish.remove_root:
            root.require_removable()
        if wish.dry_run:
            return _would_do(root, wish)
        report = _Job(root, wish).under_lock(wait)
        finished = report is not None and report.succeeded
    finally:
        root.close(restore=not finished)
    return report


def _require_cache(root: Root, kernel: Kernel, *, untagged: bool) -> None:
    if untagged:
        return
    try:
        if is_tagged(root.fd, kernel=kernel):
            return
        with kernel.scandir(root.fd) as listing:
            # At most three names decide: one that is neither the lock nor the ignore file is among any three.
            names = [entry.name for entry, _ in zip(listing, range(3), strict=False)]
        # A root that can be listed and not searched may well be tagged; where there is no tag, the names decide.
        with suppress(FileNotFoundError):
            kernel.lstat(TAG_NAME, dir_fd=root.fd)
    except OSError as error:
        raise UnreadableRootError(root.path, error) from error
    if needs_tag(root.fd, names, kernel=kernel):
        raise NotACacheError(
            root.path, f"no valid {TAG_NAME} in it, so it may be no cache", "check the path, or say that it is untagged"
        )


def _would_do(root: Root, wish: _Wish) -> CleanReport:
    found = audit_open(root.fd, root.path, kernel=wish.kernel, cancelled=wish.options.cancelled)
    counts = (found.files, found.directories - found.directories_held, found.bytes_here_only)
    left = found.unreadable
    return CleanReport(root.path, found.empty, *counts, 0, left, 0, dry_run=True, cancelled=found.cancelled)


class _Job:
    """The part that changes something."""

    def __init__(self, root: Root, wish: _Wish) -> None:
        self._root = root
        self._kernel = wish.kernel
        self._options = wish.options
        self._force = wish.force
        self._residue_only = wish.residue_only
        self._remove_root = wish.remove_root
        self._no_locks: list[Removal] = []  # of what stood where the lock belongs
        self._long_tag = False  # a valid tag that an empty cache cannot have

    def under_lock(self, wait: Wait) -> CleanReport | None:
        """Take the lock, remove, read again. None: the root was replaced meanwhile, and nothing removed."""
        try:
            lock, state = (None, LOCK_IGNORED) if self._force else self._lock(wait)
        except LockCancelledError:
            return self._report(total([*self._no_locks, nothing_but(cancelled=True)]), LOCK_NOT_TAKEN)
        try:
            return None if self._moved() else self._report(self._remove(), state)
        finally:
            if lock is not None:
                lock.release()

    def _report(self, removal: Removal, lock: str) -> CleanReport:
        left, empty = self._read_again(removal)
        replaced = self._replaced()
        if replaced is not None:
            left, empty = (replaced,), False
        if self._long_tag and not empty:
            left = self._marked_again(left)
        if self._remove_root and empty and not (self._residue_only or removal.cancelled):
            left = self._remove_root_itself()
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
            residue_only=self._residue_only,
            cancelled=removal.cancelled,
        )

    def _lock(self, wait: Wait) -> tuple[Lock | None, str]:
        for _ in range(_NO_LOCK_MAX):
            try:
                return lock_cache(self._root.fd, shared=False, kernel=self._kernel, wait=wait), LOCK_HELD
            except NotALockError:
                # Nobody can hold it, so it is content like any other.
                removal = remove_tree(LOCK_NAME, dir_fd=self._root.fd, kernel=self._kernel, options=self._options)
                self._no_locks.append(removal)
                if removal.cancelled:
                    raise LockCancelledError(self._root.path, "has no lock yet", "start again") from None
                if removal.left:
                    break
            except LockUnavailableError:
                return None, LOCK_UNAVAILABLE
            except CacheInUseError as error:
                raise CacheInUseError(self._root.path, f"its lock {error.problem}", error.advice) from error
        return None, LOCK_UNAVAILABLE

    def _remove(self) -> Removal:
        if self._residue_only:
            removal = remove_residue(self._root.fd, kernel=self._kernel, options=self._options)
            return total([*self._no_locks, removal])
        names = judge(self._root.fd, kernel=self._kernel)
        self._long_tag = TAG_NAME in names.content and self._is_tagged()
        keep = names.spared.union({TAG_NAME} if self._long_tag else ())
        removal = remove_contents(self._root.fd, keep=keep, kernel=self._kernel, options=self._options)
        spared = nothing_but(*(self._left(name, error) for name, error in names.unknown.items()))
        return total([*self._no_locks, removal, spared, self._remove_long_tag(removal)])

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

    def _read_again(self, removal: Removal) -> tuple[tuple[Left, ...], bool]:
        """What is left according to the cache itself, and whether that is nothing."""
        try:
            names = judge(self._root.fd, sorted(self._kernel.listdir(self._root.fd)), kernel=self._kernel)
        except OSError as error:
            left = [item for item in removal.left if item.path != "."]
            return (self._left(".", error), *left), False
        if self._residue_only:
            return removal.left, names.empty
        # A root that could not be listed stands for what is in it.
        remaining = names.unknown.keys() | names.content | ({"."} if names.content else set())
        left = [item for item in removal.left if item.path.split("/", 1)[0] in remaining]
        named = {item.path.split("/", 1)[0] for item in left}
        left += [self._left(name, error) for name, error in names.unknown.items() if name not in named]
        if "." not in named:
            left += [self._stays(name, removal) for name in names.content if name not in named]
        return tuple(sorted(left, key=lambda item: item.path)), names.empty

    def _stays(self, name: str, removal: Removal) -> Left:
        """Why there is content that the removal did not meet, or had to leave."""
        if removal.cancelled:
            number = errno.ECANCELED
            reason = explain(self._kernel, os.geteuid(), self._root.fd, ".", number)
            return Left(name, errno_name(number), reason)
        goes_last = self._long_tag and name == TAG_NAME
        return Left(name, errno_name(errno.ENOTEMPTY), _GOES_LAST if goes_last else _APPEARED)

    def _moved(self) -> bool:
        """Whether the path leads elsewhere, or nowhere. What cannot be told now is told after the removal."""
        try:
            return not self._root.has_name()
        except OSError as error:
            return error.errno == errno.ENOENT

    def _replaced(self) -> Left | None:
        """What to report when the path leads elsewhere by now. Nowhere is fine: nothing is there to be full."""
        try:
            if self._root.has_name():
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._left(".", error)
        return Left(".", errno_name(errno.ESTALE), _REPLACED)

    def _remove_root_itself(self) -> tuple[Left, ...]:
        """Remove the three files and the root; a root that stays is a cache still. Returns what stays."""
        stays = self._remove_emptied_root()
        return () if stays is None else self._marked_again((stays,))

    def _marked_again(self, left: tuple[Left, ...]) -> tuple[Left, ...]:
        try:
            mark(self._root.fd, kernel=self._kernel)
        except FileNotFoundError:
            # No entry can be made in a directory that was removed: nothing is left to be marked.
            return left
        except OSError as error:
            lost = f"its {TAG_NAME} is gone and could not be made again ({errno_name(error)})"
            return (replace(left[0], reason=f"{left[0].reason}; {lost}"), *left[1:])
        return left

    def _remove_emptied_root(self) -> Left | None:
        # The lock last: until then those who wait for it know that we are here.
        for name in (IGNORE_NAME, TAG_NAME, LOCK_NAME):
            try:
                self._kernel.unlink(name, dir_fd=self._root.fd)
            except FileNotFoundError:
                # An empty cache need not have all of them.
                continue
            except OSError as error:
                return self._left(name, error)
        replaced = self._replaced()
        if replaced is not None:
            return replaced
        try:
            self._kernel.rmdir(self._root.name, dir_fd=self._root.parent_fd)
        except FileNotFoundError:
            # Another cleaner with the same wish was faster.
            return None
        except OSError as error:
            return self._left(".", error)
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

    def _left(self, name: str, error: OSError) -> Left:
        number = error.errno or errno.EIO
        if name == ".":
            reason = explain(self._kernel, os.geteuid(), self._root.parent_fd, self._root.name, number)
        else:
            reason = explain(self._kernel, os.geteuid(), self._root.fd, name, number)
        return Left(name, errno_name(number), reason)
