"""What is in a cache, what of it is residue, and whether it is empty. Changes nothing, not even a mode.

Residue is what builds that failed and cleaners that were killed left behind; `wholeness` defines it by place and name:
partial trees, poisoned directories with the entries that they are in or that are shelves, temporary names, trash.

A directory is *poisoned* when its mode keeps its owner out. It lacks read or search, so that nobody can go on with or
remove what is in there; in a partial tree, write as well. Elsewhere a read-only directory is a published entry.

Guarantees: follows no link, crosses no mount, opens nothing but directories (and, where an unpacked wheel or a source
is poisoned, the pointers to it), and names every place that it could not
look into or that something is mounted on (what is in there is not counted). Deterministic: lists are sorted. Not
guaranteed: a consistent picture while others write. Cost: an lstat for each entry, the list of mounts once, and memory
for the names of one directory at each level, each file with several links, and the paths that are reported: of residue
in residue of the same kind, only the topmost. (Temporary files of one directory, and what is in an entry that turns out
to be poisoned, are held until it has been read.)
"""

from __future__ import annotations

import errno
import os
import stat

from cache_core.audit_report import AuditReport, Poisoned, Residue
from cache_core.below import topmost
from cache_core.errors import UnreadableRootError, errno_name
from cache_core.kernel import REAL, let_go
from cache_core.layout import judge
from cache_core.mounts import mounts_below
from cache_core.outcome import Left
from cache_core.pinned import Opener
from cache_core.pointers import may_name_an_archive, names_one_of, revision_pointers
from cache_core.reasons import explain, explain_root
from cache_core.root import open_root
from cache_core.surroundings import NOWHERE
from cache_core.trail import Trail
from cache_core.wholeness import (
    ROOT,
    Place,
    archive_id,
    is_partial_tree,
    is_shelf,
    is_temporary,
    is_trash,
    mark_of,
    place_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import DirEntry, Kernel
    from cache_core.wholeness import Kind

__all__ = ["AuditReport", "Poisoned", "Residue", "audit", "audit_open"]

_OWNER_ENTERS = stat.S_IRUSR | stat.S_IXUSR
_BLOCK_BYTES = 512
# Entries looked at between two looks at the caller's wish to stop: some 5 ms.
_BATCH = 512


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
    root_fd: int,
    path: str,
    *,
    kernel: Kernel = REAL,
    cancelled: Callable[[], bool] | None = None,
    told: Callable[[str], None] | None = None,
) -> AuditReport:
    """Read the cache that a descriptor holds.

    Args:
        root_fd: The cache's root.
        path: What the report calls it.
        kernel: Where the calls go.
        cancelled: As `audit`.
        told: Gets the path of each entry that is counted, relative to the cache, as it is met: a directory before what
            is in it, the entries of a directory in the order of its listing.
    """
    return _Audit(kernel, root_fd, cancelled, told).run(path)


# Files, directories, blocks.
_Counts = tuple[int, int, int]


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self.files = self.directories = self.blocks = self.blocks_here_only = 0
        self.partial_trees: list[str] = []
        self.poisoned: list[Poisoned] = []
        self.residue: dict[str, Kind] = {}
        self.sizes: dict[str, _Counts] = {}
        self.archives_poisoned: set[str] = set()
        self.nested = 0
        self.mounted: set[str] = set()
        self.unreadable: dict[str, Left] = {}
        self.links_missing: dict[tuple[int, int], int] = {}

    @property
    def counts(self) -> _Counts:
        """So far."""
        return self.files, self.directories, self.blocks_here_only

    def topmost_residue(self) -> tuple[Residue, ...]:
        """The residue that is in no other."""
        items = ((path, self.residue[path], self.sizes[path]) for path in topmost(self.residue))
        return tuple(
            Residue(path, kind, files, directories, blocks * _BLOCK_BYTES)
            for path, kind, (files, directories, blocks) in items
        )


