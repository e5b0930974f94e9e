"""Listings under the gate: read whole in one step, sorted, with entries whose own calls are steps again."""

from __future__ import annotations

import os
import stat
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Self

from cache_core.kernel import REAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from cache_core.kernel import Kernel

_by_name = attrgetter("name")


def sorted_entries(path: str | int) -> list[os.DirEntry[str]]:
    """Read a whole directory, sorted by name: what a file system returns first differs between file systems."""
    with REAL.scandir(path) as entries:
        found = sorted(entries, key=_by_name)
    for entry in found:
        # Where the file system does not tell types, this asks for them now, within the step, and keeps the answer.
        entry.is_symlink()
    return found  # type: ignore[return-value]  # REAL's entries are os.DirEntry


class GatedEntry:
    """As `os.DirEntry`; what the listing did not say costs a step."""

    __slots__ = ("_at", "_entry", "_kernel", "_known", "_listing_fd", "name", "path")

    def __init__(self, entry: os.DirEntry[str], kernel: Kernel, listing_fd: int | None) -> None:
        self._entry = entry
        self._kernel = kernel
        self._listing_fd = listing_fd
        self._known: dict[bool, os.stat_result] | None = None
        self.name = entry.name
        self.path = self._at = entry.path

    def is_symlink(self) -> bool:
        """From the listing."""
        return self._entry.is_symlink()

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """From the listing; for a link that is followed, one step."""
        return self._is(stat.S_ISDIR) if self._follows(follow_symlinks) else self._entry.is_dir(follow_symlinks=False)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """From the listing; for a link that is followed, one step."""
        return self._is(stat.S_ISREG) if self._follows(follow_symlinks) else self._entry.is_file(follow_symlinks=False)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """One step the first time; then, as os.DirEntry does, what it said."""
        if self._known is None:
            self._known = {}
        known = self._known.get(follow_symlinks)
        if known is None:
            name, at = (self._at, None) if self._listing_fd is None else (self.name, self._listing_fd)
            known = self._kernel.stat(name, dir_fd=at, follow_symlinks=follow_symlinks)
            self._known[follow_symlinks] = known
        return known

    def is_junction(self) -> bool:
        """As of Python 3.12: there are none here."""
        return False

    def inode(self) -> int:
        """From the listing; never recorded."""
        return self._entry.inode()

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def _follows(self, follow_symlinks: bool) -> bool:
        return follow_symlinks and self._entry.is_symlink()

    def _is(self, test: object) -> bool:
        try:
            return bool(test(self.stat().st_mode))  # type: ignore[operator]
        except FileNotFoundError:
            # As os.DirEntry: a dangling link is neither.
            return False


class GatedListing:
    """As the iterator of `os.scandir`; nothing is left open."""

    def __init__(self, entries: list[os.DirEntry[str]], kernel: object, listing_fd: int | None) -> None:
        self._entries: Iterator[GatedEntry] = map(GatedEntry, entries, repeat(kernel), repeat(listing_fd))  # type: ignore[arg-type]

    def named_by(self, directory: str) -> Self:
        """With paths of entries below another name of the directory."""
        entries = list(self._entries)
        for entry in entries:
            entry.path = os.path.join(directory, entry.name)
        self._entries = iter(entries)
        return self

    def __iter__(self) -> Iterator[GatedEntry]:
        return self._entries

    def __next__(self) -> GatedEntry:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        return None

    def close(self) -> None:
        """Nothing is left open."""
