"""What may be a member of a source distribution: one folder, nothing that leads out of it, and not too much.

Guarantee: a path, a kind or a size that is not right is refused as it is met, before anything of it is kept. Of files
that come twice the last one counts, as when they are unpacked. Cost: the names, and the few files that tell something.
"""

from __future__ import annotations

import os
import posixpath
from typing import IO, TYPE_CHECKING, NoReturn

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The bounds: far above any real sdist, far below what hurts.
BYTES_MAX = 1 << 30
MEMBERS_MAX = 100_000

# A SOURCES.txt of 100,000 lines fits.
_TEXT_BYTES_MAX = 16 << 20
_TOLD = frozenset({"PKG-INFO", "setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in"})
_EGG_INFO = ".egg-info"
_BLOCK_BYTES = 1 << 20
_FIRST_LINE_BYTES = 256
_SCRIPT_MAGIC = b"#!"


def tells(path: str) -> bool:
    """Whether a file, by its path relative to the folder, tells how the distribution is built."""
    return path in _TOLD or posixpath.dirname(path).endswith(_EGG_INFO)


class Wanted:
    """Takes the bytes of one file: all of them are read, few are kept.

    Args:
        members: gets what is kept.
        path: relative to the folder.
    """

    def __init__(self, members: Members, path: str) -> None:
        self._members = members
        self._path = path

    def take(self, stream: IO[bytes], size: int) -> None:
        """Read the file to its end.

        Raises:
            EOFError: it ends before it has `size` bytes.
        """
        keep = tells(self._path)
        if keep and size > _TEXT_BYTES_MAX:
            self._members.refuse(f"holds a '{self._path}' of {size:,} bytes; at most {_TEXT_BYTES_MAX:,}")
        kept = []
        left = size
        for block in _blocks(stream, size):
            if left == size and block.startswith(_SCRIPT_MAGIC):
                self._members.first_lines[self._path] = block[:_FIRST_LINE_BYTES].partition(b"\n")[0]
            left -= len(block)
            if keep:
                kept.append(block)
        if left:
            raise EOFError(f"'{self._path}' ends {left:,} bytes early")
        if keep:
            self._members.texts[self._path] = b"".join(kept)


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        block = stream.read(min(size, _BLOCK_BYTES))
        if not block:
            return
        size -= len(block)
        yield block


class Members:
    """Meets the members of an archive one after the other.

    Args:
        path: of the archive, for messages.

    Attributes:
        directory: the one folder, once a member was met.
        texts: bytes of the files that tell something.
        first_lines: of files that begin with ``#!``.
        fractional_times: whether a time was no whole second.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.fractional_times = False
        self._count = 0
        self._bytes = 0
        self._directories: set[str] = set()
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        self.directory = ""
        self.texts: dict[str, bytes] = {}
        self.first_lines: dict[str, bytes] = {}

    def refuse(self, what: str) -> NoReturn:
        """Say why this is no sdist.

        Raises:
            BadInputError: always.
        """
        raise BadInputError("bad-sdist", self._path, f"sdist '{self._path}' {what}")

    def directory_met(self, name: str) -> None:
        """A folder."""
        path = self._inside(name)
        if path in self._files or path in self._links:
            self.refuse(f"holds '{name}' as a file and as a directory")
        self._directories.add(path)

    def file_met(self, name: str, size: int, mode: int) -> Wanted:
        """A regular file; its bytes go to what is returned.

        Args:
            name: as the archive has it.
            size: in bytes.
            mode: once unpacked.
        """
        self._bytes += size
        if self._bytes > BYTES_MAX:
            self.refuse(f"holds more than {BYTES_MAX:,} bytes; only smaller ones are read")
        path = self._new_file(name)
        self._files[path] = (size, mode)
        return Wanted(self, path)

    def link_met(self, name: str, target: str, *, hard: bool) -> None:
        """A link; it may only lead to what is in the same folder.

        Args:
            name: as the archive has it.
            target: as the archive has it: of a hard link relative to the archive, else to the link.
            hard: which of the two.
        """
        path = self._new_file(name)
        base = "" if hard else posixpath.dirname(f"{self.directory}/{path}")
        place = posixpath.normpath(posixpath.join(base, target))
        if target.startswith("/") or place.split("/")[0] != self.directory:
            self.refuse(f"holds '{name}', a link that leads outside, to '{target}'")
        self._links[path] = place.partition("/")[2]

    def other_met(self, name: str, kind: str) -> NoReturn:
        """Anything else.

        Raises:
            BadInputError: always.
        """
        self.refuse(f"holds '{name}', which is {kind}; only files, directories and links are unpacked")

    def finished(self) -> dict[str, tuple[int, int]]:
        """All files: path relative to the folder to (size, mode); a link to a file counts as that file.

        Raises:
            BadInputError: there is none, or a file has others below it.
        """
        if not self._files:
            self.refuse("holds no file")
        leaves = self._files.keys() | self._links.keys()
        for path in (*leaves, *self._directories):
            above = posixpath.dirname(path)
            while above:
                if above in leaves:
                    self.refuse(f"holds '{above}' as a file, and '{path}' below it")
                above = posixpath.dirname(above)
        for path in self._links:
            found = self._followed(path)
            if found is not None:
                self._files[path] = self._files[found]
                if found in self.texts and tells(path):
                    self.texts[path] = self.texts[found]
        return self._files

    def _followed(self, path: str) -> str | None:
        """The file that a link leads to; None where it leads to a directory, to nothing or round in a circle."""
        for _ in range(len(self._links)):
            path = self._links[path]
            if path not in self._links:
                return path if path in self._files else None
        return None

    def _new_file(self, name: str) -> str:
        path = self._inside(name)
        if not path:
            self.refuse(f"holds the file '{name}' beside its folder; one folder with all files is what an sdist is")
        if path in self._directories:
            self.refuse(f"holds '{name}' as a directory and as a file")
        # Of two the last counts, and the other never was.
        for known in (self._files, self._links, self.texts, self.first_lines):
            known.pop(path, None)
        return path

    def _inside(self, name: str) -> str:
        """The path of a member relative to the one folder; empty for the folder itself."""
        self._count += 1
        if self._count > MEMBERS_MAX:
            self.refuse(f"holds more than {MEMBERS_MAX:,} members; only smaller ones are read")
        try:
            name.encode()
        except UnicodeEncodeError:
            self.refuse(f"holds a name that is not UTF-8: {os.fsencode(name)!r}")
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if name.startswith("/") or ".." in parts or "\0" in name:
            self.refuse(f"holds '{name}', which leads outside")
        if not parts:
            return ""
        self.directory = self.directory or parts[0]
        if parts[0] != self.directory:
            self.refuse(f"holds more than one top folder: '{self.directory}' and '{parts[0]}'")
        return "/".join(parts[1:])
