"""How a state is made: entries in an order in which they can be laid.

Guarantees: parents come before what is in them; modes come after all entries, the deepest first, because some of them
shut the way; what takes a privilege comes after the modes, in the order given. The same recipe laid twice is the same
tree. Costs nothing but the list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cache_core.layout import TAG_NAME, TAG_SIGNATURE
from scenarios.states.entries import Directory, File, HardLink, Link, Mode, Node
from scenarios.states.place import CACHE, OUTSIDE, outside_commands

if TYPE_CHECKING:
    from scenarios.states.entries import Entry
    from scenarios.states.place import Place
    from scenarios.states.privileged import Disk


# Where a command speaks of what is outside.
_OUTSIDE = re.compile(rf"\b{OUTSIDE}\b((?:/[\w.-]+)*)")


class Recipe:
    """Told what is in a cache; lays it, or says it as commands.

    Attributes:
        tagged: whether the cache gets a valid tag, unless an entry has its name already.
        root: whether there is a directory for the cache to begin with.
    """

    def __init__(self) -> None:
        self.tagged = True
        self.root = True
        self._disk: Disk | None = None
        self._entries: list[Entry] = []
        self._modes: dict[str, int] = {}
        self._last: list[Entry] = []
        self._made: set[str] = set()
        self._directories: set[str] = {""}

    def directory(self, path: str, mode: int | None = None) -> None:
        """A directory, and those above it that are not there yet."""
        if path not in self._directories:
            self._make_parents(path)
            self._add(path, Directory(path))
            self._directories.add(path)
        if mode is not None:
            self.mode(path, mode)

    def file(self, path: str, data: bytes = b"x", mode: int = 0o644, *, hole: int = 0) -> None:
        """A regular file; `hole` bytes after its data are a hole."""
        self.add(File(path, data, mode, hole))

    def link(self, path: str, target: str) -> None:
        """A symbolic link; a target `outside/NAME` is made absolute."""
        self.add(Link(path, target))

    def hard_link(self, path: str, name: str) -> None:
        """One more name of a file outside."""
        self.add(HardLink(path, name))

    def node(self, path: str, kind: str) -> None:
        """A `fifo`, a `socket` or a `whiteout`."""
        self.add(Node(path, kind))

    def add(self, entry: Entry) -> None:
        """Any entry with a path of its own; the directories above it are made."""
        path: str = getattr(entry, "path")  # noqa: B009 - not all entries have one
        self._make_parents(path)
        self._add(path, entry)

    def fill(self, entry: Entry) -> None:
        """An entry that puts many things into a directory; that is made if it is not there."""
        self.directory(getattr(entry, "path"))  # noqa: B009 - as above
        self._entries.append(entry)

    def mode(self, path: str, mode: int) -> None:
        """The mode of something, once everything is laid; "" is the cache, ".." the directory that holds it."""
        self._modes[path] = mode

    def on(self, disk: Disk) -> None:
        """All of it is on a disk of its own."""
        self._disk = disk

    def last(self, entry: Entry) -> None:
        """What comes after the modes."""
        self._last.append(entry)

    @property
    def needs(self) -> frozenset[str]:
        """What the entries take beside being the owner of the cache."""
        return frozenset().union(*(entry.needs for entry in self._all()))

    def entries(self) -> list[Entry]:
        """All of them, in the order in which they are laid in an empty cache."""
        tag: list[Entry] = [File(TAG_NAME, TAG_SIGNATURE + b"\n")] if self.tagged and TAG_NAME not in self._made else []
        shut: list[Entry] = [Mode(path, self._modes[path]) for path in sorted(self._modes, key=_depth, reverse=True)]
        return [*self._entries, *(tag if self.root else ()), *shut, *self._last]

    def lay(self, place: Place) -> None:
        """Make it, and what is outside; for a umask of 022.

        Raises:
            OSError: the system refuses: what takes a privilege, or there is no room.
        """
        if self._disk is not None:
            self._disk.lay(place)
        elif self.root:
            Directory("").lay(place)
        place.make_outside()
        for entry in self.entries():
            entry.lay(place)

    def commands(self) -> list[str]:
        """The same for bash, in an empty directory."""
        begin = self._disk.commands() if self._disk is not None else [f"mkdir {CACHE}"] if self.root else []
        told = [command for entry in self.entries() for command in entry.commands()]
        wanted = {path.strip("/") for command in told for path in _OUTSIDE.findall(command)}
        return [*begin, *(outside_commands(wanted) if wanted else ()), *_together(told)]

    def _all(self) -> list[Entry]:
        return [*self._entries, *self._last, *([self._disk] if self._disk is not None else [])]

    def _make_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent:
            self.directory(parent)

    def _add(self, path: str, entry: Entry) -> None:
        if path in self._made:
            raise ValueError(f"two entries have the path {path!r}")
        self._made.add(path)
        self._entries.append(entry)


def _depth(path: str) -> tuple[int, str]:
    # The directory that holds the cache comes last, the cache before it.
    if path in ("", ".."):
        return (-2 if path else -1, path)
    return (path.count("/"), path)


def _together(commands: list[str]) -> list[str]:
    """Each directory above another one needs no command of its own."""
    told: list[str] = []
    for command in commands:
        making = command.startswith("mkdir ")
        if making and told and told[-1].startswith("mkdir ") and command.startswith(f"mkdir {_path_of(told[-1])}/"):
            told[-1] = f"mkdir -p {_path_of(command)}"
        else:
            told.append(command)
    return told


def _path_of(command: str) -> str:
    return command.removeprefix("mkdir ").removeprefix("-p ")
