"""What an audit says: values only."""

from __future__ import annotations

import stat

from cache_core.below import Below
from cache_core.errors import path_fields
from cache_core.values import dataclass
from cache_core.wholeness import is_shelf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.outcome import Left
    from cache_core.wholeness import Kind


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
class Residue:
    """Something that a failed build or a killed cleaner left, as a whole: what `clean(residue_only=True)` removes.

    Attributes:
        path: Relative to the cache; undecodable bytes as surrogates.
        kind: `partial-tree`, `poisoned` (the entry that a poisoned directory spoils, or that directory alone; a shelf
            that is shut),
            `dangling` (a pointer to such an entry), `temporary` or `trash`.
        files: How many entries go with it that are no directories; none of those that could not be seen.
        directories: How many directories, itself included.
        bytes: Blocks of the files whose last link was seen in it.
    """

    path: str
    kind: Kind
    files: int
    directories: int
    bytes: int

    @property
    def is_shut_shelf(self) -> bool:
        """Whether it is a bucket, or what is between that and the entries: opened, and not removed."""
        return self.kind == "poisoned" and is_shelf(self.path)


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
        residue: All of what is not whole: none that is in another, sorted by path.
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
    residue: tuple[Residue, ...] = ()
    nested: int = 0
    directories_held: int = 0
    cancelled: bool = False

    @property
    def has_residue(self) -> bool:
        """Whether a failed build or a killed cleaner left something."""
        return bool(self.residue)

    @property
    def temporary(self) -> tuple[str, ...]:
        """Paths of the residue that is temporary."""
        return tuple(item.path for item in self.residue if item.kind == "temporary")

    @property
    def trash(self) -> tuple[str, ...]:
        """Paths of the residue that is trash."""
        return tuple(item.path for item in self.residue if item.kind == "trash")

    @property
    def seen_in_part(self) -> frozenset[str]:
        """Paths of the residue in which, or in parts of which, could not be looked."""
        inside = Below(item.path for item in self.residue)
        return frozenset(path for left in self.unreadable if (path := inside.which(left.path)) is not None)

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
            "residue": [
                {
                    **path_fields(item.path),
                    "kind": item.kind,
                    "files": item.files,
                    "directories": item.directories,
                    "bytes": item.bytes,
                }
                for item in self.residue
            ],
            "temporary": [path_fields(path)["path"] for path in self.temporary],
            "trash": [path_fields(path)["path"] for path in self.trash],
            "unreadable": [
                {**path_fields(left.path), "errno": left.errno, "reason": left.reason} for left in self.unreadable
            ],
            "empty": self.empty,
        }
