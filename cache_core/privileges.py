"""Would permission bits stop this process, and how to make them.

Root ignores permission bits, so as root the race this project is about does not exist. A process that wants the
bits to bite drops three capabilities *before its first thread* (capabilities belong to threads: a thread that is
already there would keep them), empties the bounding set (or a program it starts, run by uid 0, regains them all on
exec), and proves the result on a directory of mode 0.

Guarantees: after `drop_override_capabilities` the calling process, and what it forks, holds none of the three;
after `empty_bounding_set` nothing it executes regains any. Never called by this library on a caller's behalf.
Not guaranteed: anything about other processes, or about a process that had threads (refused).
Sources: capabilities(7), capget(2), prctl(2).
"""

from __future__ import annotations

import ctypes
import errno
import os

from cache_core.errors import PrivilegeError
from cache_core.kernel import REAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel

# linux/capability.h: what lets a process pass over permission bits and ownership.
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_FOWNER = 3
OVERRIDE_CAPABILITIES = (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER)
_OVERRIDE_MASK = sum(1 << number for number in OVERRIDE_CAPABILITIES)

_CAPABILITY_VERSION_3 = 0x20080522
# Version 3 splits 64 capabilities into two words; the three are all in the first.
_WORDS = 2
_CAPABILITIES_MAX = 64

_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

# More left-over proofs than this in one directory are no accident.
_PROOF_NAMES_MAX = 16


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


def holds_override_capabilities() -> bool:
    """Whether this thread can pass over permission bits, now or by raising what it is permitted.

    Raises:
        PrivilegeError: The system does not tell.
    """
    word = _capabilities()[0]
    return bool((word.effective | word.permitted) & _OVERRIDE_MASK)


def passes_over_ownership() -> bool:
    """Whether this thread may, at this moment, do what else only the owner of a file may (CAP_FOWNER).

    Raises:
        PrivilegeError: The system does not tell.
    """
    return bool(_capabilities()[0].effective & 1 << CAP_FOWNER)


def drop_override_capabilities() -> None:
    """Give up CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER, for good.

    Raises:
        PrivilegeError: The process has more than one thread, or the system refuses.
    """
    threads = _thread_count()
    if threads != 1:
        raise PrivilegeError(
            "capabilities", f"this process has {threads} threads, which would keep theirs", "call it before any thread"
        )
    words = _capabilities()
    for field in ("effective", "permitted", "inheritable"):
        setattr(words[0], field, getattr(words[0], field) & ~_OVERRIDE_MASK)
    # Ambient capabilities are always permitted and inheritable ones too, so the kernel has none to keep after this;
    # cleared all the same, because what is executed next inherits them whatever its file says.
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = _Header(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(ctypes.byref(header), words) != 0:
        raise _refused("capabilities", "cannot be dropped")


def drop_all_capabilities() -> None:
    """Give up every capability, the inheritable and ambient ones as well, for good.

    For a process with one thread. What it executes as uid 0 regains those of the bounding set (`empty_bounding_set`).

    Raises:
        PrivilegeError: The system refuses.
    """
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = _Header(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(ctypes.byref(header), (_Word * _WORDS)()) != 0:
        raise _refused("capabilities", "cannot be dropped")


def empty_bounding_set() -> None:
    """Make sure that no program this process executes gains a capability, even run by uid 0.

    Raises:
        PrivilegeError: The system refuses (it takes CAP_SETPCAP), and the set is not empty already.
    """
    for number in range(_CAPABILITIES_MAX):
        present = _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)
        if present < 0:
            # EINVAL: past the last capability that this kernel knows.
            return
        if present and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            raise _refused("capability bounding set", "cannot be emptied")


def permission_bits_stop_us(directory: str, *, kernel: Kernel = REAL) -> bool:
    """Prove on a directory of mode 0, made in `directory` and removed again, that opening it fails.

    Args:
        directory: An existing directory in which we may create one.
        kernel: Where the calls go.

    Returns:
        True when the open fails with EACCES, so that permission bits mean what they say.

    Raises:
        PrivilegeError: The directory for the proof cannot be made or removed.
    """
    try:
        proof = _make_proof(directory, kernel.mkdir)
        try:
            kernel.close(kernel.open(proof, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
        except PermissionError as error:
            return error.errno == errno.EACCES
        else:
            return False
        finally:
            kernel.rmdir(proof)
    except OSError as error:
        raise PrivilegeError(
            directory, f"no proof of permission bits in it: {error.strerror}", "give a directory that can be written"
        ) from error


def _make_proof(directory: str, mkdir: Callable[..., None]) -> str:
    """A fresh directory of mode 0; the names of proofs that a killed process left are passed over."""
    for number in range(_PROOF_NAMES_MAX):
        path = f"{directory}/.permission-proof-{number}"
        try:
            mkdir(path, 0)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), directory)


def _capabilities() -> ctypes.Array[_Word]:
    header = _Header(_CAPABILITY_VERSION_3, 0)
    words = (_Word * _WORDS)()
    if _libc.capget(ctypes.byref(header), words) != 0:
        raise _refused("capabilities", "cannot be read")
    return words


def _thread_count() -> int:
    try:
        return len(REAL.listdir("/proc/self/task"))
    except OSError as error:
        raise PrivilegeError("/proc/self/task", f"cannot count our threads: {error.strerror}", "mount /proc") from error


def has_one_thread() -> bool:
    """Whether this process has one thread, so that a fork or a fence takes all of it; False where nobody can tell."""
    try:
        return _thread_count() == 1
    except PrivilegeError:
        return False


def _refused(value: str, problem: str) -> PrivilegeError:
    reason = os.strerror(ctypes.get_errno())
    return PrivilegeError(
        value, f"{problem}: {reason}", "run as an ordinary user, or with `setpriv --bounding-set -all --inh-caps -all`"
    )
