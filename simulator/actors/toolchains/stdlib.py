"""The parts of CPython 3.11's `os`, `os.path` and `open` that a build back end leans on, through a kernel.

Each function makes the calls of its namesake and answers as it does: `exists` and its kin say no to every error,
EACCES included, which is how a poisoned directory comes to look like a missing one.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cache_core.kernel import Kernel

READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC
WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
NEW_FILE_MODE = 0o666

# What `open()` buffers on tmpfs and on most disks: small files are written in one call, at the end.
BUFFER_SIZE = 8192


def exists(kernel: Kernel, path: str) -> bool:
    """os.path.exists: one stat."""
    try:
        kernel.stat(path)
    except OSError:
        return False
    return True


def isdir(kernel: Kernel, path: str) -> bool:
    """os.path.isdir: one stat."""
    return stat.S_ISDIR(_mode_or_zero(kernel, path))


def isfile(kernel: Kernel, path: str) -> bool:
    """os.path.isfile: one stat."""
    return stat.S_ISREG(_mode_or_zero(kernel, path))


def islink(kernel: Kernel, path: str) -> bool:
    """os.path.islink: one lstat."""
    try:
        return stat.S_ISLNK(kernel.lstat(path).st_mode)
    except OSError:
        return False


def _mode_or_zero(kernel: Kernel, path: str) -> int:
    try:
        return kernel.stat(path).st_mode
    except OSError:
        return 0


def makedirs(kernel: Kernel, path: str, *, exist_ok: bool = False) -> None:
    """os.makedirs: stat the parent, make what is missing, and (with `exist_ok`) forgive what is there.

    Raises:
        OSError: as mkdir; FileExistsError without `exist_ok`.
    """
    parent = os.path.dirname(path)
    if parent != path and not exists(kernel, parent):
        # Somebody was faster: that is what was wanted.
        with suppress(FileExistsError):
            makedirs(kernel, parent, exist_ok=exist_ok)
        if os.path.basename(path) == os.curdir:
            return
    try:
        kernel.mkdir(path)
    except OSError:
        # Not only EEXIST: the kernel may prefer to say EACCES or EROFS of a directory that is there.
        if not exist_ok or not isdir(kernel, path):
            raise


def path_mkdir(kernel: Kernel, path: str) -> None:
    """pathlib.Path.mkdir(parents=True, exist_ok=True): try, and make the parents only when that failed.

    Raises:
        OSError: as mkdir.
    """
    try:
        kernel.mkdir(path)
    except FileNotFoundError:
        path_mkdir(kernel, os.path.dirname(path))
        path_mkdir(kernel, path)
    except OSError:
        if not isdir(kernel, path):
            raise


def read_file(kernel: Kernel, path: str) -> bytes:
    """open(path, "rb").read(): open, fstat, read to the end, close."""
    fd = kernel.open(path, READ_FLAGS)
    try:
        return read_all(kernel, fd, kernel.fstat(fd).st_size)
    finally:
        kernel.close(fd)


def read_all(kernel: Kernel, fd: int, size: int) -> bytes:
    """What FileIO.readall does: one byte more than expected, then again until nothing comes."""
    parts: list[bytes] = []
    while part := kernel.read(fd, size + 1):
        parts.append(part)
    return b"".join(parts)


def write_file(kernel: Kernel, path: str, data: bytes) -> None:
    """open(path, "wb").write(data): create or truncate, write in blocks of the buffer, close."""
    fd = kernel.open(path, WRITE_FLAGS, NEW_FILE_MODE)
    try:
        for start in range(0, len(data), BUFFER_SIZE):
            write_all(kernel, fd, data[start : start + BUFFER_SIZE])
    finally:
        kernel.close(fd)


def write_all(kernel: Kernel, fd: int, data: bytes) -> None:
    """Write until everything is taken: write(2) may take less."""
    while data:
        data = data[kernel.write(fd, data) :]


def walk(kernel: Kernel, top: str, *, order: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """os.walk(top), top down: a directory that cannot be listed is skipped without a word.

    Args:
        kernel: makes the calls.
        top: where to begin.
        order: descend by name (the caller of the real one sorts the list that it is given).

    Yields:
        Path, names of directories, names of the rest.
    """
    directories: list[str] = []
    others: list[str] = []
    try:
        with kernel.scandir(top) as entries:
            for entry in entries:
                (directories if entry.is_dir() else others).append(entry.name)
    except OSError:
        # The documented default of os.walk, and the root of the silent failures.
        return
    if order:
        directories.sort()
    yield top, directories, others
    for name in directories:
        path = f"{top}/{name}"
        if not islink(kernel, path):
            yield from walk(kernel, path, order=order)
