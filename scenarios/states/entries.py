"""What a state is made of: each entry knows how it is laid on a file system, and the shell commands that do the same.

Paths are relative to the cache ("" is the cache itself), bytes that are no UTF-8 as surrogates. Commands are for the
directory that holds the cache. What takes a privilege says so in `needs`, by the words of `state.NEEDS`; a system that
refuses it raises OSError.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from scenarios.states.place import OUTSIDE
from scenarios.states.shell import in_cache, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios.states.place import Place

_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry(Protocol):
    """One thing in a cache.

    Attributes:
        needs: what it takes beside being the owner of the cache.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Make it."""

    def commands(self) -> list[str]:
        """The same, for a shell."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory, in one that is there."""

    path: str
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Mkdir."""
        os.mkdir(place.within(self.path), _DIRECTORY_MODE)

    def commands(self) -> list[str]:
        """Mkdir."""
        return [f"mkdir {in_cache(self.path)}"]


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; `hole` bytes after its data are a hole."""

    path: str
    data: bytes = b"x"
    mode: int = _FILE_MODE
    hole: int = 0
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Create, write."""
        fd = os.open(place.within(self.path), _CREATE, 0o600)
        try:
            os.write(fd, self.data)
            if self.hole:
                os.ftruncate(fd, len(self.data) + self.hole)
            os.fchmod(fd, self.mode)
        finally:
            os.close(fd)

    def commands(self) -> list[str]:
        """printf, truncate, chmod."""
        word = in_cache(self.path)
        told = [f"{_writer(self.data)} > {word}"]
        if self.hole:
            told.append(f"truncate -s {len(self.data) + self.hole} {word}")
        if self.mode != _FILE_MODE:
            told.append(f"chmod {self.mode:04o} {word}")
        return told


def _writer(data: bytes) -> str:
    """What prints the data."""
    if not data:
        return ":"
    line = data.removesuffix(b"\n")
    if line != data and line.isascii() and line.decode().isprintable():
        return f"printf '%s\\n' {quoted(line.decode())}" if line.startswith(b"-") else f"echo {quoted(line.decode())}"
    return f"printf %s {quoted(os.fsdecode(data))}"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link. A target that starts with `OUTSIDE/` is made absolute; any other is as it is."""

    path: str
    target: str
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Symlink."""
        os.symlink(f"{place.root}/{self.target}" if self._is_absolute else self.target, place.within(self.path))

    def commands(self) -> list[str]:
        """Ln -s."""
        target = f'"$PWD"/{quoted(self.target)}' if self._is_absolute else quoted(self.target)
        # A target may read as an option.
        return [f"ln -s {'-- ' if target.startswith(('-', '$')) else ''}{target} {in_cache(self.path)}"]

    @property
    def _is_absolute(self) -> bool:
        return self.target == OUTSIDE or self.target.startswith(f"{OUTSIDE}/")


@dataclass(frozen=True, slots=True)
class HardLink:
    """One more name of a file outside, or of one in the cache when `inside`."""

    path: str
    name: str
    inside: bool = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Link."""
        source = place.within(self.name) if self.inside else f"{place.outside}/{self.name}"
        os.link(source, place.within(self.path), follow_symlinks=False)

    def commands(self) -> list[str]:
        """Ln."""
        source = in_cache(self.name) if self.inside else quoted(f"{OUTSIDE}/{self.name}")
        return [f"ln {source} {in_cache(self.path)}"]


_NODES = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "whiteout": stat.S_IFCHR}
_NULL = (1, 3)


@dataclass(frozen=True, slots=True)
class Node:
    """A `fifo`, a `socket` or a `whiteout` (a character device 0, 0, which anybody may make)."""

    path: str
    kind: str
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Mknod."""
        os.mknod(place.within(self.path), _NODES[self.kind] | 0o600, 0)

    def commands(self) -> list[str]:
        """Mkfifo, or mknod."""
        word = in_cache(self.path)
        if self.kind == "socket":
            make = "import os, stat, sys; os.mknod(sys.argv[1], stat.S_IFSOCK | 0o600)"
            return [f"python3 -c '{make}' {word}"]
        return [f"mkfifo -m 0600 {word}" if self.kind == "fifo" else f"mknod -m 0600 {word} c 0 0"]


@dataclass(frozen=True, slots=True)
class Device:
    """The null device under another name."""

    path: str
    needs: ClassVar[frozenset[str]] = frozenset({"devices"})

    def lay(self, place: Place) -> None:
        """Mknod."""
        os.mknod(place.within(self.path), stat.S_IFCHR | 0o600, os.makedev(*_NULL))

    def commands(self) -> list[str]:
        """Mknod."""
        return [f"mknod -m 0600 {in_cache(self.path)} c {_NULL[0]} {_NULL[1]}"]


@dataclass(frozen=True, slots=True)
class Mode:
    """The mode of something that is there. A path of `..` is the directory that holds the cache."""

    path: str
    mode: int
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Chmod."""
        os.chmod(place.within(self.path), self.mode)

    def commands(self) -> list[str]:
        """Chmod."""
        return [f"chmod {self.mode:04o} {in_cache(self.path)}"]


