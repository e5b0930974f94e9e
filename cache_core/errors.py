"""What the cache library raises, each with whose fault it is and what to do.

Every error carries the value that was wrong (`value`), a word for scripts (`kind`) and the advice (`advice`) as
data; the text of the exception is one line made of them. Exit codes are the command line's business.

What happens to single entries while a cache is removed is no exception: it is reported (`removal.Left`).
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

    from cache_core.holders import Holder


class CacheError(Exception):
    """Base of all errors of this library.

    Attributes:
        value: What was wrong, as given: mostly a path.
        problem: What is the matter with it.
        advice: What to do now.
        kind: A word for scripts, the same for every error of one class.
    """

    kind = "cache-error"

    def __init__(self, value: str, problem: str, advice: str) -> None:
        super().__init__(value, problem, advice)
        self.value = value
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        return f"{shown(self.value)}: {self.problem}; {self.advice}"


class NotACacheError(CacheError):
    """The directory has no valid CACHEDIR.TAG. The caller's: a wrong path, or a cache that was never tagged."""

    kind = "not-a-cache"


class RefusedRootError(CacheError):
    """The directory is never cleaned: `/`, a home directory, one that holds the working directory and has no tag.

    Or it is never removed: one that is only named by `.` or `..`.
    """

    kind = "refused-root"


class NotADirectoryRootError(CacheError):
    """The path is a file, a symbolic link or another node. The caller's: a cache is a directory."""

    kind = "not-a-directory"


class LinkedRootError(NotADirectoryRootError):
    """The path is a symbolic link. The caller's: give the path that it leads to, or say that it is to be followed."""


class MountedRootError(CacheError):
    """The path is a mount point, which can be emptied but not removed. The caller's: leave out the removal."""

    kind = "mounted-root"


class SurroundingsError(CacheError):
    """It cannot be told what must not be cleaned, so nothing is. The system's: too many open files, no memory.

    Attributes:
        errno: The number that the system gave.
    """

    kind = "surroundings"

    def __init__(self, value: str, error: OSError) -> None:
        super().__init__(value, f"cannot be told from the cache: {error.strerror}", _advice(error))
        self.errno = error.errno or errno.EIO


class UnreadableRootError(CacheError):
    """The cache cannot be opened or read and we may not change that: somebody else's, or the system refuses.

    Attributes:
        errno: The number that the system gave.
    """

    kind = "unreadable-root"

    def __init__(self, value: str, error: OSError, problem: str | None = None, advice: str | None = None) -> None:
        super().__init__(value, problem or f"cannot be read: {error.strerror}", advice or _advice(error))
        self.errno = error.errno or errno.EIO


class LockError(CacheError):
    """Base of what goes wrong with a lock."""

    kind = "lock"


class CacheInUseError(LockError):
    """Others held the lock for as long as we were ready to wait. Nobody's fault: wait longer, or force.

    For a process that started ours nobody waits without a limit: it may be waiting for us.

    Attributes:
        holders: Who they were at the end, by pid; empty when the system does not tell.
    """

    kind = "in-use"

    def __init__(self, value: str, problem: str, advice: str, holders: tuple[Holder, ...] = ()) -> None:
        super().__init__(value, problem, advice)
        self.holders = holders


class LockUnavailableError(LockError):
    """The lock file cannot be opened, made or locked (a full disk, somebody else's file). It says nothing about use.

    Attributes:
        errno: The number that the system gave.
    """

    kind = "lock-unavailable"

    def __init__(self, value: str, error: OSError) -> None:
        super().__init__(value, f"cannot be taken: {error.strerror}", "check who owns it and whether the disk is full")
        self.errno = error.errno or errno.EIO


class NotALockError(LockError):
    """A symbolic link, directory or other node stands where the lock file belongs: no process can hold it."""

    kind = "not-a-lock"


class LockCancelledError(LockError):
    """The caller cancelled while the lock was waited for."""

    kind = "lock-cancelled"


class PrivilegeError(CacheError):
    """This process cannot be put under the permission bits. The machine's, or the caller's for calling too late."""

    kind = "privileges"


def _advice(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "run as its owner, or as root"
    return "that is not about permissions: mend it, then try again"


# Numbers with two names, of which `errno.errorcode` gives the rarer one.
_COMMON_NAMES = {errno.EAGAIN: "EAGAIN", errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EDEADLK: "EDEADLK"}


if TYPE_CHECKING:

    @overload
    def errno_name(error: None) -> None: ...
    @overload
    def errno_name(error: OSError | int) -> str: ...


def errno_name(error: OSError | int | None) -> str | None:
    """The name of an error number, such as `ENOTEMPTY`; `E<number>` when the platform has none; None for no error."""
    if error is None:
        return None
    number = error if isinstance(error, int) else error.errno or 0
    return _COMMON_NAMES.get(number) or errno.errorcode.get(number, f"E{number}")


def shown(path: str) -> str:
    r"""A path for people: bytes that are not UTF-8 and control characters as `\x..` escapes, on one line."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def path_fields(path: str, key: str = "path") -> dict[str, str]:
    """A path for a JSON document: `path`, and `path_hex` beside it (the exact bytes) when it is not UTF-8.

    Args:
        path: Undecodable bytes as surrogates.
        key: What to call it instead of `path`.
    """
    try:
        # Most paths by far are as they should be, and a trace has many.
        path.encode()
    except UnicodeEncodeError:
        raw = os.fsencode(path)
        return {key: raw.decode("utf-8", "backslashreplace"), f"{key}_hex": raw.hex()}
    return {key: path}
