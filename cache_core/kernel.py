"""The kernel: the only way in which this project touches the file system.

Production code takes a `Kernel` argument whose default, `REAL`, makes the real calls. The simulator passes
one that waits at a gate before each call, so what is explored is the code that ships. Names and arguments are
those of `os`; four calls have no counterpart there: `flock`, `openat2`, `chmod_descriptor` and `mount_id`.

Guarantee: each method is one system call (a listing, of which the kernel makes several, counts as one; so does
`mount_id`, which reads a line of /proc). Not guaranteed: any particular order of a listing.
Cost of the indirection: one attribute look-up, below what can be measured beside a system call.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Protocol, Self
else:
    # What only a type checker reads.
    Protocol = object

# openat2(2): how a path may be resolved. Values from linux/openat2.h.
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

# openat2 and fchmodat2 came after system call numbers were unified (5.1): the same number on every architecture
# but alpha.
_SYS_OPENAT2 = 437
_SYS_FCHMODAT2 = 452
_AT_EMPTY_PATH = 0x1000


class DirEntry(Protocol):
    """What a listing yields; as `os.DirEntry`."""

    @property
    def name(self) -> str:
        """The entry's name, undecodable bytes as surrogates."""

    @property
    def path(self) -> str:
        """The name, with the directory's path before it when the listing was by path."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a directory; costs a call only where the listing did not say."""

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a regular file; as `is_dir`."""

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """The entry's status: one call."""

    def inode(self) -> int:
        """The inode number, from the listing."""


class Listing(Protocol):
    """An open listing; as the iterator of `os.scandir`."""

    def __iter__(self) -> Iterator[DirEntry]: ...

    def __next__(self) -> DirEntry: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def close(self) -> None:
        """Give the listing's descriptor back."""