class _Level:
    """What the walk knows of one directory between the root and here."""

    __slots__ = (
        "before", "doubtful", "in_partial", "in_poisoned", "in_residue", "is_structure", "place", "poisoned", "waiting"
    )  # fmt: skip

    def __init__(
        self,
        place: Place,
        before: _Counts,
        *,
        in_partial: bool = False,
        in_poisoned: bool = False,
        in_residue: bool = False,
    ) -> None:
        self.place = place
        self.is_structure = place.is_structure  # as far as the names that lead here tell
        self.before = before  # what had been counted when it was entered
        self.in_partial = in_partial
        self.in_poisoned = in_poisoned
        self.in_residue = in_residue
        self.waiting: list[str] = []  # subdirectories to enter, the first one last
        self.poisoned: set[str] = set()  # those of them that are
        self.doubtful: list[tuple[str, os.stat_result]] = []  # residue, unless a later name says what this place is


class _Audit:
    """One audit: a stack of levels, in step with the trail."""

    def __init__(
        self,
        kernel: Kernel,
        root_fd: int,
        cancelled: Callable[[], bool] | None,
        told: Callable[[str], None] | None,
    ) -> None:
        self._kernel = kernel
        self._root_fd = root_fd
        self._opener = Opener(kernel, root_fd)
        self._trail = Trail(kernel, self._opener, root_fd)
        self._uid = os.geteuid()
        self._mounts = mounts_below(kernel, root_fd)
        self._found = _Found()
        self._cancelled = cancelled
        self._told = told
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
            self._note_revisions()
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
            found.topmost_residue(),
            found.nested,
            len(_directories_above(found.mounted)),
            self._stopped,
        )

    def _stop(self) -> bool:
        if not self._stopped and self._cancelled is not None:
            self._stopped = self._cancelled()
        return self._stopped

    def _walk(self, kept: frozenset[str]) -> None:
        levels = [_Level(ROOT, self._found.counts)]
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
                below = self._below(level, name)
                self._trail.enter(name, fd)
                levels.append(below)
                self._read(below, frozenset())
            elif len(levels) == 1:
                return
            else:
                self._measure(levels.pop())
                let_go(self._kernel, self._trail.leave()[1])
                self._return_to(levels)

    def _below(self, level: _Level, name: str) -> _Level:
        names = self._trail.names
        place = place_in(level.place, names, name)
        partial = level.in_partial or is_partial_tree(level.place, names, name)
        poisoned = level.in_poisoned or name in level.poisoned
        # A poisoned directory in an entry spoils all of it, which is told here by what is inside of it only.
        residue = level.in_residue or place.is_residue or partial or poisoned
        return _Level(place, self._found.counts, in_partial=partial, in_poisoned=poisoned, in_residue=residue)

    def _measure(self, level: _Level) -> None:
        """Note how much was in the directory that is left, where that may be asked for: residue, and entries."""
        names = self._trail.names
        if not level.in_residue and level.place.entry != len(names):
            return
        path = "/".join(names)
        if path in self._found.residue:
            files, directories, blocks = (
                now - before for now, before in zip(self._found.counts, level.before, strict=True)
            )
            self._found.sizes[path] = (files, directories + 1, blocks)

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
        complete = False
        try:
            with self._kernel.scandir(self._trail.current()) as listing:
                for number, entry in enumerate(listing, start=1):
                    if entry.name not in kept:
                        self._look_at(level, entry, mounted=entry.name in mounted)
                    if number % _BATCH == 0 and self._stop():
                        break
                else:
                    complete = True
        except OSError as error:
            self._cannot_look("", error)
        level.waiting.sort(reverse=True)
        if level.is_structure and not complete:
            # A name that was not seen may be the one that says whose the others are: nothing is held against them.
            level.place = Place("published")
        else:
            for name, status in level.doubtful:
                self._note_residue(level, name, status)
        level.doubtful.clear()

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
            if self._told is not None:
                self._told(self._trail.path(entry.name))
            return
        directory = stat.S_ISDIR(status.st_mode)
        if mounted:
            self._note_mount(entry.name, errno.EXDEV if directory else errno.EBUSY)
            return
        if self._told is not None:
            self._told(self._trail.path(entry.name))
        if directory:
            found.directories += 1
            level.waiting.append(entry.name)
        else:
            found.files += 1
            self._note_size(status)
        if level.is_structure:
            self._note_mark(level, entry.name, status.st_mode)
        elif not directory:
            # A file in an entry is never residue.
            return
        if self._is_doubtful(level, entry.name, status.st_mode) or self._dangles(level, entry.name, status.st_mode):
            level.doubtful.append((entry.name, status))

    def _note_mark(self, level: _Level, name: str, mode: int) -> None:
        zone = mark_of(name, mode)
        # What is published may have a setup.py among its files; the order of a listing must not matter.
        if zone is not None and level.place.zone != "published":
            level.place = Place(zone, len(self._trail.names))

    def _is_doubtful(self, level: _Level, name: str, mode: int) -> bool:
        names = self._trail.names
        if is_temporary(level.place, name, mode) or is_trash(names, name):
            return True
        if not stat.S_ISDIR(mode):
            return False
        partial = is_partial_tree(level.place, names, name)
        return partial or bool(~mode & self._needed(level, partial=partial))

    def _dangles(self, level: _Level, name: str, mode: int) -> bool:
        """Whether it is a pointer to an archive that is poisoned. Archives are read first: `a` comes before `w`."""
        if not (self._found.archives_poisoned and level.place.is_structure and may_name_an_archive(name, mode)):
            return False
        try:
            return names_one_of(self._kernel, self._trail.current(), name, self._found.archives_poisoned)
        except OSError as error:
            self._cannot_look(name, error)
            return False

    def _note_revisions(self) -> None:
        """Note the pointers to sources that are poisoned."""
        found = self._found
        # Stopped, we are somewhere else than at the root, and nothing that is found is complete.
        spoilt = [] if self._stopped else [path for path, kind in found.residue.items() if kind == "poisoned"]
        for path in spoilt:
            if is_shelf(path):
                continue
            try:
                for pointer in revision_pointers(self._kernel, self._root_fd, self._opener, path):
                    found.residue[pointer] = "dangling"
                    found.sizes[pointer] = (1, 0, 0)
            except OSError as error:
                self._cannot_look(path, error)

    @staticmethod
    def _needed(level: _Level, *, partial: bool) -> int:
        """The bits without which a directory is poisoned."""
        return stat.S_IRWXU if partial or level.in_partial else _OWNER_ENTERS

    def _note_residue(self, level: _Level, name: str, status: os.stat_result) -> None:
        found = self._found
        names = self._trail.names
        directory = stat.S_ISDIR(status.st_mode)
        if is_trash(names, name):
            self._add(level, name, "trash", status)
        elif is_temporary(level.place, name, status.st_mode):
            self._add(level, name, "temporary", status)
        elif not directory and level.place.is_structure:
            self._add(level, name, "dangling", status)
        partial = directory and is_partial_tree(level.place, names, name)
        if partial and level.in_partial:
            found.nested += 1
        elif partial:
            found.partial_trees.append(self._trail.path(name))
            self._add(level, name, "partial-tree", status)
        if directory and ~status.st_mode & self._needed(level, partial=partial):
            level.poisoned.add(name)
            if level.in_poisoned:
                found.nested += 1
            else:
                found.poisoned.append(Poisoned(self._trail.path(name), stat.S_IMODE(status.st_mode)))
            self._add(level, name, "poisoned", status)

    def _add(self, level: _Level, name: str, kind: Kind, status: os.stat_result) -> None:
        """Note residue; for a poisoned directory, the entry that it is in. The first kind of a path is its kind."""
        if level.in_residue:
            return
        found = self._found
        entry = level.place.entry if kind == "poisoned" else 0
        path = "/".join(self._trail.names[:entry]) if entry else self._trail.path(name)
        if path in found.residue:
            return
        found.residue[path] = kind
        if kind == "poisoned" and (archive := archive_id(path)) is not None:
            found.archives_poisoned.add(archive)
        # What is in a directory is known when it is left, and if it cannot be entered, never.
        directory = stat.S_ISDIR(status.st_mode)
        single = not directory and status.st_nlink == 1
        found.sizes[path] = (int(not directory), int(directory), status.st_blocks if single else 0)

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
