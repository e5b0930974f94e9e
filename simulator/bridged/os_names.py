"""Names of `os` for an actor: the same arguments, results and errors, by way of its kernel.

Each function takes the actor's bridge and the real function first. What concerns nothing in the run's directory goes
to the real function. What has a path in `str`, `bytes` or as an `os.PathLike` is given to the kernel as `str`, absolute
where it is not relative to a descriptor; so the `filename` of an OSError is.

Not here, as they are local to a descriptor and nobody else can see them: isatty, get_blocking and their like. To seek
is no step either, but where the end is (or the next hole) is a look at the file, and recorded as that of fstat.
O_TMPFILE is refused as a file system without it would (EOPNOTSUPP); `tempfile` then takes a name.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from simulator.bridged.refused import cannot_gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.bridged.bridge import Bridge

    Gated = Callable[..., Any]

# Where these lead, the content says.
LOOKS_FOR = frozenset({os.SEEK_END, os.SEEK_DATA, os.SEEK_HOLE})

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_umask = os.umask


def _check_umask(bridge: Bridge) -> None:
    """One process has one umask: an actor with another one cannot make anything."""
    if bridge.umask >= 0:
        real = _umask(bridge.umask)
        _umask(real)
        if real != bridge.umask:
            raise cannot_gate(bridge, f"os.umask({bridge.umask:#o})", "one process has one umask; use chmod")


# Files and descriptors.


def open_(bridge: Bridge, real: Gated, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """os.open."""
    given = bridge.inside(path, dir_fd)
    if given is None:
        if flags & _WRITES:
            bridge.changes_outside("open", path)
        return real(path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), given)
    if flags & os.O_CREAT:
        _check_umask(bridge)
    return bridge.kernel.open(given, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]


def read(bridge: Bridge, real: Gated, fd: int, length: int, /) -> bytes:
    """os.read."""
    return bridge.kernel.read(fd, length) if bridge.owns(fd) else real(fd, length)  # type: ignore[no-any-return]


def write(bridge: Bridge, real: Gated, fd: int, data: Any, /) -> int:
    """os.write."""
    return bridge.kernel.write(fd, bytes(data)) if bridge.owns(fd) else real(fd, data)  # type: ignore[no-any-return]


def close(bridge: Bridge, real: Gated, fd: int) -> None:
    """os.close."""
    (bridge.kernel.close if bridge.owns(fd) else real)(fd)


def by_descriptor(operation: str, *, changes: bool = False) -> Gated:
    """A call on a descriptor alone."""

    def call(bridge: Bridge, real: Gated, fd: Any, /, *arguments: Any) -> Any:
        number = fd if isinstance(fd, int) or not hasattr(fd, "fileno") else fd.fileno()
        if not bridge.owns(number):
            return real(fd, *arguments)
        return bridge.kernel.step(operation, number, real, (number, *arguments), changes=changes)

    return call


def lseek(bridge: Bridge, real: Gated, fd: int, position: int, whence: int, /) -> int:
    """os.lseek."""
    if whence in LOOKS_FOR and bridge.owns(fd):
        return bridge.kernel.step("fstat", fd, real, (fd, position, whence))  # type: ignore[no-any-return]
    return real(fd, position, whence)  # type: ignore[no-any-return]


def sendfile(bridge: Bridge, real: Gated, out_fd: int, in_fd: int, *rest: Any) -> int:
    """os.sendfile; both descriptors are the actor's, or it is no step."""
    if not (bridge.owns(out_fd) and bridge.owns(in_fd)):
        if bridge.owns(out_fd) or bridge.owns(in_fd):
            # Callers (shutil) then copy by reading and writing, as they do where it cannot be had.
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(out_fd, in_fd, *rest)  # type: ignore[no-any-return]
    arguments = (out_fd, in_fd, *rest)
    return bridge.kernel.step("sendfile", in_fd, real, arguments, target=out_fd, changes=True)  # type: ignore[no-any-return]


def dup(bridge: Bridge, real: Gated, fd: int, /) -> int:
    """os.dup; a lock goes with each copy until the last one is closed."""
    if not bridge.owns(fd):
        return real(fd)  # type: ignore[no-any-return]
    actor = bridge.actor
    copy: int = bridge.kernel.step("dup", fd, real, (fd,), target=actor.name)
    actor.descriptors[copy] = actor.descriptors[fd]
    if fd in actor.locks:
        actor.locks[copy] = actor.locks[fd]
    return copy


# Names.


