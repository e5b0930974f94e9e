"""mkpath, copy_file, copy_tree and remove_tree of the distutils inside setuptools, through a kernel.

Guarantee: their looks, their order and their sentences ("could not create ..."), the cache of directories that
one process believes it has made (a directory removed by somebody else is not made again), and `update`: a file
is copied only when the target is missing or older, by whole-second times on the target's side.
Two generations: mkpath of its own (to 75.0 and before), and mkpath on pathlib (found in 75.6, 84.2).
Not guaranteed: links, which a build of Python modules does not meet.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from pathlib import PurePosixPath
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
# What pathlib takes for "not there".
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP})


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

    @staticmethod
    def native(path: str) -> str:
        """How a path of the setup script, or an option of a command, is written from here on."""
        return path

    def mkpath(self, path: str) -> None:
        """Make a directory and its missing parents, unless this process made it before.

        Raises:
            ToolchainError: COULD_NOT_CREATE.
        """
        path = posixpath.normpath(path)
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

    def copy_file(self, source: str, target: str, *, preserve_mode: bool, force: bool = False) -> None:
        """Copy a file and its times, if the target is missing or older.

        Args:
            source: absolute path.
            target: absolute path of the copy, or of the directory that takes it.
            preserve_mode: the mode as well.
            force: whatever the times say.

        Raises:
            ToolchainError: a sentence of distutils.
            OSError: stat, utime or chmod failed after the copy.
        """
        kernel = self._kernel
        if not isfile(kernel, source):
            raise ToolchainError(NOT_A_FILE, source)
        if isdir(kernel, target):
            target = posixpath.join(target, os.path.basename(source))
        if not force and not self._newer(source, target):
            return
        self._copy_contents(source, target)
        status = kernel.stat(source)
        self._set_times(target, status)
        if preserve_mode:
            kernel.chmod(target, stat.S_IMODE(status.st_mode))

    def _set_times(self, target: str, status: os.stat_result) -> None:
        """Whole seconds: a copy of what has a fraction is older than it."""
        self._kernel.utime(target, (status[stat.ST_ATIME], status[stat.ST_MTIME]))

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

    def copy_tree(self, source: str, target: str) -> list[str]:
        """Copy a tree, file by file, `update` semantics and modes included.

        Returns:
            The files of the copy, whether they had to be copied or not.

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
        files: list[str] = []
        for name in names:
            inside, copied = f"{source}/{name}", f"{target}/{name}"
            if isdir(kernel, inside):
                files.extend(self.copy_tree(inside, copied))
            else:
                self.copy_file(inside, copied, preserve_mode=True)
                files.append(copied)
        return files

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
            self._forget(entry)

    def _forget(self, removed: str) -> None:
        self._made.discard(removed)

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


class DistutilsOnPathlib(Distutils):
    """The newer file utilities: mkpath is pathlib's mkdir, with its parents, of a directory that may be there.

    It tries before it looks, so alone it fails where the older one would not have tried: on a directory that is
    there (EEXIST), and on one whose parent is not (ENOENT). Paths go through pathlib as well, which writes nothing as
    a dot: the place where modules are installed, nothing below the staging tree, is ``wheel/.``.
    """

    @staticmethod
    def native(path: str) -> str:
        """As `Distutils.native`."""
        return str(PurePosixPath(path))

    def mkpath(self, path: str) -> None:
        """As `Distutils.mkpath`.

        Raises:
            ToolchainError: COULD_NOT_CREATE.
            OSError: the look whether it is there, for a message, was refused.
        """
        path = self.native(path)
        if path in self._made:
            return
        self._is_directory(path)
        try:
            self._make(path, parents=True)
        except OSError as error:
            raise ToolchainError(COULD_NOT_CREATE, path, error.errno) from error
        self._made.add(path)

    def _make(self, path: str, *, parents: bool) -> None:
        try:
            self._kernel.mkdir(path)
        except FileNotFoundError:
            parent = os.path.dirname(path)
            # The working directory that somebody removed cannot be made again by a relative path.
            if not parents or parent == self._root:
                raise
            self._make(parent, parents=True)
            self._make(path, parents=False)
        except OSError:
            # The kernel may prefer to say EACCES or EROFS of a directory that is there.
            if not self._is_directory(path):
                raise

    def _is_directory(self, path: str) -> bool:
        """The is_dir of pathlib: unlike os.path's, it lets a refusal through."""
        try:
            return stat.S_ISDIR(self._kernel.stat(path).st_mode)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return False

    def _forget(self, removed: str) -> None:
        # The newer cache knows no single path.
        del removed
        self._made.clear()


class DistutilsOfExactTimes(DistutilsOnPathlib):
    """Those inside setuptools 84.2.1, whose copies are as old as what they are copies of."""

    def _set_times(self, target: str, status: os.stat_result) -> None:
        self._kernel.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