class Kernel(Protocol):
    """System calls, named as in `os`. Every method raises OSError as the system call does."""

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """open(2); returns a descriptor, close-on-exec."""

    def openat2(self, path: str, flags: int, resolve: int, *, dir_fd: int) -> int:
        """openat2(2), for paths that must not lead away: EXDEV, ELOOP; ENOSYS before Linux 5.6."""

    def read(self, fd: int, length: int, /) -> bytes:
        """read(2): at most `length` bytes, empty at the end."""

    def write(self, fd: int, data: bytes, /) -> int:
        """write(2); returns how many bytes were taken, which may be fewer than given."""

    def close(self, fd: int) -> None:
        """close(2); gives up the descriptor's flock as well."""

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        """mkdir(2)."""

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> None:
        """rmdir(2)."""

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        """unlink(2)."""

    def rename(self, src: str, dst: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        """rename(2)."""

    def link(
        self,
        src: str,
        dst: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """link(2)."""

    def symlink(self, src: str, dst: str, target_is_directory: bool = False, *, dir_fd: int | None = None) -> None:
        """symlink(2)."""

    def readlink(self, path: str, *, dir_fd: int | None = None) -> str:
        """readlink(2)."""

    def stat(self, path: str, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        """stat(2), or lstat(2)."""

    def lstat(self, path: str, *, dir_fd: int | None = None) -> os.stat_result:
        """lstat(2)."""

    def fstat(self, fd: int) -> os.stat_result:
        """fstat(2)."""

    def scandir(self, path: str | int) -> Listing:
        """List a directory, by path or by descriptor, with the type of each entry."""

    def listdir(self, path: str | int) -> list[str]:
        """List the names in a directory."""

    def chmod(self, path: str, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        """chmod(2)."""

    def fchmod(self, fd: int, mode: int) -> None:
        """fchmod(2); EBADF on an O_PATH descriptor."""

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        """fchown(2); EPERM without the capability to give files away."""

    def chmod_descriptor(self, fd: int, mode: int) -> None:
        """Change the mode of what an O_PATH descriptor has pinned (fchmodat2(2), or /proc/self/fd before 6.6)."""

    def utime(
        self,
        path: str,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """utimensat(2)."""

    def flock(self, fd: int, operation: int) -> None:
        """flock(2), with the LOCK_* constants of `fcntl`; BlockingIOError with LOCK_NB when held."""

    def mount_id(self, fd: int) -> int:
        """The mount that a descriptor is on, from /proc/self/fdinfo; OSError(ENOENT) without /proc."""


class _OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW_BYTES = ctypes.sizeof(_OpenHow)

_libc = ctypes.CDLL(None, use_errno=True)
_syscall: Callable[..., int] = _libc.syscall
_libc.syscall.restype = ctypes.c_long


def _call_again(*arguments: object) -> tuple[int, int]:
    """Make a system call, again for as long as a signal interrupts it; returns its result and errno.

    As Python does for its own (PEP 475), and with no bound of ours for the same reason: between two tries Python runs
    the signal's handler, and an exception from there ends it.
    """
    while True:
        result = _syscall(*arguments)
        if result >= 0:
            return result, 0
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return result, number


# As system calls want it, by flags and resolve: a handful in a process, and each is asked for again and again.
_hows: dict[tuple[int, int], object] = {}
# As `os.fsencode` has them, which takes four times as long.
_ENCODING, _ENCODING_ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def _openat2(path: str, flags: int, resolve: int, *, dir_fd: int) -> int:
    how = _hows.get((flags, resolve))
    if how is None:
        # What `byref` makes keeps what it is made of.
        how = _hows[flags, resolve] = ctypes.byref(_OpenHow(flags | os.O_CLOEXEC, 0, resolve))
    name = path.encode(_ENCODING, _ENCODING_ERRORS)
    # The first try without the bookkeeping of others: there is one for each directory.
    fd = _syscall(_SYS_OPENAT2, dir_fd, name, how, _HOW_BYTES)
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number == errno.EINTR:
        fd, number = _call_again(_SYS_OPENAT2, dir_fd, name, how, _HOW_BYTES)
        if fd >= 0:
            return fd
    raise OSError(number, os.strerror(number), path)


def _chmod_descriptor(fd: int, mode: int) -> None:
    result, number = _call_again(_SYS_FCHMODAT2, fd, b"", mode, _AT_EMPTY_PATH)
    if result == 0:
        return
    # Before Linux 6.6 the call is unknown; container filters answer EPERM for calls they do not know, so only a
    # kernel that has it can be believed about EPERM, and /proc gives the same answer there.
    if number in (errno.ENOSYS, errno.EPERM):
        os.chmod(f"/proc/self/fd/{fd}", mode)
        return
    raise OSError(number, os.strerror(number))


def _mount_id(fd: int) -> int:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("mnt_id:"):
                return int(line[7:])
    raise OSError(errno.ENOENT, "no mnt_id", f"/proc/self/fdinfo/{fd}")


class RealKernel:
    """The real calls, nothing added."""

    open = staticmethod(os.open)
    openat2 = staticmethod(_openat2)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    close = staticmethod(os.close)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    unlink = staticmethod(os.unlink)
    rename = staticmethod(os.rename)
    link = staticmethod(os.link)
    symlink = staticmethod(os.symlink)
    readlink = staticmethod(os.readlink)
    stat = staticmethod(os.stat)
    lstat = staticmethod(os.lstat)
    fstat = staticmethod(os.fstat)
    scandir = staticmethod(os.scandir)
    listdir = staticmethod(os.listdir)
    chmod = staticmethod(os.chmod)
    fchmod = staticmethod(os.fchmod)
    fchown = staticmethod(os.fchown)
    chmod_descriptor = staticmethod(_chmod_descriptor)
    utime = staticmethod(os.utime)
    flock = staticmethod(fcntl.flock)
    mount_id = staticmethod(_mount_id)


REAL: Kernel = RealKernel()  # type: ignore[assignment]  # os's overloads are wider than the protocol


def let_go(kernel: Kernel, fd: int) -> None:
    """Close a descriptor that nothing was written through.

    What close(2) may complain of is data that did not reach the disk. Linux has freed the descriptor by then, whatever
    it says: there is nothing to report and nothing to try again.

    Raises:
        OSError: EBADF, which is a bug of the caller's.
    """
    try:
        kernel.close(fd)
    except OSError as error:
        if error.errno == errno.EBADF:
            raise
