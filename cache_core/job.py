"""The part of a cleaning that changes something: lock, move aside, remove, read again.

Guarantees: nothing is removed before the lock is held, or known not to be had; from the first removal on the fence
stands, where there is one. With `residue_only` the cache is read before: behind it the kernel walks up at each open, so
a chain of n directories costs n * n. Given up by that: a bug of the audit, which opens for reading only, has no fence.
What is to go is detached first (`trash`), then removed, by several at once where there is a crew (`crew`), and looked
at once more by us alone. Cost: some twenty calls besides the removal.
"""

from __future__ import annotations

import errno
import os

from cache_core.acts import BLOCK_BYTES
from cache_core.aftermath import Aftermath
from cache_core.again import look_again
from cache_core.crew import ALONE
from cache_core.errors import CacheInUseError, LockCancelledError, LockUnavailableError, NotALockError, errno_name
from cache_core.layout import KEPT_NAMES, LOCK_NAME, TAG_NAME, is_tagged, judge
from cache_core.locks import lock_cache
from cache_core.outcome import RESCANS_MAX, Removal, going_on, nothing_but, telling, total
from cache_core.removal import remove_contents, remove_tree
from cache_core.report import LOCK_HELD, LOCK_IGNORED, LOCK_NOT_TAKEN, LOCK_UNAVAILABLE, CleanReport
from cache_core.trail import HELD_MAX
from cache_core.trash import Trash
from cache_core.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cache_core.audit_report import AuditReport
    from cache_core.crew import Crew
    from cache_core.fence import Fence
    from cache_core.holders import Holder
    from cache_core.kernel import Kernel
    from cache_core.layout import RootNames
    from cache_core.locks import Lock, Wait
    from cache_core.outcome import Left, Options
    from cache_core.root import Root
    from cache_core.surroundings import Surroundings

