"""Why an entry is left, in words a person understands.

Guarantees: changes nothing; names an owner or a sticky directory only after looking. Not guaranteed: completeness.
An error number says little, and the state may have changed since. Cost: two or three calls for each entry that is left.
"""

from __future__ import annotations

import errno
import os
import stat

from cache_core.errors import PrivilegeError, UnreadableRootError, errno_name
from cache_core.privileges import passes_over_ownership
from cache_core.repair import lacks_owner_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from cache_core.outcome import Left

_BY_NUMBER = {
    errno.EXDEV: "a mount point: what is mounted there is no part of the cache",
    errno.EBUSY: "mounted, or in use by the system",
    errno.EROFS: "the file system is read-only",
    errno.ENOTEMPTY: "still in use: something keeps creating entries in it",
    errno.EEXIST: "still in use: something keeps creating entries in it",
    errno.ECANCELED: "not reached: the cleaning was cancelled",
    errno.EIO: "the device reports an error",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the system has too many files open",
    errno.EOPNOTSUPP: "cannot be told from a mount point: /proc is not mounted",
    errno.EUCLEAN: "the file system is damaged",
    errno.ENOTDIR: "was replaced again and again while we removed it",
    errno.ELOOP: "was replaced again and again while we removed it",
}

_GONE = "permission denied"
_UNEXPLAINED = "permission denied although the mode allows it: an access list, a security policy, or changed meanwhile"


def is_explained(left: Left) -> bool:
    """Whether it was seen what keeps an entry."""
    return left.reason not in (_GONE, _UNEXPLAINED)


def explain(kernel: Kernel, uid: int, dir_fd: int, name: str, number: int) -> str:
    """Say why `name` in the directory `dir_fd` could not be removed.

    Args:
        kernel: Where the calls go.
        uid: Who we are.
        dir_fd: The directory it is in.
        name: The entry.
        number: The errno of the call that failed.
    """
    if number in (errno.EACCES, errno.EPERM):
        return _who_refuses(kernel, uid, dir_fd, name, number)
    return _BY_NUMBER.get(number) or f"{errno_name(number)}: {os.strerror(number)}"


def _who_refuses(kernel: Kernel, uid: int, dir_fd: int, name: str, number: int) -> str:
    try:
        directory = kernel.fstat(dir_fd)
        entry = kernel.lstat(name, dir_fd=dir_fd)
    except OSError:
        return _GONE
    sticky = directory.st_mode & stat.S_ISVTX and uid not in (directory.st_uid, entry.st_uid)
    if sticky and not _passes_over_ownership(uid):
        return f"owned by uid {entry.st_uid}, in a sticky directory of uid {directory.st_uid}"
    if number == errno.EPERM:
        return "immutable or append-only (see lsattr), or refused by a security policy"
    return _kept_out(entry, uid, "it") or _kept_out(directory, uid, "its directory") or _UNEXPLAINED


def explain_root(kernel: Kernel, error: UnreadableRootError, *, repair: bool) -> UnreadableRootError:
    """Say why the root of a cache cannot be read, to its owner as well, whose only obstacle is its mode.

    Args:
        kernel: Where the calls go.
        error: What was raised.
        repair: Whether its mode was to be changed, and that was refused.
    """
    if error.errno != errno.EACCES:
        return error
    try:
        status = kernel.lstat(error.value)
    except OSError:
        return error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or not lacks_owner_bits(status):
        return error
    problem = f"cannot be looked into without changing its mode, {stat.filemode(status.st_mode)}"
    refused = OSError(error.errno, os.strerror(error.errno))
    if repair:
        advice = "see whether it is immutable (lsattr) or the file system read-only"
        return UnreadableRootError(error.value, refused, f"{problem}, which was refused", advice)
    return UnreadableRootError(error.value, refused, problem, "clean it, or give its owner read and search")


def _passes_over_ownership(uid: int) -> bool:
    try:
        return passes_over_ownership()
    except PrivilegeError:
        return uid == 0


def _kept_out(status: os.stat_result, uid: int, what: str) -> str | None:
    """How a directory's owner or mode keeps us out; None when neither does."""
    if not stat.S_ISDIR(status.st_mode):
        return None
    if status.st_uid != uid:
        return f"{what} is a directory of uid {status.st_uid}"
    if lacks_owner_bits(status):
        return f"the mode of {what}, {stat.filemode(status.st_mode)}, keeps its owner out"
    return None
