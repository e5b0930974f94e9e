"""What a removal is told, and what it says: values only."""

from __future__ import annotations

from cache_core.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# How often a directory that others fill again is emptied again. A writer in a tight loop lost against 2 in all of our
# trials; more than this means that it does not stop.
RESCANS_MAX = 16


@dataclass(frozen=True, slots=True)
class Left:
    """An entry that could not be removed.

    Attributes:
        path: Relative to the top; undecodable bytes as surrogates.
        errno: The name of the error, such as `EACCES`.
        reason: Why, for a person.
    """

    path: str
    errno: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a removal is."""

    files_removed: int
    directories_removed: int
    bytes_freed: int


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did.

    Attributes:
        files_removed: Entries that were no directories.
        directories_removed: Directories.
        bytes_freed: Blocks of files whose last link went; 0 unless measured.
        permissions_repaired: Directories with something in them that were given bits their owner lacked.
        left: What stayed, by path.
        cancelled: Whether the caller stopped it.
    """

    files_removed: int
    directories_removed: int
    bytes_freed: int
    permissions_repaired: int
    left: tuple[Left, ...]
    cancelled: bool


def total(removals: Iterable[Removal]) -> Removal:
    """What several removals did; a path that is left more than once is named once, as the last has it."""
    every = tuple(removals)
    left = {item.path: item for one in every for item in one.left}
    return Removal(
        sum(one.files_removed for one in every),
        sum(one.directories_removed for one in every),
        sum(one.bytes_freed for one in every),
        sum(one.permissions_repaired for one in every),
        tuple(left[path] for path in sorted(left)),
        any(one.cancelled for one in every),
    )


def nothing_but(*left: Left, cancelled: bool = False) -> Removal:
    """A removal that did nothing."""
    return Removal(0, 0, 0, 0, left, cancelled)


@dataclass(frozen=True, slots=True)
class Options:
    """How to remove.

    Attributes:
        measure: Count the bytes freed; costs an lstat for each file.
        progress: Called every few hundred entries.
        cancelled: Asked at each directory and every few hundred entries; True stops the walk.
        rescans: How often a directory that is filled again is emptied again.
        removed: Told the path of each entry that went, relative to the top, where it was before it was moved up. Costs
            memory and time for each.
        mended: Told the path of each directory that was given bits, likewise; `.` is the top.
        depth: Directories that lie deeper than this below the top are moved up to it before they are removed; 0 moves
            none. For tops that are in a cache, not in somebody else's tree.
        held: Paths below the top, of directories that something is mounted in: those are never moved up.
        mark: A part of the names that these get, for one of several who work below the same top.
        provisional: Whether somebody looks at the same tree afterwards: what stays is not named, and a directory that
            was given bits counts only when all that was in it has gone.
    """

    measure: bool = False
    progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], bool] | None = None
    rescans: int = RESCANS_MAX
    removed: Callable[[str], None] | None = None
    mended: Callable[[str], None] | None = None
    provisional: bool = False
    depth: int = 0
    held: frozenset[str] = frozenset()
    mark: str = ""


DEFAULT = Options()


def rebased(removal: Removal, directory: str) -> Removal:
    """A removal in a directory, as one from where the directory has this path; `.` is the directory itself."""
    left = tuple(
        Left("/".join(filter(None, (directory, "" if one.path == "." else one.path))), one.errno, one.reason)
        for one in removal.left
    )
    return replace(removal, left=left)


def telling(options: Options, change: Callable[[str], str | None]) -> Options:
    """Options that tell of each path what `change` makes of it; nothing when that is None."""

    def through(tell: Callable[[str], None] | None) -> Callable[[str], None] | None:
        def told(path: str) -> None:
            changed = change(path)
            if tell is not None and changed is not None:
                tell(changed)

        return None if tell is None else told

    return replace(options, removed=through(options.removed), mended=through(options.mended))


def going_on(done: Removal, options: Options) -> Options:
    """Options for a removal that follows another one, so that progress is told as of both."""
    tell = options.progress
    if tell is None:
        return options

    def told(now: Progress) -> None:
        tell(
            Progress(
                done.files_removed + now.files_removed,
                done.directories_removed + now.directories_removed,
                done.bytes_freed + now.bytes_freed,
            )
        )

    return replace(options, progress=told)
