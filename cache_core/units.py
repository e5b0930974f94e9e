"""Divide a tree into units that can be removed side by side.

Breadth first: directories are listed until there are enough of them to keep every worker busy, and those that were not
listed are units, a few of one parent together where there are very many. A directory with very many names is not listed
to its end but divided by its names: each unit takes those whose checksum falls to it, and lists the directory itself,
so that nobody has to remember a million names.

Guarantees: changes nothing; opens nothing but directories (`pinned`); at most `_LOOKS_MAX` listings of at most
`_NAMES_MAX` names, so a tree costs the same however large it is. A place that cannot be looked into is a unit.
Not guaranteed: that units take equally long, nor that they cover everything: a directory that was listed, files in
it, and what came meanwhile belong to none. Whoever shares the work looks at the whole once more afterwards.
"""

from __future__ import annotations

import zlib
from itertools import groupby, islice

from cache_core.kernel import let_go
from cache_core.repair import lacks_owner_bits
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cache_core.kernel import DirEntry, Kernel
    from cache_core.pinned import Opener

# Some dozens of units for each worker: the last ones end at about the same time.
UNITS_WANTED = 64
_LOOKS_MAX = 64
_NAMES_MAX = 2048
# Fewer files than this in a directory that is divided by its subdirectories are left to the last look.
_FILES_MAX = 128


@dataclass(frozen=True, slots=True)
class Unit:
    """What one worker removes at a time.

    Attributes:
        names: The way to a directory from the root of the work; `()` is the root.
        below: Directories in it, to be removed with all that is in them; `()` when it is a part:
        part, parts: which of the names in it are meant.
    """

    names: tuple[str, ...]
    below: tuple[str, ...] = ()
    part: int = 0
    parts: int = 0


class Part(set[str]):
    """Names to leave alone: those that stay, and, asked for many at a time, those of the other parts."""

    __slots__ = ("_part", "_parts")

    def __init__(self, part: int, parts: int, keep: Collection[str]) -> None:
        super().__init__(keep)
        self._part = part
        self._parts = parts

    def of(self, entries: list[DirEntry]) -> list[DirEntry]:
        """Those whose names fall to this part."""
        part, parts, checksum = self._part, self._parts, zlib.crc32
        # Done for each name in the directory, by each worker. A checksum, as a string's own hash differs by process.
        return [entry for entry in entries if checksum(entry.name.encode("utf-8", "surrogateescape")) % parts == part]


def divide(
    opener: Opener, root_fd: int, keep: Collection[str], *, kernel: Kernel, workers: int, wanted: int
) -> list[Unit]:
    """The units of what is in a directory, but for the names to `keep`; empty when it is not worth dividing.

    Args:
        opener: Opens below the directory.
        root_fd: The directory, open for listing.
        keep: Names in it that are to stay.
        kernel: Where the calls go.
        workers: How many will share the work: so many parts a directory of very many names has, and so often it is
            listed.
        wanted: How many units are enough.
    """
    units: list[Unit] = []
    found: list[tuple[str, ...]] = [()]
    looks = 0
    while looks < len(found) and len(units) + len(found) - looks < wanted and looks < _LOOKS_MAX:
        names = found[looks]
        looks += 1
        try:
            directories, files, ended = _look(opener, root_fd, names, keep if not names else (), kernel)
        except OSError:
            if names:
                units.append(Unit(names[:-1], names[-1:]))
            continue
        if files is None:
            units.append(Unit(names[:-1], names[-1:]))
        elif files > _FILES_MAX or not ended:
            units += [Unit(names, (), part, workers) for part in range(workers)]
        else:
            found.extend((*names, name) for name in directories)
    waiting = found[looks:]
    units += _together(waiting, max(1, len(waiting) // (2 * wanted)))
    # Where nothing waits to be looked at, little was found but what cannot be looked into: one process's work.
    worth_it = len(units) > 1 and (waiting or any(unit.parts for unit in units))
    return units if worth_it else []


def _together(directories: Iterable[tuple[str, ...]], size: int) -> Iterator[Unit]:
    """Units of at most `size` directories that have one parent; such are beside each other in a walk by breadth."""
    for parent, children in groupby(directories, key=lambda names: names[:-1]):
        below = tuple(names[-1] for names in children)
        for start in range(0, len(below), size):
            yield Unit(parent, below[start : start + size])


def _look(
    opener: Opener, root_fd: int, names: tuple[str, ...], keep: Collection[str], kernel: Kernel
) -> tuple[list[str], int | None, bool]:
    """The subdirectories of a directory, how many files are in it, and whether these are all.

    No number for one that should be divided and cannot be: its mode has to be repaired, and that is for one to do.
    """
    directories: list[str] = []
    files = 0
    fd = opener.descend(root_fd, list(names)) if names else root_fd
    try:
        with kernel.scandir(fd) as listing:
            for entry in islice(listing, _NAMES_MAX):
                if entry.name in keep:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                else:
                    files += 1
            ended = next(listing, None) is None
        if names and (files > _FILES_MAX or not ended) and lacks_owner_bits(kernel.fstat(fd)):
            return directories, None, ended
    finally:
        if fd != root_fd:
            let_go(kernel, fd)
    return directories, files, ended