# Something that is no lock is removed and a lock made; somebody who puts it there again that often means it.
_NO_LOCK_MAX = 3
# What is deeper is moved up, if it can be. Entries of caches are seldom so deep, and as far as this a walk holds all of
# its way open, so no directory is opened twice (`trail`): with 32, a chain took a quarter more.
_DEPTH_BEHIND_A_FENCE = HELD_MAX - 1


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
        self._options = wish.options
        self._aftermath = Aftermath(root, wish.kernel, wish.fence)
        self._trash = Trash(root.fd, wish.kernel, wish.surroundings, usable=root.name != "..")
        self._fenced = False
        self._locks: list[Lock] = []  # the one that we hold, and the one that took its place
        self._found: AuditReport | None = None  # by the audit, where only residue is to go
        self._no_locks: list[Removal] = []  # of what stood where the lock belongs
        self._lock_errno: int | None = None  # why there is none
        self._long_tag = False  # a valid tag that an empty cache cannot have
        self._long_lock = False  # such a lock, held by us
        self._keep: frozenset[str] | None = None  # names in the root that are not to go; None: most of them

    def under_lock(self, wait: Wait) -> CleanReport | None:
        """Take the lock, remove, read again. None: the root was replaced meanwhile, and nothing removed."""
        try:
            state = LOCK_IGNORED if self._wish.force else self._lock(self._with_an_end(wait))
            if self._wish.residue_only and not self._is_read_only:
                self._found = self._read()
            # Behind a fence there is no second root to turn to: what was replaced is said in the report.
            if self._moved() and not self._fenced:
                return None
            self._enclose()
            if self._fenced:
                self._options = replace(self._options, depth=_DEPTH_BEHIND_A_FENCE)
            if self._root.old_mode is not None and self._options.mended is not None:
                self._options.mended(".")
            removal = self._remove()
            self._trash.end()
            return self._report(removal, state)
        except LockCancelledError:
            return self._report(total([*self._no_locks, nothing_but(cancelled=True)]), LOCK_NOT_TAKEN)
        finally:
            self._trash.close()
            for lock in self._locks:
                lock.release()

    @property
    def _is_read_only(self) -> bool:
        return self._lock_errno == errno.EROFS

    def _read(self) -> AuditReport:
        from cache_core.auditing import audit_open  # noqa: PLC0415 - only this wish pays for the audit

        return audit_open(self._root.fd, ".", kernel=self._kernel, cancelled=self._options.cancelled)

    def _enclose(self) -> None:
        if not self._fenced:
            self._fenced = self._wish.fence.enter(self._root.fd, self._root.parent_fd, self._root.name)

    def _report(self, removal: Removal, lock: str) -> CleanReport:
        wish, aftermath = self._wish, self._aftermath
        removal, left, empty = self._read_again(removal)
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

    def _read_again(self, removal: Removal) -> tuple[Removal, tuple[Left, ...], bool]:
        """Read the root; what came after our last look goes too: without the lock, another cleaner's trash."""
        whole = not self._wish.residue_only
        for _ in range(RESCANS_MAX):
            left, empty = self._aftermath.read_again(removal, whole=whole, tag_last=self._long_tag)
            # A tag that was to go last may be gone: what came then is told, and the root tagged again.
            if self._keep is None or self._long_tag or removal.cancelled or not self._aftermath.appeared(left):
                return removal, left, empty
            removal = total([removal, self._look(self._keep, removal)])
        left, empty = self._aftermath.read_again(removal, whole=whole, tag_last=self._long_tag)
        return removal, left, empty

    def _lock(self, wait: Wait) -> str:
        for _ in range(_NO_LOCK_MAX):
            try:
                self._locks.append(lock_cache(self._root.fd, shared=False, kernel=self._kernel, wait=wait))
            except NotALockError:
                # Nobody can hold it, so it is content like any other.
                self._enclose()
                if self._trash.take_no_lock():
                    continue
                removal = remove_tree(LOCK_NAME, dir_fd=self._root.fd, kernel=self._kernel, options=self._options)
                self._no_locks.append(removal)
                if removal.cancelled:
                    raise LockCancelledError(self._root.path, "has no lock yet", "start again") from None
                if removal.left:
                    break
            except LockUnavailableError as error:
                self._lock_errno = error.errno
                return LOCK_UNAVAILABLE
            except CacheInUseError as error:
                raise self._in_use(error) from error
            else:
                return LOCK_HELD
        return LOCK_UNAVAILABLE

    def _with_an_end(self, wait: Wait) -> Wait:
        """The same, but that it does not begin to wait for ever for whoever may be waiting for us."""
        if wait.in_kernel or wait.timeout_seconds is not None:
            return wait

        def on_wait(holders: tuple[Holder, ...]) -> None:
            from cache_core.holders import ancestor_among, in_words  # noqa: PLC0415 - most locks are free

            if ancestor_among(holders, self._kernel) is not None:
                raise CacheInUseError(LOCK_NAME, f"is held by {in_words(holders)}", "", holders)
            if wait.on_wait is not None:
                wait.on_wait(holders)

        return replace(wait, on_wait=on_wait)

    def _in_use(self, error: CacheInUseError) -> CacheInUseError:
        from cache_core.holders import ancestor_among  # noqa: PLC0415 - as above

        problem, advice = f"its lock {error.problem}", error.advice
        ancestor = ancestor_among(error.holders, self._kernel)
        if ancestor is not None:
            problem += f"; pid {ancestor.pid} started this process, so each may be waiting for the other"
            advice = "clean from outside of it, or ignore the lock by force"
        return CacheInUseError(self._root.path, problem, advice, error.holders)

    def _remove(self) -> Removal:
        # Where nothing can go, a million refusals would say no more than one.
        refusal = OSError(errno.EROFS, os.strerror(errno.EROFS)) if self._is_read_only else None
        if self._wish.residue_only:
            return total([*self._no_locks, self._remove_residue(refusal)])
        if refusal is not None:
            return total([*self._no_locks, nothing_but(self._aftermath.left(".", refusal))])
        names = judge(self._root.fd, kernel=self._kernel)
        self._long_tag = TAG_NAME in names.content and self._is_tagged()
        self._long_lock = LOCK_NAME in names.content and self._holds_lock()
        rest = self._remove_all(names)
        removals = [*self._no_locks, rest]
        # Before the tag, which is to be the last thing.
        removals.append(self._renew_lock(removals))
        removals.append(self._remove_trash(removals))
        return total([*removals, self._remove_long_tag(rest)])

    def _remove_residue(self, refusal: OSError | None) -> Removal:
        from cache_core.residue import name_residue, remove_residue  # noqa: PLC0415 - only this wish pays for it

        found = self._read() if self._found is None else self._found
        if refusal is not None:
            return name_residue(self._root.fd, found, refusal, kernel=self._kernel)
        return remove_residue(self._root.fd, found, self._trash, kernel=self._kernel, options=self._options)

    def _remove_all(self, names: RootNames) -> Removal:
        """Remove whatever is not known to be a file of an empty cache."""
        # One of the three that comes meanwhile is a builder's; what comes under such a name and is none is read again.
        keep = {*KEPT_NAMES}.difference(names.content)
        keep.update((TAG_NAME,) if self._long_tag else (), (LOCK_NAME,) if self._long_lock else ())
        self._keep = frozenset(keep)
        self._trash.take_contents(keep, self._stopped)
        if self._trash.name is not None:
            keep.add(self._trash.name)
        done = [nothing_but(*(self._aftermath.left(name, error) for name, error in names.unknown.items()))]
        done += self._trash.empty(self._wish.crew, self._options)
        # Others do what they can. What they did not do, and what only the whole shows, is found by one more look.
        how = self._in_root(total(done))
        done.append(self._wish.crew.help(self._root.fd, keep, kernel=self._kernel, options=how))
        done.append(self._look(keep, total(done)))
        return look_again(lambda before: self._look_at_all(keep, before), total(done))

    def _look(self, keep: Collection[str], done: Removal) -> Removal:
        return remove_contents(self._root.fd, keep=keep, kernel=self._kernel, options=self._in_root(done))

    def _look_at_all(self, keep: Collection[str], done: Removal) -> Removal:
        emptied = total(self._trash.empty(ALONE, going_on(done, self._options)))
        return total((emptied, self._look(keep, total((done, emptied)))))

    def _in_root(self, done: Removal) -> Options:
        """Options for a removal in the root: what something is mounted in is there, and nowhere else."""
        how = telling(going_on(done, self._options), self._trash.origin)
        return replace(how, held=self._trash.held) if how.depth else how

    def _holds_lock(self) -> bool:
        """Whether what has the name of the lock is what we hold, as far as it can be told."""
        if not self._locks:
            return False
        try:
            named = self._kernel.lstat(LOCK_NAME, dir_fd=self._root.fd)
            ours = self._kernel.fstat(self._locks[0].fd)
        except OSError:
            return True
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    def _renew_lock(self, removals: list[Removal]) -> Removal:
        """Have what is in the lock go: only now, for on a full disk there was no room for another one before."""
        if not self._long_lock or any(one.cancelled for one in removals):
            return nothing_but()
        from cache_core.renewal import renew  # noqa: PLC0415 - nobody's lock is so long

        try:
            status = self._kernel.fstat(self._locks[0].fd)
            self._locks.append(renew(self._root.fd, self._kernel))
        except OSError as error:
            return nothing_but(self._aftermath.left(LOCK_NAME, error))
        if self._options.removed is not None:
            self._options.removed(LOCK_NAME)
        freed = status.st_blocks * BLOCK_BYTES if self._options.measure and status.st_nlink == 1 else 0
        return Removal(1, 0, freed, 0, (), cancelled=False)

    def _remove_trash(self, removals: list[Removal]) -> Removal:
        """Remove the trash itself. When that is refused and nothing in it is to blame, it is named."""
        error = self._trash.end()
        name = self._trash.name
        if error is None or name is None or any(one.cancelled for one in removals):
            return nothing_but()
        if any(left.path == name or left.path.startswith(f"{name}/") for one in removals for left in one.left):
            return nothing_but()
        return nothing_but(self._aftermath.left(name, error))

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
