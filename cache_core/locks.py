"""Locks between processes that share a cache: one file each, flock(2), never deleted.

The cache lock is `<root>/.lock`, the file and the kind of lock that uv uses, so uv and we wait for each other:
builds hold it shared, a cleaner exclusively. An entry lock is exclusive, on a file that the protocol names.

Guarantees: a lock that is returned is held on the file that has the name *now*: after locking, what the descriptor
has and what the name has are compared, and a lock on a file that was deleted or replaced meanwhile is given up and
tried again. Whoever waits looks as often as it asks, so it never waits for a file that has lost its name. The kernel
takes a lock away with its holder, killed or not. A lock file is never followed when it is a symbolic link, never
deleted, and its mode is never changed; one that we make in somebody else's directory is theirs (`owners`).
"Cannot be opened", "is no lock" and "is held by others" are three different errors; the last one says by whom.

Not guaranteed: anything against a process that deletes the file later, while we hold it; exclusion between the
clients and the server of a network file system. No conversion of shared to exclusive is offered: flock(2) gives the
first lock up before it has the second.
Cost: five calls. Waiting asks up to ten times a second, with two calls more each time; `Wait.in_kernel` waits in one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from cache_core.errors import CacheInUseError, LockCancelledError, LockUnavailableError, NotALockError
from cache_core.kernel import REAL, let_go
from cache_core.layout import LOCK_NAME
from cache_core.owners import acts_for_others, foreign_owner, give
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from cache_core.holders import Holder
    from cache_core.kernel import Kernel

# Each turn means that somebody replaced the file between two calls of ours, or while we waited for its holder. Nobody
# does that for long.
_REPLACED_MAX = 100
# Waiting asks often at first, because most holders are quick, and ten times a second later.
_POLL_SECONDS_MIN = 0.005
_POLL_SECONDS_MAX = 0.1

# O_NONBLOCK: a fifo or a device by that name must not make the open wait.
_LOCK_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIN = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Wait:
    """How to wait for a lock that others hold.

    Attributes:
        timeout_seconds: Give up after so long; None waits for ever, 0 does not wait.
        cancelled: Asked while waiting; True gives up.
        on_wait: Called once, when it turns out that others hold the lock, with who they are (`holders`).
        clock: Monotonic seconds.
        sleep: Lets so many seconds pass.
        in_kernel: Wait in one call that only the lock ends, and so beside none of the first three. A file that is
            deleted meanwhile is noticed when its holder is done. For whoever cannot let time pass, such as the actors
            of the simulator.

    Raises:
        ValueError: `in_kernel` beside one of the first three.
    """

    timeout_seconds: float | None = None
    cancelled: Callable[[], bool] | None = None
    on_wait: Callable[[tuple[Holder, ...]], None] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    in_kernel: bool = False

    def __post_init__(self) -> None:
        if self.in_kernel and (self.timeout_seconds, self.cancelled, self.on_wait) != (None, None, None):
            raise ValueError("a wait in the kernel ends with the lock: no timeout, no `cancelled`, no `on_wait`")


FOR_EVER = Wait()
IN_KERNEL = Wait(in_kernel=True)


class Lock:
    """A lock that is held; given up by `release`, at the end of a `with` block, or with the process."""

    __slots__ = ("_kernel", "fd", "path", "shared")

    def __init__(self, kernel: Kernel, fd: int, path: str, *, shared: bool) -> None:
        self._kernel = kernel
        self.fd = fd
        self.path = path
        self.shared = shared

    def release(self) -> None:
        """Give the lock up; the file stays. A second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            let_go(self._kernel, fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def lock_cache(root: str | int, *, shared: bool, kernel: Kernel = REAL, wait: Wait = FOR_EVER) -> Lock:
    """Take the cache lock: `shared` for those who build, exclusive for those who clean.

    Args:
        root: The cache, as a path or as a descriptor of the directory.
        shared: Whether others may hold it shared at the same time.
        kernel: Where the calls go.
        wait: How long to wait for others.

    Raises:
        CacheInUseError: Others held it for all the time we were to wait.
        LockUnavailableError: The file cannot be opened, made or locked.
        NotALockError: Something that is no regular file has the name.
        LockCancelledError: `wait.cancelled` said so.
    """
    if isinstance(root, int):
        return _lock(LOCK_NAME, root, shared=shared, kernel=kernel, wait=wait)
    return _lock(f"{root}/{LOCK_NAME}", None, shared=shared, kernel=kernel, wait=wait)


def lock_entry(path: str, *, dir_fd: int | None = None, kernel: Kernel = REAL, wait: Wait = FOR_EVER) -> Lock:
    """Take the exclusive lock on a file, created when it is missing; its directory must exist.

    Raises:
        As `lock_cache`.
    """
    return _lock(path, dir_fd, shared=False, kernel=kernel, wait=wait)


def _lock(path: str, dir_fd: int | None, *, shared: bool, kernel: Kernel, wait: Wait) -> Lock:
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    queue = None if wait.in_kernel else _Queue(path, dir_fd, kernel, wait)
    for _ in range(_REPLACED_MAX):
        fd = _open(path, dir_fd, kernel)
        if fd is None:
            continue
        held = False
        try:
            asked = _flock(fd, path, operation, kernel) if queue is None else queue.stand(fd, operation)
            held = asked and _has_name(fd, path, dir_fd, kernel)
        finally:
            if not held:
                let_go(kernel, fd)
        if held:
            return Lock(kernel, fd, path, shared=shared)
    raise CacheInUseError(path, f"was replaced {_REPLACED_MAX} times while we locked it", "find out who deletes it")


def _open(path: str, dir_fd: int | None, kernel: Kernel) -> int | None:
    """Open the file, made if need be; None when it was deleted between two looks."""
    try:
        fd = _open_or_make(path, dir_fd, kernel)
    except OSError as error:
        # EISDIR: a directory; ELOOP: a symbolic link; ENXIO: a socket.
        if error.errno in (errno.EISDIR, errno.ELOOP, errno.ENXIO):
            raise _no_lock(path) from error
        raise LockUnavailableError(path, error) from error
    if fd is None:
        return None
    regular = False
    try:
        regular = stat.S_ISREG(kernel.fstat(fd).st_mode)
    except OSError as error:
        raise LockUnavailableError(path, error) from error
    finally:
        if not regular:
            let_go(kernel, fd)
    if not regular:
        raise _no_lock(path)
    return fd


def _open_or_make(path: str, dir_fd: int | None, kernel: Kernel) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | _LOCK_FLAGS
    if acts_for_others():
        fd, foreign = _make_for_owner(path, dir_fd, kernel)
        if fd is not None:
            return fd
        flags &= ~(os.O_CREAT if foreign else 0)
    try:
        return kernel.open(path, flags, 0o666, dir_fd=dir_fd)
    except PermissionError as refusal:
        try:
            # A lock that we may only read can be held all the same (but on NFS, where flock needs it writable).
            return kernel.open(path, os.O_RDONLY | _LOCK_FLAGS, dir_fd=dir_fd)
        except FileNotFoundError:
            # There is none, and we may not make it.
            raise refusal from None
    except FileNotFoundError:
        if flags & os.O_CREAT:
            raise
        return None


def _make_for_owner(path: str, dir_fd: int | None, kernel: Kernel) -> tuple[int | None, bool]:
    """Make the file, if it is not there, in a directory that is somebody else's, for whom that is.

    Returns:
        The descriptor, None when it was not made; whether the directory is somebody else's.

    Raises:
        OSError: It cannot be made.
    """
    directory, _, name = path.rpartition("/")
    try:
        # Pinned, so that the file is made where the owner was read, whatever happens to the path.
        pin = kernel.open(directory or ("/" if path.startswith("/") else "."), _PIN, dir_fd=dir_fd)
    except OSError:
        # The lock cannot be opened either, and that is the error to tell.
        return None, False
    try:
        owner = foreign_owner(pin, kernel)
        if owner is None:
            return None, False
        fd = kernel.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _LOCK_FLAGS, 0o666, dir_fd=pin)
    except FileExistsError:
        return None, True
    finally:
        let_go(kernel, pin)
    give(fd, owner, kernel)
    return fd, True


