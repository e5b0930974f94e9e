"""Clean a cache: lock it, remove what is in it, read it again, say what was done.

Guarantees: the promises of `removal`, and

- only a directory that says it is a cache is cleaned (CACHEDIR.TAG), unless the caller insists or there is nothing to
  lose; never `/` or a home directory, nor an untagged directory that contains the working directory;
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

import time

from cache_core.crew import ALONE
from cache_core.errors import CacheInUseError, NotACacheError, UnreadableRootError
from cache_core.fence import NoFence
from cache_core.job import Job, Wish
from cache_core.kernel import REAL
from cache_core.layout import TAG_NAME, is_tagged, needs_tag
from cache_core.locks import Wait
from cache_core.outcome import Options
from cache_core.reasons import explain_root
from cache_core.report import CleanReport
from cache_core.root import open_root
from cache_core.surroundings import Surroundings
from cache_core.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.crew import Crew
    from cache_core.fence import Fence
    from cache_core.holders import Holder
    from cache_core.kernel import Kernel
    from cache_core.outcome import Progress
    from cache_core.root import Root

# Each turn means that somebody replaced the whole cache while we waited for its lock. Nobody does that for long.
_ROOTS_MAX = 16


def clean_sync(
    path: str,
    *,
    kernel: Kernel = REAL,
    force: bool = False,
    untagged: bool = False,
    dry_run: bool = False,
    remove_root: bool = False,
    residue_only: bool = False,
    follow_root: bool = False,
    timeout: float | None = None,
    measure: bool = True,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_wait: Callable[[tuple[Holder, ...]], None] | None = None,
    removed: Callable[[str], None] | None = None,
    mended: Callable[[str], None] | None = None,
    surroundings: Surroundings | None = None,
    crew: Crew = ALONE,
    fence: Fence | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    wait_in_kernel: bool = False,
) -> CleanReport:
    """Empty a cache.

    Args:
        path: The cache's root directory; a path that nothing has is a success.
        kernel: Where the calls go.
        force: Do not take the cache lock; nothing else is forced.
        untagged: Clean a directory without a valid CACHEDIR.TAG as well.
        dry_run: Change nothing; report what would be removed, and as `left` what could not be read.
        remove_root: Remove the root too.
        residue_only: Remove what failed builds left (`audit`), keep the rest.
        follow_root: Clean what a symbolic link at the path leads to; without, a link is refused.
        timeout: Seconds to wait for the lock; None waits for ever, but not for a process that started this one.
        measure: Count `bytes_freed`; an lstat for each file.
        progress: Called every few hundred entries.
        cancelled: Asked as often, and while waiting; True stops.
        on_wait: Called when others hold the lock, with who they are: once, unless the root is replaced meanwhile.
        removed: Told the path of each entry that went, where it was before we moved anything.
        mended: Told the path of each directory that was given bits, likewise; `.` is the root.
        surroundings: What must not be cleaned; None looks it up.
        crew: Who helps to remove.
        fence: What keeps this process from changing anything but the cache, from the first removal on; None: nothing.
        clock: Monotonic seconds.
        sleep: Lets so many seconds pass.
        wait_in_kernel: As in `locks.Wait`.

    Raises:
        NotACacheError: No valid CACHEDIR.TAG, and something to lose.
        RefusedRootError: A directory that is never cleaned; with `remove_root`, a path that ends in `..`.
        SurroundingsError: What is never cleaned cannot be told.
        NotADirectoryRootError: The path is a file, a symbolic link or another node.
        UnreadableRootError: The root, or its tag, cannot be read, and is not ours to repair.
        MountedRootError: With `remove_root`, the root is a mount point.
        CacheInUseError: The lock was held by others for `timeout` seconds, or without one by a process that started
            this one; or the root was replaced again and again.
    """
    options = Options(measure, progress, cancelled, removed=removed, mended=mended)
    fence = fence or NoFence(kernel)
    stands_on = surroundings or Surroundings.of_process()
    wish = Wish(
        kernel, options, force, untagged, dry_run, remove_root, residue_only, follow_root, crew, fence, stands_on
    )
    wait = Wait(timeout, cancelled, on_wait, clock, sleep, in_kernel=wait_in_kernel)
    return _clean(path, wish, wait)


def _clean(path: str, wish: Wish, wait: Wait) -> CleanReport:
    """Clean what has the path, again when that was replaced before we could begin."""
    start = wait.clock()
    timeout = wait.timeout_seconds
    for turn in range(_ROOTS_MAX):
        if turn and timeout is not None:
            wait = replace(wait, timeout_seconds=max(0.0, timeout - (wait.clock() - start)))
        try:
            report = _clean_root(path, wish, wait)
        except UnreadableRootError as error:
            raise explain_root(wish.kernel, error, repair=not wish.dry_run) from error
        if report is not None:
            return replace(report, seconds=wait.clock() - start)
    raise CacheInUseError(path, f"was replaced {_ROOTS_MAX} times while we locked it", "find out who does that")


def _clean_root(path: str, wish: Wish, wait: Wait) -> CleanReport | None:
    """Clean what has the path now. None: something else has it by the time that we could begin."""
    root = open_root(path, wish.kernel, wish.surroundings, repair=not wish.dry_run, follow=wish.follow_root)
    if root is None:
        return CleanReport(
            path, True, 0, 0, 0, 0, (), 0, dry_run=wish.dry_run, residue_only=wish.residue_only, absent=True
        )
    finished = False
    try:
        _require_cache(root, wish)
        if wish.remove_root:
            root.require_removable()
        if wish.dry_run:
            return _would_do(root, wish)
        report = Job(root, wish).under_lock(wait)
        finished = report is not None and report.succeeded
    finally:
        root.close(restore=not finished)
    return report


def _require_cache(root: Root, wish: Wish) -> None:
    kernel, surroundings = wish.kernel, wish.surroundings
    try:
        if surroundings.refused_untagged:
            surroundings.require_tag(root.path, kernel.fstat(root.fd), lambda: is_tagged(root.fd, kernel=kernel))
        if wish.untagged or is_tagged(root.fd, kernel=kernel):
            return
        with kernel.scandir(root.fd) as listing:
            # At most three names decide: one that is neither the lock nor the ignore file is among any three.
            names = [entry.name for entry, _ in zip(listing, range(3), strict=False)]
        _look_for_tag(root, kernel)
    except OSError as error:
        raise UnreadableRootError(root.path, error) from error
    if needs_tag(root.fd, names, kernel=kernel):
        raise NotACacheError(
            root.path, f"no valid {TAG_NAME} in it, so it may be no cache", "check the path, or say that it is untagged"
        )


def _look_for_tag(root: Root, kernel: Kernel) -> None:
    """A root that can be listed and not searched may well be tagged: that raises OSError."""
    try:
        kernel.lstat(TAG_NAME, dir_fd=root.fd)
    except FileNotFoundError:
        # Where there is no tag, the names decide.
        return


def _would_do(root: Root, wish: Wish) -> CleanReport:
    from cache_core.auditing import audit_open  # noqa: PLC0415 - only who looks pays for it

    options = wish.options
    found = audit_open(root.fd, root.path, kernel=wish.kernel, cancelled=options.cancelled, told=options.removed)
    files, directories, freed = found.files, found.directories - found.directories_held, found.bytes_here_only
    if wish.residue_only:
        goes = [item for item in found.residue if not item.is_shut_shelf]
        files = sum(item.files for item in goes)
        directories = sum(item.directories for item in goes)
        freed = sum(item.bytes for item in goes)
    return CleanReport(
        root.path,
        found.empty,
        files,
        directories,
        freed,
        0,
        found.unreadable,
        0,
        dry_run=True,
        residue_only=wish.residue_only,
        cancelled=found.cancelled,
    )
