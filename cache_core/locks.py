"""Locks between processes that share a cache: one file each, flock(2), never deleted.

The cache lock is `<root>/.lock`, the file and the kind of lock that uv uses, so uv and we wait for each other:
builds hold it shared, a cleaner exclusively. An entry lock is exclusive, on a file that the protocol names.

Guarantees: a lock that is returned is held on the file that has the name *now*: after locking, what the descriptor
has and what the name has are compared, and a lock on a file that was deleted or replaced meanwhile is given up and
tried again. The kernel takes a lock away with its holder, killed or not. A lock file is never followed when it is
a symbolic link, never deleted, and its mode is never changed.
"Cannot be opened", "is no lock" and "is held by others" are three different errors.

Not guaranteed: anything against a process that deletes the file later, while we hold it; exclusion between the
clients and the server of a network file system. No conversion of shared to exclusive is offered: flock(2) gives the
first lock up before it has the second.
Cost: five calls. Waiting for ever blocks in the kernel; waiting with a limit asks again up to ten times a second.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cache_core.errors import CacheInUseError, LockCancelledError, LockUnavailableError, NotALockError
from cache_core.kernel import REAL, let_go
from cache_core.layout import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cache_core.kernel import Kernel

# Each turn means that somebody replaced the file between two calls of ours. Nobody does that for long.
_REPLACED_MAX = 100
# Waiting asks often at first, because most holders are quick, and ten times a second later.
_POLL_SECONDS_MIN = 0.005
_POLL_SECONDS_MAX = 0.1

# O_NONBLOCK: a fifo or a device by that name must not make the open wait.
_LOCK_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Wait:
    """How to wait for a lock that others hold.

    Attributes:
        timeout_seconds: Give up after so long; None waits for ever, 0 does not wait.
        cancelled: Asked while waiting; True gives up.
        on_wait: Called once, when it turns out that others hold the lock.
        clock: Monotonic seconds.
        sleep: Lets so many seconds pass.
    """

    timeout_seconds: float | None = None
    cancelled: Callable[[], bool] | None = None
    on_wait: Callable[[], None] | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def blocks(self) -> bool:
        """Whether nothing can end the wait but the lock: one blocking call then does."""
        return self.timeout_seconds is None and self.cancelled is None and self.on_wait is None


FOR_EVER = Wait()


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
    for _ in range(_REPLACED_MAX):
        fd = _open(path, dir_fd, kernel)
        held = False
        try:
            _acquire(fd, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, kernel, wait)
            held = _has_name(fd, path, dir_fd, kernel)
        finally:
            if not held:
                let_go(kernel, fd)
        if held:
            return Lock(kernel, fd, path, shared=shared)
    raise CacheInUseError(path, f"was replaced {_REPLACED_MAX} times while we locked it", "find out who deletes it")


def _open(path: str, dir_fd: int | None, kernel: Kernel) -> int:
    try:
        try:
            fd = kernel.open(path, os.O_RDWR | os.O_CREAT | _LOCK_FLAGS, 0o666, dir_fd=dir_fd)
        except PermissionError:
            # A lock that we may only read can be held all the same (but on NFS, where flock needs it writable).
            fd = kernel.open(path, os.O_RDONLY | _LOCK_FLAGS, dir_fd=dir_fd)
    except OSError as error:
        # EISDIR: a directory; ELOOP: a symbolic link; ENXIO: a socket.
        if error.errno in (errno.EISDIR, errno.ELOOP, errno.ENXIO):
            raise _no_lock(path) from error
        raise LockUnavailableError(path, error) from error
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


def _acquire(fd: int, path: str, operation: int, kernel: Kernel, wait: Wait) -> None:
    if wait.blocks:
        _flock(fd, path, operation, kernel)
    else:
        _poll(fd, path, operation | fcntl.LOCK_NB, kernel, wait)


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


def _poll(fd: int, path: str, operation: int, kernel: Kernel, wait: Wait) -> None:
    deadline = None if wait.timeout_seconds is None else wait.clock() + wait.timeout_seconds
    pause = _POLL_SECONDS_MIN
    told = False
    while not _flock(fd, path, operation, kernel):
        if not told and wait.on_wait is not None:
            wait.on_wait()
        told = True
        if wait.cancelled is not None and wait.cancelled():
            raise LockCancelledError(path, "is held by others", "the wait was cancelled; start again")
        if deadline is not None:
            left = deadline - wait.clock()
            if left <= 0:
                raise CacheInUseError(
                    path, f"is held by others, for {wait.timeout_seconds} s now", "wait longer, or ignore it by force"
                )
            pause = min(pause, left)
        wait.sleep(pause)
        pause = min(pause * 2, _POLL_SECONDS_MAX)