def _no_lock(path: str) -> NotALockError:
    return NotALockError(path, "is no regular file, so nobody can hold it as a lock", "remove it")


def _has_name(fd: int, path: str, dir_fd: int | None, kernel: Kernel) -> bool:
    try:
        named = kernel.lstat(path, dir_fd=dir_fd)
        ours = kernel.fstat(fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LockUnavailableError(path, error) from error
    # Our descriptor keeps the inode alive, so its number cannot have been given to another file.
    return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)


def _flock(fd: int, path: str, operation: int, kernel: Kernel) -> bool:
    """One call; returns whether we have the lock. Around nothing else: what callbacks raise is no fault of the lock."""
    try:
        kernel.flock(fd, operation)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK and operation & fcntl.LOCK_NB:
            return False
        # ENOLCK, ENOTSUP, EBADF: the file system has no flock. That is not "in use".
        raise LockUnavailableError(path, error) from error
    return True


class _Queue:
    """One wait, for whatever file has the name in turn: the deadline stays, and `on_wait` is called once."""

    def __init__(self, path: str, dir_fd: int | None, kernel: Kernel, wait: Wait) -> None:
        self._path = path
        self._dir_fd = dir_fd
        self._kernel = kernel
        self._wait = wait
        self._deadline = None if wait.timeout_seconds is None else wait.clock() + wait.timeout_seconds
        self._pause = _POLL_SECONDS_MIN
        self._told = False

    def stand(self, fd: int, operation: int) -> bool:
        """Ask for the lock until it is ours, or (False) the file has lost its name, so that having it is no use."""
        while not _flock(fd, self._path, operation | fcntl.LOCK_NB, self._kernel):
            try:
                if not _has_name(fd, self._path, self._dir_fd, self._kernel):
                    return False
            except LockUnavailableError:
                # The name cannot be looked at now; that others hold the lock is known, so we wait on.
                pass
            self._let_time_pass(fd)
        return True

    def _let_time_pass(self, fd: int) -> None:
        wait = self._wait
        if not self._told and wait.on_wait is not None:
            wait.on_wait(self._holders(fd))
        self._told = True
        if wait.cancelled is not None and wait.cancelled():
            raise LockCancelledError(self._path, "is held by others", "the wait was cancelled; start again")
        if self._deadline is not None:
            left = self._deadline - wait.clock()
            if left <= 0:
                raise self._in_use(fd)
            self._pause = min(self._pause, left)
        wait.sleep(self._pause)
        self._pause = min(self._pause * 2, _POLL_SECONDS_MAX)

    def _holders(self, fd: int) -> tuple[Holder, ...]:
        # Not at the top: most locks are free, and this is nothing to start with.
        from cache_core.holders import holders_of  # noqa: PLC0415

        return holders_of(fd, self._kernel)

    def _in_use(self, fd: int) -> CacheInUseError:
        from cache_core.holders import in_words  # noqa: PLC0415

        holders, seconds = self._holders(fd), self._wait.timeout_seconds
        waited = f", for {seconds:g} s now" if seconds else ""
        return CacheInUseError(
            self._path, f"is held by {in_words(holders)}{waited}", "wait longer, or ignore it by force", holders
        )
