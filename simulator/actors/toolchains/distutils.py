"""mkpath, copy_file, copy_tree and remove_tree of the distutils inside setuptools 69.5.1, through a kernel.

Guarantee: their looks, their order and their sentences ("could not create ..."), the cache of directories that
one process believes it has made (a directory removed by somebody else is not made again), and `update`: a file
is copied only when the target is missing or older, by whole-second times on the target's side.
Not guaranteed: links, which a build of Python modules does not meet.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import (
    COULD_NOT_CREATE,
    COULD_NOT_DELETE,
    COULD_NOT_LIST,
    COULD_NOT_OPEN,
    COULD_NOT_READ,
    COULD_NOT_WRITE,
    NOT_A_DIRECTORY,
    NOT_A_FILE,
    SOURCE_VANISHED,
    ToolchainError,
)
from simulator.actors.toolchains.stdlib import (
    NEW_FILE_MODE,
    READ_FLAGS,
    WRITE_FLAGS,
    exists,
    isdir,
    isfile,
    islink,
    write_all,
)

if TYPE_CHECKING:
    from cache_core.kernel import Kernel

_COPY_BLOCK_SIZE = 16 * 1024


class Distutils:
    """The file utilities of one process.

    Args:
        kernel: makes the calls.
        root: the process's working directory. distutils is given paths relative to it and never looks above it,
            so neither do we.
    """

    def __init__(self, kernel: Kernel, root: str) -> None:
        self._kernel = kernel
        self._root = root
        self._made: set[str] = set()

    def mkpath(self, path: str) -> None:
        """Make a directory and its missing parents, unless this process made it before.

        Raises:
            ToolchainError: COULD_NOT_CREATE.
        """
        if isdir(self._kernel, path) or path in self._made:
            return
        head, missing = os.path.dirname(path), [path]
        while head != self._root and not isdir(self._kernel, head):
            missing.insert(0, head)
            head = os.path.dirname(head)
        for directory in missing:
            if directory in self._made:
                continue
            try:
                self._kernel.mkdir(directory)
            except OSError as error:
                if error.errno != errno.EEXIST or not isdir(self._kernel, directory):
                    raise ToolchainError(COULD_NOT_CREATE, directory, error.errno) from error
            self._made.add(directory)

    def copy_file(self, source: str, target: str, *, preserve_mode: bool) -> None:
        """Copy a file and its times, if the target is missing or older.

        Raises:
            ToolchainError: a sentence of distutils.
            OSError: stat, utime or chmod failed after the copy.
        """
        kernel = self._kernel
        if not isfile(kernel, source):
            raise ToolchainError(NOT_A_FILE, source)
        if isdir(kernel, target):
            target = f"{target}/{os.path.basename(source)}"
        if not self._newer(source, target):
            return
        self._copy_contents(source, target)
        status = kernel.stat(source)
        kernel.utime(target, (status[stat.ST_ATIME], status[stat.ST_MTIME]))
        if preserve_mode:
            kernel.chmod(target, stat.S_IMODE(status.st_mode))

    def _newer(self, source: str, target: str) -> bool:
        kernel = self._kernel
        if not exists(kernel, source):
            raise ToolchainError(SOURCE_VANISHED, source)
        return not exists(kernel, target) or kernel.stat(source).st_mtime > kernel.stat(target).st_mtime

    def _copy_contents(self, source: str, target: str) -> None:
        kernel = self._kernel
        try:
            reading = kernel.open(source, READ_FLAGS)
        except OSError as error:
            raise ToolchainError(COULD_NOT_OPEN, source, error.errno) from error
        try:
            if exists(kernel, target):
                try:
                    kernel.unlink(target)
                except OSError as error:
                    raise ToolchainError(COULD_NOT_DELETE, target, error.errno) from error
            try:
                writing = kernel.open(target, WRITE_FLAGS, NEW_FILE_MODE)
            except OSError as error:
                raise ToolchainError(COULD_NOT_CREATE, target, error.errno) from error
            try:
                self._copy_blocks(reading, writing, source, target)
            finally:
                kernel.close(writing)
        finally:
            kernel.close(reading)

    def _copy_blocks(self, reading: int, writing: int, source: str, target: str) -> None:
        while True:
            try:
                block = self._kernel.read(reading, _COPY_BLOCK_SIZE)
            except OSError as error:
                raise ToolchainError(COULD_NOT_READ, source, error.errno) from error
            if not block:
                return
            try:
                write_all(self._kernel, writing, block)
            except OSError as error:
                raise ToolchainError(COULD_NOT_WRITE, target, error.errno) from error

    def copy_tree(self, source: str, target: str) -> None:
        """Copy a tree, file by file, `update` semantics and modes included.

        Raises:
            ToolchainError: a sentence of distutils; the rest of the tree is not copied.
            OSError: as `copy_file`.
        """
        kernel = self._kernel
        if not isdir(kernel, source):
            raise ToolchainError(NOT_A_DIRECTORY, source)
        try:
            names = kernel.listdir(source)
        except OSError as error:
            raise ToolchainError(COULD_NOT_LIST, source, error.errno) from error
        self.mkpath(target)
        for name in names:
            inside, copied = f"{source}/{name}", f"{target}/{name}"
            if isdir(kernel, inside):
                self.copy_tree(inside, copied)
            else:
                self.copy_file(inside, copied, preserve_mode=True)

    def remove_tree(self, path: str) -> None:
        """List the whole tree, then remove it; what cannot be removed is passed over.

        Raises:
            OSError: a directory cannot be listed.
        """
        for entry, is_directory in self._listed(path):
            try:
                if is_directory:
                    self._kernel.rmdir(entry)
                else:
                    self._kernel.unlink(entry)
            except OSError:
                # distutils logs a warning and goes on.
                continue
            self._made.discard(entry)

    def _listed(self, path: str) -> list[tuple[str, bool]]:
        found: list[tuple[str, bool]] = []
        for name in self._kernel.listdir(path):
            inside = f"{path}/{name}"
            # The real one looks twice: a directory, and not through a link.
            if isdir(self._kernel, inside) and not islink(self._kernel, inside):
                found.extend(self._listed(inside))
            else:
                found.append((inside, False))
        found.append((path, True))
        return found
