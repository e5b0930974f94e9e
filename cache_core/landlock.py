"""Landlock: ask the kernel to keep this process, and what it forks, from changing files elsewhere.

Guarantees: after `enforce` this thread and its future children remove, make, rename, link, truncate and open for
writing only beneath the directory that `prepare` was given, and in /dev/null; all else is refused with EACCES, or
EXDEV for a rename or link across the border. What counts is where a file is at the time of the call: a directory
that was opened inside and moved out since is outside. There is no way back.

Not guaranteed: what Landlock has no right for. Modes, owners, times and extended attributes (chmod, chown, utime,
setxattr) can be changed anywhere as before; so can what was open for writing before, and with ABI 2 the length of a
file (truncate(2)). What is mounted beneath the directory counts as beneath it. Reading is not restricted.
Side effects: no_new_privs (set-user-ID programs gain nothing); mount(2) is refused, and so is looking into processes
outside of the fence (/proc/PID/fd, ptrace(2)).
Cost: eight calls; then each removal asks on its way up to the directory, level by level.
Sources: landlock(7), landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2), linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat

from cache_core.kernel import REAL, let_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The first ABI that lets a fenced process rename from one directory to another (LANDLOCK_ACCESS_FS_REFER). With ABI 1
# that is always refused, inside as well.
ABI_MIN = 2
_ABI_TRUNCATE = 3

# New since the numbers were unified: the same on every architecture but alpha.
_SYS_CREATE_RULESET = 444
_SYS_ADD_RULE = 445
_SYS_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

# linux/landlock.h, LANDLOCK_ACCESS_FS_*: all that change a file system. Executing and reading (bits 0, 2, 3) and the
# ioctls of devices (15) stay as they are.
_WRITE_FILE = 1 << 1
_REMOVE_DIR = 1 << 4
_REMOVE_FILE = 1 << 5
_MAKE = sum(1 << bit for bit in range(6, 13))  # devices, directories, files, sockets, fifos, symbolic links
_REFER = 1 << 13
_TRUNCATE = 1 << 14

# What Python and the C library may open for writing at any time. All else that the command writes to is open already.
_NULL = "/dev/null"
_NULL_DEVICE = os.makedev(1, 3)


class _RulesetAttributes(ctypes.Structure):
    """struct landlock_ruleset_attr as of ABI 1; what came later is about networks and signals."""

    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr. It is packed there; the padding here comes after all that is read."""

    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)
_syscall: Callable[..., int] = _libc.syscall
_libc.syscall.restype = ctypes.c_long
_prctl: Callable[..., int] = _libc.prctl


def landlock_abi() -> int:
    """The version of the kernel's Landlock; 0 when there is none, or it is switched off or filtered."""
    return max(0, _syscall(_SYS_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION))


def prepare(root_fd: int) -> int:
    """Make rules by which files change only beneath `root_fd`, to be given to `enforce`.

    Returns:
        A descriptor; the caller closes it.

    Raises:
        OSError: ENOSYS, EOPNOTSUPP (switched off), EPERM (filtered), or another reason why there are none.
    """
    file_rights = _WRITE_FILE | (_TRUNCATE if landlock_abi() >= _ABI_TRUNCATE else 0)
    rights = file_rights | _REMOVE_DIR | _REMOVE_FILE | _MAKE | _REFER
    attributes = _RulesetAttributes(rights)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _require(_syscall(_SYS_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    finished = False
    try:
        _allow(ruleset, root_fd, rights)
        _allow_null(ruleset, file_rights)
        finished = True
    finally:
        if not finished:
            let_go(REAL, ruleset)
    return ruleset


def enforce(ruleset: int) -> None:
    """Put this thread and its future children under the rules, for good.

    Raises:
        OSError: It is under none. E2BIG: there are 16 fences around it already.
    """
    # Who may gain privileges by executing something may not restrict what that will run under.
    _require(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _require(_syscall(_SYS_RESTRICT_SELF, ruleset, 0))


def _allow_null(ruleset: int, rights: int) -> None:
    try:
        null = REAL.open(_NULL, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        # An empty /dev: nobody can need what is not there.
        return
    try:
        status = REAL.fstat(null)
        # Whatever else has that name is somebody's file.
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL_DEVICE:
            _allow(ruleset, null, rights)
    finally:
        let_go(REAL, null)


def _allow(ruleset: int, fd: int, rights: int) -> None:
    rule = _PathBeneath(rights, fd)
    _require(_syscall(_SYS_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))


def _require(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
