"""What is in a cache, what of it is residue, and whether it is empty. Changes nothing, not even a mode.

Residue is what builds that failed left behind:

- *partial trees*: directories `build/bdist.*`, which a build makes to stage its files and removes at its end;
- *poisoned directories*: whose owner lacks one of read, write and search, so that nobody can finish or remove them.

Guarantees: follows no link, crosses no mount, opens nothing but directories, and names every place that it could not
look into (what is in there is not counted). Deterministic: lists are sorted. Not guaranteed: a consistent picture
while others write. Cost: an lstat for each entry, and memory for the names of one directory at each level and for
each file with several links.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache_core.errors import UnreadableRootError, errno_name, path_fields
from cache_core.kernel import REAL, let_go
from cache_core.layout import judge
from cache_core.outcome import Left
from cache_core.pinned import Opener
from cache_core.reasons import explain
from cache_core.repair import lacks_owner_bits
from cache_core.root import open_root
from cache_core.surroundings import NOWHERE
from cache_core.trail import Trail

if TYPE_CHECKING:
    from cache_core.kernel import DirEntry, Kernel

_STAGING_PARENT = "build"
_STAGING_PREFIX = "bdist."
_BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A directory that keeps its owner out.

    Attributes:
        path: Relative to the cache; undecodable bytes as surrogates.
        mode: Its permission bits.
    """

    path: str
    mode: int

    @property
    def listed(self) -> str:
        """The mode as `ls -l` shows it, such as `d-w-------`."""
        return stat.filemode(stat.S_IFDIR | self.mode)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What is in a cache.

    Attributes:
        path: The cache, as given.
        entries: Names below the root, but for the files that an empty cache has.
        files: Those that are no directories.
        directories: Those that are.
        bytes: Blocks of the files, each file once however many links it has.
        bytes_here_only: Of these, what would be free if the cache were gone: files without a link outside.
        partial_trees: Paths, relative to the cache.
        poisoned: Directories that keep their owner out.
        unreadable: Places that could not be looked into, with errno and reason.
        empty: Whether the root holds nothing but what an empty cache has.
    """

    path: str
    entries: int
    files: int
    directories: int
    bytes: int
    bytes_here_only: int
    partial_trees: tuple[str, ...]
    poisoned: tuple[Poisoned, ...]
    unreadable: tuple[Left, ...]
    empty: bool

    @property
    def has_residue(self) -> bool:
        """Whether a failed build left something."""
        return bool(self.partial_trees or self.poisoned)

    def document(self) -> dict[str, object]:
        """The fields as JSON has them."""
        return {
            **path_fields(self.path),
            "entries": self.entries,
            "files": self.files,
            "directories": self.directories,
            "bytes": self.bytes,
            "partial_trees": [path_fields(path)["path"] for path in self.partial_trees],
            "poisoned": [{**path_fields(found.path), "mode": f"{found.mode:04o}"} for found in self.poisoned],
            "unreadable": [
                {**path_fields(left.path), "errno": left.errno, "reason": left.reason} for left in self.unreadable
            ],
            "empty": self.empty,
        }


def audit(path: str, *, kernel: Kernel = REAL) -> AuditReport:
    """Read a cache. A path that nothing has is an empty cache.

    Raises:
        NotADirectoryRootError: The path is a file, a symbolic link or another node.
    """
    try:
        root = open_root(path, kernel, NOWHERE, repair=False)
    except UnreadableRootError as error:
        left = Left(".", errno_name(error.errno), error.problem)
        return AuditReport(path, 0, 0, 0, 0, 0, (), (), (left,), empty=False)
    if root is None:
        return AuditReport(path, 0, 0, 0, 0, 0, (), (), (), empty=True)
    try:
        return audit_open(root.fd, path, kernel=kernel)
    finally:
        root.close(restore=False)


def audit_open(root_fd: int, path: str, *, kernel: Kernel = REAL) -> AuditReport:
    """Read the cache that a descriptor holds; `path` is what the report calls it."""
    return _Audit(kernel, root_fd).run(path)


@dataclass(slots=True)
class _Found:
    files: int = 0
    directories: int = 0
    blocks: int = 0
    blocks_here_only: int = 0
    partial_trees: list[str] = field(default_factory=list)
    poisoned: list[Poisoned] = field(default_factory=list)
    unreadable: dict[str, Left] = field(default_factory=dict)
    links_missing: dict[tuple[int, int], int] = field(default_factory=dict)


class _Audit:
    """One audit: a stack of the names that wait at each level, in step with the trail."""

    def __init__(self, kernel: Kernel, root_fd: int) -> None:
        self._kernel = kernel
        self._root_fd = root_fd
        self._opener = Opener(kernel, root_fd)
        self._trail = Trail(kernel, self._opener, root_fd)
        self._uid = os.geteuid()
        self._found = _Found()

    def run(self, path: str) -> AuditReport:
        found = self._found
        empty = False
        try:
            names = self._kernel.listdir(self._root_fd)
            judged = judge(self._root_fd, names, kernel=self._kernel)
            empty = judged.empty
            for name, error in judged.unknown.items():
                self._cannot_look(name, error)
            self._walk(judged.spared)
        except OSError as error:
            self._cannot_look(".", error)
        finally:
            self._trail.close()
        return AuditReport(
            path,
            found.files + found.directories,
            found.files,
            found.directories,
            found.blocks * _BLOCK_BYTES,
            found.blocks_here_only * _BLOCK_BYTES,
            tuple(sorted(found.partial_trees)),
            tuple(sorted(found.poisoned, key=lambda poisoned: poisoned.path)),
            tuple(found.unreadable[name] for name in sorted(found.unreadable)),
            empty,
        )

    def _walk(self, kept: frozenset[str]) -> None:
        levels = [self._read(kept)]
        while True:
            if levels[-1]:
                name = levels[-1].pop()
                try:
                    fd = self._opener.open(name, self._trail.current())
                except OSError as error:
                    self._cannot_look(name, error)
                    continue
                self._trail.enter(name, fd)
                levels.append(self._read(frozenset()))
            elif len(levels) == 1:
                return
            else:
                levels.pop()
                let_go(self._kernel, self._trail.leave()[1])
                self._return_to(levels)

    def _return_to(self, levels: list[list[str]]) -> None:
        try:
            self._trail.current()
        except OSError as error:
            name = self._trail.retreat()
            del levels[len(self._trail.names) + 1 :]
            self._cannot_look(name, error)

    def _read(self, kept: frozenset[str]) -> list[str]:
        """Count what is in the current directory. Returns its subdirectories, the first one last."""
        subdirectories: list[str] = []
        try:
            with self._kernel.scandir(self._trail.current()) as listing:
                subdirectories.extend(
                    entry.name for entry in listing if entry.name not in kept and self._look_at(entry)
                )
        except OSError as error:
            self._cannot_look("", error)
        subdirectories.sort(reverse=True)
        return subdirectories

    def _look_at(self, entry: DirEntry) -> bool:
        """Count one entry. Returns whether it is a directory."""
        found = self._found
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            # Removed since it was listed.
            return False
        except OSError as error:
            # A directory that can be read but not searched: its names are known, nothing else is.
            self._cannot_look(entry.name, error)
            found.files += 1
            return False
        if stat.S_ISDIR(status.st_mode):
            found.directories += 1
            self._note_residue(entry.name, status)
            return True
        found.files += 1
        self._note_size(status)
        return False

    def _note_residue(self, name: str, status: os.stat_result) -> None:
        path = self._trail.path(name)
        parents = self._trail.names
        if name.startswith(_STAGING_PREFIX) and parents and parents[-1] == _STAGING_PARENT:
            self._found.partial_trees.append(path)
        if lacks_owner_bits(status):
            self._found.poisoned.append(Poisoned(path, stat.S_IMODE(status.st_mode)))

    def _note_size(self, status: os.stat_result) -> None:
        found = self._found
        if status.st_nlink == 1:
            found.blocks += status.st_blocks
            found.blocks_here_only += status.st_blocks
            return
        inode = (status.st_dev, status.st_ino)
        missing = found.links_missing.get(inode, status.st_nlink)
        if missing == status.st_nlink:
            found.blocks += status.st_blocks
        found.links_missing[inode] = missing - 1
        if missing == 1:
            found.blocks_here_only += status.st_blocks

    def _cannot_look(self, name: str, error: OSError) -> None:
        number = error.errno or errno.EIO
        if number == errno.ENOENT:
            return
        path = self._trail.path(name).rstrip("/") or "."
        fd = self._trail.current()
        reason = explain(self._kernel, self._uid, fd, name or ".", number)
        self._found.unreadable[path] = Left(path, errno_name(number), reason)