def mkdir(bridge: Bridge, real: Gated, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """os.mkdir."""
    given = bridge.inside(path, dir_fd)
    if given is None:
        bridge.changes_outside("mkdir", path)
        real(path, mode, dir_fd=dir_fd)
    else:
        _check_umask(bridge)
        bridge.kernel.mkdir(given, mode, dir_fd=dir_fd)


def removal(name: str) -> Gated:
    """os.unlink, os.remove, os.rmdir."""

    def call(bridge: Bridge, real: Gated, path: Any, *, dir_fd: int | None = None) -> None:
        given = bridge.inside(path, dir_fd)
        if given is None:
            bridge.changes_outside(name, path)
            real(path, dir_fd=dir_fd)
        else:
            getattr(bridge.kernel, name)(given, dir_fd=dir_fd)

    return call


def rename(
    bridge: Bridge, real: Gated, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
) -> None:
    """os.rename and os.replace; one step if either name is inside."""
    source, target = bridge.inside(src, src_dir_fd), bridge.inside(dst, dst_dir_fd)
    if source is None and target is None:
        bridge.changes_outside("rename", src)
        real(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
    else:
        source, target = source or bridge.beyond(src, src_dir_fd), target or bridge.beyond(dst, dst_dir_fd)
        bridge.kernel.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)


def link(
    bridge: Bridge,
    real: Gated,
    src: Any,
    dst: Any,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """os.link; one step if either name is inside."""
    source, target = bridge.inside(src, src_dir_fd), bridge.inside(dst, dst_dir_fd)
    keywords = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd, "follow_symlinks": follow_symlinks}
    if source is None and target is None:
        bridge.changes_outside("link", dst)
        real(src, dst, **keywords)
    else:
        source, target = source or bridge.beyond(src, src_dir_fd), target or bridge.beyond(dst, dst_dir_fd)
        bridge.kernel.link(source, target, **keywords)  # type: ignore[arg-type]


def symlink(
    bridge: Bridge, real: Gated, src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: int | None = None
) -> None:
    """os.symlink."""
    given = bridge.inside(dst, dir_fd)
    if given is None:
        bridge.changes_outside("symlink", dst)
        real(src, dst, target_is_directory, dir_fd=dir_fd)
    else:
        bridge.kernel.symlink(os.fsdecode(src), given, target_is_directory, dir_fd=dir_fd)


def readlink(bridge: Bridge, real: Gated, path: Any, *, dir_fd: int | None = None) -> Any:
    """os.readlink; bytes for bytes."""
    given = bridge.inside(path, dir_fd)
    if given is None:
        return real(path, dir_fd=dir_fd)
    led = bridge.kernel.readlink(given, dir_fd=dir_fd)
    return os.fsencode(led) if isinstance(os.fspath(path), bytes) else led


# Looks.


def stat(bridge: Bridge, real: Gated, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
    """os.stat."""
    if isinstance(path, int):
        return fstat(bridge, real, path)
    given = bridge.inside(path, dir_fd)
    if given is None:
        return real(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    return bridge.kernel.stat(given, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def lstat(bridge: Bridge, real: Gated, path: Any, *, dir_fd: int | None = None) -> Any:
    """os.lstat."""
    given = bridge.inside(path, dir_fd)
    return real(path, dir_fd=dir_fd) if given is None else bridge.kernel.lstat(given, dir_fd=dir_fd)


def fstat(bridge: Bridge, real: Gated, fd: int) -> Any:
    """os.fstat."""
    return bridge.kernel.fstat(fd) if bridge.owns(fd) else real(fd)


def access(
    bridge: Bridge,
    real: Gated,
    path: Any,
    mode: int,
    *,
    dir_fd: int | None = None,
    effective_ids: bool = False,
    follow_symlinks: bool = True,
) -> bool:
    """os.access."""
    given = bridge.inside(path, dir_fd)
    keywords = {"dir_fd": dir_fd, "effective_ids": effective_ids, "follow_symlinks": follow_symlinks}
    if given is None:
        return real(path, mode, **keywords)  # type: ignore[no-any-return]
    return bridge.kernel.step("access", given, real, (given, mode), keywords, dir_fd=dir_fd)  # type: ignore[no-any-return]


def scandir(bridge: Bridge, real: Gated, path: Any = ".") -> Any:
    """os.scandir; entries of a directory given in bytes are not made: `os.fsdecode` it."""
    if isinstance(path, int):
        return bridge.kernel.scandir(path) if bridge.owns(path) else real(path)
    given = bridge.inside("." if path is None else path)
    if given is None:
        return real(path)
    asked = os.fspath("." if path is None else path)
    if isinstance(asked, bytes):
        raise cannot_gate(bridge, "os.scandir of bytes", "give it a str (os.fsdecode)")
    listing = bridge.kernel.scandir(given)
    return listing if asked == given else listing.named_by(asked)


def listdir(bridge: Bridge, real: Gated, path: Any = ".") -> list[Any]:
    """os.listdir; bytes for bytes."""
    if isinstance(path, int):
        return bridge.kernel.listdir(path) if bridge.owns(path) else real(path)  # type: ignore[no-any-return]
    given = bridge.inside("." if path is None else path)
    if given is None:
        return real(path)  # type: ignore[no-any-return]
    names: list[str] = bridge.kernel.listdir(given)
    return list(map(os.fsencode, names)) if path is not None and isinstance(os.fspath(path), bytes) else names


# Modes, times, owners, contents: by path or by descriptor.


def chmod(
    bridge: Bridge, real: Gated, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
) -> None:
    """os.chmod."""
    if isinstance(path, int):
        fchmod(bridge, real, path, mode)
        return
    given = bridge.inside(path, dir_fd)
    if given is None:
        bridge.changes_outside("chmod", path)
        real(path, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    else:
        bridge.kernel.chmod(given, mode, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def fchmod(bridge: Bridge, real: Gated, fd: int, mode: int) -> None:
    """os.fchmod."""
    (bridge.kernel.fchmod if bridge.owns(fd) else real)(fd, mode)


def fchown(bridge: Bridge, real: Gated, fd: int, uid: int, gid: int) -> None:
    """os.fchown."""
    (bridge.kernel.fchown if bridge.owns(fd) else real)(fd, uid, gid)


def utime(
    bridge: Bridge,
    real: Gated,
    path: Any,
    times: tuple[float, float] | None = None,
    *,
    ns: tuple[int, int] | None = None,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """os.utime."""
    now: dict[str, Any] = {} if ns is None else {"ns": ns}
    if isinstance(path, int) and bridge.owns(path):
        bridge.kernel.step("utime", path, real, (path, times), now, changes=True)
        return
    given = bridge.inside(path, dir_fd)
    if given is None:
        bridge.changes_outside("utime", path)
        real(path, times, **now, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    else:
        bridge.kernel.utime(given, times, **now, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


def of_object(operation: str, *, changes: bool = False, writes: bool = False) -> Gated:
    """A call whose first argument is a path or a descriptor, and that has no method in the kernel.

    Args:
        operation: as it is recorded.
        changes: whether it modifies the content.
        writes: whether it changes anything.
    """

    def call(bridge: Bridge, real: Gated, path: Any, *arguments: Any, **keywords: Any) -> Any:
        dir_fd = keywords.get("dir_fd")
        given = path if isinstance(path, int) and bridge.owns(path) else bridge.inside(path, dir_fd)
        if given is None:
            if writes:
                bridge.changes_outside(operation, path)
            return real(path, *arguments, **keywords)
        if operation in {"mknod", "mkfifo"}:
            _check_umask(bridge)
        return bridge.kernel.step(operation, given, real, (given, *arguments), keywords, dir_fd=dir_fd, changes=changes)

    return call


def umask(bridge: Bridge, real: Gated, mask: int, /) -> int:
    """os.umask: what the actor set last is what it is told; see `_check_umask`."""
    before = bridge.umask
    if before < 0:
        before = real(0o077)
        real(before)
    bridge.umask = mask & 0o777
    return before


GATED: dict[str, Gated] = {
    "open": open_, "read": read, "write": write, "close": close, "dup": dup, "lseek": lseek,
    "sendfile": sendfile,
    "pread": by_descriptor("pread"), "readv": by_descriptor("read"), "preadv": by_descriptor("pread"),
    "pwrite": by_descriptor("pwrite", changes=True), "writev": by_descriptor("write", changes=True),
    "pwritev": by_descriptor("pwrite", changes=True), "ftruncate": by_descriptor("ftruncate", changes=True),
    "posix_fallocate": by_descriptor("ftruncate", changes=True),
    "fsync": by_descriptor("fsync"), "fdatasync": by_descriptor("fsync"),
    "mkdir": mkdir, "unlink": removal("unlink"), "remove": removal("unlink"), "rmdir": removal("rmdir"),
    "rename": rename, "replace": rename, "link": link, "symlink": symlink, "readlink": readlink,
    "stat": stat, "lstat": lstat, "fstat": fstat, "access": access, "scandir": scandir, "listdir": listdir,
    "chmod": chmod, "fchmod": fchmod, "fchown": fchown, "utime": utime, "umask": umask,
    "chown": of_object("chown", writes=True), "lchown": of_object("chown", writes=True),
    "truncate": of_object("truncate", changes=True, writes=True),
    "mknod": of_object("mknod", writes=True), "mkfifo": of_object("mkfifo", writes=True),
    "listxattr": of_object("listxattr"), "getxattr": of_object("getxattr"),
    "setxattr": of_object("setxattr", writes=True), "removexattr": of_object("removexattr", writes=True),
}  # fmt: skip