@dataclass(frozen=True, slots=True)
class Files:
    """Many empty files in one directory that is there: `0`, `1`, ..."""

    path: str
    count: int
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Create each."""
        with _opened(place.within(self.path)) as fd:
            for number in range(self.count):
                os.close(os.open(str(number), _CREATE, _FILE_MODE, dir_fd=fd))

    def commands(self) -> list[str]:
        """Touch, a few at a time."""
        return [f"(cd {in_cache(self.path)} && seq 0 {self.count - 1} | xargs touch)"]


@dataclass(frozen=True, slots=True)
class Directories:
    """Many directories in one that is there, each with an empty file, each of the mode: `0`, `1`, ..."""

    path: str
    count: int
    mode: int
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Mkdir, create, chmod."""
        with _opened(place.within(self.path)) as fd:
            for number in range(self.count):
                os.mkdir(str(number), _DIRECTORY_MODE, dir_fd=fd)
                os.close(os.open(f"{number}/file", _CREATE, _FILE_MODE, dir_fd=fd))
                os.chmod(str(number), self.mode, dir_fd=fd)

    def commands(self) -> list[str]:
        """Mkdir, touch and chmod, many at a time."""
        last = self.count - 1
        make = f"seq 0 {last} | xargs mkdir && seq -f %.0f/file 0 {last} | xargs touch"
        return [f"(cd {in_cache(self.path)} && {make} && seq 0 {last} | xargs chmod {self.mode:04o})"]


@dataclass(frozen=True, slots=True)
class Links:
    """Many names in a directory that is there: symbolic links to a target, or hard links of a file in it."""

    path: str
    count: int
    target: str
    hard: bool = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """Symlink or link."""
        with _opened(place.within(self.path)) as fd:
            for number in range(self.count):
                if self.hard:
                    os.link(self.target, str(number), src_dir_fd=fd, dst_dir_fd=fd)
                else:
                    os.symlink(self.target, str(number), dir_fd=fd)

    def commands(self) -> list[str]:
        """A loop."""
        each = f"{'ln' if self.hard else 'ln -s'} {quoted(self.target)} $i"
        return [f"(cd {in_cache(self.path)} && for i in $(seq 0 {self.count - 1}); do {each}; done)"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Directories in each other, below one that is there, all of one name; a file in the last one.

    Every `shut_every`-th has the mode `shut`, if there is one.
    """

    path: str
    depth: int
    name: str = "d"
    shut: int = _DIRECTORY_MODE
    shut_every: int = 0
    needs: ClassVar[frozenset[str]] = frozenset()

    def lay(self, place: Place) -> None:
        """One level after the other, by descriptor: such paths are too long to be named."""
        fd = os.open(place.within(self.path), _OPEN_DIRECTORY)
        try:
            for level in range(1, self.depth + 1):
                os.mkdir(self.name, _DIRECTORY_MODE, dir_fd=fd)
                below = os.open(self.name, _OPEN_DIRECTORY, dir_fd=fd)
                # Its parent is shut only when we are through it.
                if self.shut_every and (level - 1) and (level - 1) % self.shut_every == 0:
                    os.fchmod(fd, self.shut)
                os.close(fd)
                fd = below
            os.close(os.open("file", _CREATE, _FILE_MODE, dir_fd=fd))
        finally:
            os.close(fd)

    def commands(self) -> list[str]:
        """A program: a shell asks for its whole path at each step."""
        lines = [
            "import os, sys",
            f"for i in range({self.depth}):",
            "    os.mkdir(sys.argv[1])",
            "    os.chdir(sys.argv[1])",
        ]
        if self.shut_every:
            lines.append(f"    if i and i % {self.shut_every} == 0: os.chmod('..', 0o{self.shut:o})")
        program = "\n".join([*lines, "open('file', 'w').close()"])
        return [f'(cd {in_cache(self.path)} && python3 -c "{program}" {quoted(self.name)})']


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, _OPEN_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
