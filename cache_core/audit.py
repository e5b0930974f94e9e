"""What is in a cache, what of it is residue, and whether it is empty. Changes nothing, not even a mode.

Residue is what builds that failed left behind:

- *partial trees*: directories `build/bdist.*`, which a build makes to stage its files and removes at its end;
- *poisoned directories*: whose mode keeps their owner out. It lacks read or search, so that nobody can go on with or
  remove what is in there; in a partial tree, write as well. Elsewhere a read-only directory is a published entry.

Guarantees: follows no link, crosses no mount, opens nothing but directories, and names every place that it could not
look into or that something is mounted on (what is in there is not counted). Deterministic: lists are sorted. Not
guaranteed: a consistent picture while others write. Cost: an lstat for each entry, the list of mounts once, and memory
for the names of one directory at each level, each file with several links, and the paths that are reported: of residue
in residue of the same kind, only the topmost.
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
from cache_core.mounts import mounts_below
from cache_core.outcome import Left
from cache_core.pinned import Opener
from cache_core.reasons import explain, explain_root
from cache_core.root import open_root
from cache_core.surroundings import NOWHERE
from cache_core.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import DirEntry, Kernel

_STAGING_PARENT = "build"
_STAGING_PREFIX = "bdist."
_OWNER_ENTERS = stat.S_IRUSR | stat.S_IXUSR
_BLOCK_BYTES = 512
# Entries looked at between two looks at the caller's wish to stop: some 5 ms.
_BATCH = 512


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
        files: Those that are no directories. Mount points are neither.
        directories: Those that are.
        bytes: Blocks of the files, each file once however many links it has.
        bytes_here_only: Of these, what would be free if the cache were gone: files without a link outside.
        partial_trees: Paths, relative to the cache; none that is in another.
        poisoned: Directories that keep their owner out; none that is in another.
        unreadable: Places that could not be looked into, mount points included, with errno and reason.
        empty: Whether the root holds nothing but what an empty cache has.
        nested: How many partial trees and poisoned directories are in those that are listed.
        directories_held: Those that cannot be removed, because something is mounted in them.
        cancelled: Whether the caller stopped it, so that there may be more.
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
    nested: int = 0
    directories_held: int = 0
    cancelled: bool = False

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


def audit(path: str, *, kernel: Kernel = REAL, cancelled: Callable[[], bool] | None = None) -> AuditReport:
    """Read a cache. A path that nothing has is an empty cache.

    Args:
        path: The cache's root directory.
        kernel: Where the calls go.
        cancelled: Asked at each directory and every few hundred entries; True stops.

    Raises:
        NotADirectoryRootError: The path is a file, a symbolic link or another node.
    """
    try:
        root = open_root(path, kernel, NOWHERE, repair=False)
    except UnreadableRootError as error:
        left = Left(".", errno_name(error.errno), explain_root(kernel, error, repair=False).problem)
        return AuditReport(path, 0, 0, 0, 0, 0, (), (), (left,), empty=False)
    if root is None:
        return AuditReport(path, 0, 0, 0, 0, 0, (), (), (), empty=True)
    try:
        return audit_open(root.fd, path, kernel=kernel, cancelled=cancelled)
    finally:
        root.close(restore=False)


def audit_open(
    root_fd: int, path: str, *, kernel: Kernel = REAL, cancelled: Callable[[], bool] | None = None
) -> AuditReport:
    """Read the cache that a descriptor holds; `path` is what the report calls it."""
    return _Audit(kernel, root_fd, cancelled).run(path)


@dataclass(slots=True)
class _Found:
    files: int = 0
    directories: int = 0
    blocks: int = 0
    blocks_here_only: int = 0
    partial_trees: list[str] = field(default_factory=list)
    poisoned: list[Poisoned] = field(default_factory=list)
    nested: int = 0
    mounted: set[str] = field(default_factory=set)
    unreadable: dict[str, Left] = field(default_factory=dict)
    links_missing: dict[tuple[int, int], int] = field(default_factory=dict)


class _Level:
    """What the walk knows of one directory between the root and here."""

    __slots__ = ("in_partial", "in_poisoned", "poisoned", "waiting")

    def __init__(self, *, in_partial: bool = False, in_poisoned: bool = False) -> None:
        self.in_partial = in_partial
        self.in_poisoned = in_poisoned
        self.waiting: list[str] = []  # subdirectories to enter, the first one last
        self.poisoned: set[str] = set()  # those of them that are


class _Audit:
    """One audit: a stack of levels, in step with the trail."""

    def __init__(self, kernel: Kernel, root_fd: int, cancelled: Callable[[], bool] | None) -> None:
        self._kernel = kernel
        self._root_fd = root_fd
        self._opener = Opener(kernel, root_fd)
        self._trail = Trail(kernel, self._opener, root_fd)
        self._uid = os.geteuid()
        self._mounts = mounts_below(kernel, root_fd)
        self._found = _Found()
        self._cancelled = cancelled
        self._stopped = False

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
            found.nested,
            len(_directories_above(found.mounted)),
            self._stopped,
        )

    def _stop(self) -> bool:
        if not self._stopped and self._cancelled is not None:
            self._stopped = self._cancelled()
        return self._stopped

    def _walk(self, kept: frozenset[str]) -> None:
        levels = [_Level()]
        self._read(levels[-1], kept)
        while not self._stop():
            level = levels[-1]
            if level.waiting:
                name = level.waiting.pop()
                try:
                    fd = self._opener.open(name, self._trail.current())
                except OSError as error:
                    self._cannot_enter(name, error)
                    continue
                below = _Level(
                    in_partial=level.in_partial or self._is_partial_tree(name),
                    in_poisoned=level.in_poisoned or name in level.poisoned,
                )
                self._trail.enter(name, fd)
                levels.append(below)
                self._read(below, frozenset())
            elif len(levels) == 1:
                return
            else:
                levels.pop()
                let_go(self._kernel, self._trail.leave()[1])
                self._return_to(levels)

    def _return_to(self, levels: list[_Level]) -> None:
        try:
            self._trail.current()
        except OSError as error:
            name = self._trail.retreat()
            del levels[len(self._trail.names) + 1 :]
            self._cannot_look(name, error)

    def _read(self, level: _Level, kept: frozenset[str]) -> None:
        """Count what is in the current directory, and note its subdirectories."""
        mounted = self._mounts.get("/".join(self._trail.names), ()) if self._mounts else ()
        try:
            with self._kernel.scandir(self._trail.current()) as listing:
                for number, entry in enumerate(listing, start=1):
                    if entry.name not in kept:
                        self._look_at(level, entry, mounted=entry.name in mounted)
                    if number % _BATCH == 0 and self._stop():
                        break
        except OSError as error:
            self._cannot_look("", error)
        level.waiting.sort(reverse=True)

    def _look_at(self, level: _Level, entry: DirEntry, *, mounted: bool) -> None:
        """Count one entry."""
        found = self._found
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            # Removed since it was listed.
            return
        except OSError as error:
            # A directory that can be read but not searched: its names are known, nothing else is.
            self._cannot_look(entry.name, error)
            found.files += 1
            return
        directory = stat.S_ISDIR(status.st_mode)
        if mounted:
            self._note_mount(entry.name, errno.EXDEV if directory else errno.EBUSY)
        elif directory:
            found.directories += 1
            self._note_residue(level, entry.name, status)
            level.waiting.append(entry.name)
        else:
            found.files += 1
            self._note_size(status)

    def _is_partial_tree(self, name: str) -> bool:
        parents = self._trail.names
        return name.startswith(_STAGING_PREFIX) and bool(parents) and parents[-1] == _STAGING_PARENT

    def _note_residue(self, level: _Level, name: str, status: os.stat_result) -> None:
        found = self._found
        partial = self._is_partial_tree(name)
        if partial and level.in_partial:
            found.nested += 1
        elif partial:
            found.partial_trees.append(self._trail.path(name))
        needed = stat.S_IRWXU if partial or level.in_partial else _OWNER_ENTERS
        if status.st_mode & needed == needed:
            return
        level.poisoned.add(name)
        if level.in_poisoned:
            found.nested += 1
        else:
            found.poisoned.append(Poisoned(self._trail.path(name), stat.S_IMODE(status.st_mode)))

    def _note_mount(self, name: str, number: int) -> None:
        self._found.mounted.add(self._trail.path(name))
        self._cannot_look(name, OSError(number, os.strerror(number)))

    def _cannot_enter(self, name: str, error: OSError) -> None:
        if error.errno == errno.EXDEV:
            # The list of mounts did not have it.
            self._found.directories -= 1
            self._note_mount(name, errno.EXDEV)
        else:
            self._cannot_look(name, error)

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


def _directories_above(paths: set[str]) -> set[str]:
    above: set[str] = set()
    for path in paths:
        directory = path.rpartition("/")[0]
        while directory and directory not in above:
            above.add(directory)
            directory = directory.rpartition("/")[0]
    return above
