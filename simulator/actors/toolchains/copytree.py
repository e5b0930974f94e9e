"""shutil.copyfile, copystat, copy and copytree of CPython 3.11, through a kernel.

Guarantee: the looks before a copy (is it the same file? a pipe?), the copy, times and mode, and the collecting of
errors: a tree is copied as far as it goes, and then one `shutil.Error` tells of everything that failed.
Not guaranteed: sendfile(2). The real copy of a small file is one call from descriptor to descriptor; here it is a
read and a write, so another actor can come between the two. Extended attributes are not looked at.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from simulator.actors.toolchains.stdlib import (
    NEW_FILE_MODE,
    READ_FLAGS,
    WRITE_FLAGS,
    isdir,
    makedirs,
    write_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from cache_core.kernel import Kernel

    _Look = Callable[[str], os.stat_result]

# shutil hands sendfile(2) the size of the file, but at least this much.
_BLOCK_SIZE = 1 << 23


def copyfile(kernel: Kernel, source: str, target: str) -> None:
    """shutil.copyfile between two paths.

    Raises:
        shutil.SameFileError, shutil.SpecialFileError: as the real one.
        OSError: a call failed; the target may be there, empty.
    """
    _refuse_same_file(kernel, source, target, kernel.stat)
    for path in (source, target):
        _refuse_pipe(kernel, path)
    _copy_contents(kernel, source, target)


def _refuse_same_file(kernel: Kernel, source: str, target: str, look: _Look) -> os.stat_result | None:
    """Returns the status of `source` when it could be had."""
    status: os.stat_result | None = None
    try:
        status = look(source)
        same = os.path.samestat(status, kernel.stat(target))
    except OSError:
        # Usually the target, which is not there yet.
        return status
    if same:
        raise shutil.SameFileError(f"{source!r} and {target!r} are the same file")
    return status


def _refuse_pipe(kernel: Kernel, path: str) -> None:
    try:
        mode = kernel.stat(path).st_mode
    except OSError:
        return
    if stat.S_ISFIFO(mode):
        raise shutil.SpecialFileError(f"`{path}` is a named pipe")


def _copy_contents(kernel: Kernel, source: str, target: str) -> None:
    reading = kernel.open(source, READ_FLAGS)
    try:
        writing = kernel.open(target, WRITE_FLAGS, NEW_FILE_MODE)
        try:
            while block := kernel.read(reading, _BLOCK_SIZE):
                write_all(kernel, writing, block)
        finally:
            kernel.close(writing)
    finally:
        kernel.close(reading)


def copystat(kernel: Kernel, source: str, target: str) -> None:
    """shutil.copystat: times, then mode."""
    _apply_status(kernel, kernel.stat(source), target)


def _apply_status(kernel: Kernel, status: os.stat_result, target: str) -> None:
    kernel.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    kernel.chmod(target, stat.S_IMODE(status.st_mode))


def copy(kernel: Kernel, source: str, target: str) -> None:
    """shutil.copy to a path that is not a directory: contents and mode, no times."""
    if isdir(kernel, target):
        target = f"{target}/{os.path.basename(source)}"
    copyfile(kernel, source, target)
    kernel.chmod(target, stat.S_IMODE(kernel.stat(source).st_mode))


def copytree(kernel: Kernel, source: str, target: str, ignored: AbstractSet[str] = frozenset()) -> None:
    """shutil.copytree with copy2; names in `ignored` are left out, at any depth.

    Raises:
        OSError: `source` cannot be listed or `target` cannot be made, FileExistsError included.
        shutil.Error: something inside failed; `args[0]` lists (source, target, message).
    """
    with kernel.scandir(source) as entries:
        names = [(entry.name, entry.is_dir()) for entry in entries]
    makedirs(kernel, target)
    errors: list[tuple[str, str, str]] = []
    for name, is_directory in names:
        if name in ignored:
            continue
        inside, copied = f"{source}/{name}", f"{target}/{name}"
        try:
            if is_directory:
                copytree(kernel, inside, copied, ignored)
            else:
                _copy_entry(kernel, inside, copied)
        except shutil.Error as error:
            # SameFileError and SpecialFileError carry a sentence, the error of a tree carries a list.
            errors.extend(error.args[0] if isinstance(error.args[0], list) else [(inside, copied, str(error))])
        except OSError as error:
            errors.append((inside, copied, str(error)))
    try:
        copystat(kernel, source, target)
    except OSError as error:
        errors.append((source, target, str(error)))
    if errors:
        raise shutil.Error(errors)


def _copy_entry(kernel: Kernel, source: str, target: str) -> None:
    """copy2 from a directory entry, which remembers the status that it gave once."""
    if isdir(kernel, target):
        target = f"{target}/{os.path.basename(source)}"
    status = _refuse_same_file(kernel, source, target, kernel.lstat)
    if status is None:
        _refuse_pipe(kernel, source)
    _refuse_pipe(kernel, target)
    _copy_contents(kernel, source, target)
    _apply_status(kernel, kernel.lstat(source) if status is None else status, target)
