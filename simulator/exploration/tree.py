"""A shadow of the tree that a run works on: which object each name stands for, step by step.

Objects are numbered as they are met. They keep their number through renames, links and the loss of their last name,
which is what a path cannot say. The shadow follows the steps that succeeded and never looks at the file system.

Guarantees: told the whole tree that a run began with (`simulator.exploration.start`) and every step since, a walk ends
at the object where the kernel's own walk ended. Looks teach it nothing, so what it knows after two independent steps
does not depend on their order.
Not guaranteed: without the tree at the start, what has not been made in the run is taken for what its path says it is;
symbolic links and second names of one file that were there before are not seen. What lies outside of the sandbox is
one object, and nothing in there is taken to lead back. Paths are absolute, and link counts, sizes and inode numbers of
directories are nobody's business (they are in no trace).
Cost: a dictionary look-up for each component of a path.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from simulator.engine.paths import OUTSIDE, Relative
from simulator.exploration.keys import MOVES, READ, THROUGH, entry, join, mode

if TYPE_CHECKING:
    from simulator.exploration.keys import Footprint
    from simulator.exploration.start import Start

DIRECTORY = "directory"
FILE = "file"
LINK = "link"
UNKNOWN = "unknown"

# path_resolution(7): more links than this in one path are ELOOP.
LINKS_MAX = 40
_SEARCH_BITS = 0o111
_SPECIAL_BITS = 0o6000
_OWNER_SEARCHES = 0o100
# What is special in a path that leads nowhere: names that are no entries.
_NO_ENTRIES = frozenset({"", ".", ".."})


class Node:
    """An object of the file system.

    Attributes:
        number: its number, in the order in which objects were met.
        kind: one of the words above; `UNKNOWN` for what was there before, or was never there.
        names: of a directory: what each name stands for, None for nothing.
        whole: whether `names` has every name that there is.
        certain: whether it is known to exist.
        parent: the directory that it is in; for directories only.
        target: where a symbolic link leads.
        empty: whether it is known to be an empty file.
        dated: whether somebody set the times of this directory.
        gone: of a directory: by name, what empty directories it had until they were removed.
        shared: whether two actors may have one offset in it.
    """

    __slots__ = (
        "_mode", "certain", "dated", "empty", "gone", "kind", "names", "number", "parent", "shared", "target", "whole",
    )  # fmt: skip

    def __init__(self, number: int, kind: str, *, certain: bool = True) -> None:
        self.number = number
        self.kind = kind
        self.names: dict[str, Node | None] = {}
        self.gone: dict[str, Node] = {}
        self.whole = False
        self.certain = certain
        self.parent: Node | None = None
        self.target = ""
        self.empty = False
        self.dated = False
        self.shared = False
        self._mode: int | None = None

    @property
    def mode(self) -> int | None:
        """The permission bits; None when they are not known for sure."""
        return self._mode

    @mode.setter
    def mode(self, mode: int | None) -> None:
        # The kernel takes set-user-id and set-group-id bits away by rules of its own.
        self._mode = None if mode is None or mode & _SPECIAL_BITS else mode

    @property
    def lets_its_owner_in(self) -> bool:
        """Whether it is known that its owner may look a name up in it."""
        return self._mode is not None and bool(self._mode & _OWNER_SEARCHES)

    @property
    def may_be_directory(self) -> bool:
        """Whether there may be names in it."""
        return self.kind in {DIRECTORY, UNKNOWN}


class Place(NamedTuple):
    """Where a path leads.

    Attributes:
        directory: that holds the last name; None when the path ends at what it started from, or the walk stopped.
        name: the last name.
        node: what is there, None for nothing.
    """

    directory: Node | None
    name: str
    node: Node | None


NOWHERE = Place(None, "", None)


class Tree:
    """The shadow.

    Args:
        cache: name of the cache's directory in the sandbox.
        start: what is there before the first step; None when nobody looked.
    """

    def __init__(self, cache: str, start: Start | None = None) -> None:
        self._cache = cache
        self._made = 0
        self.outside = self.make(UNKNOWN)
        self.sandbox = self.make(DIRECTORY)
        self.sandbox.parent = self.outside
        self.sandbox.whole = False
        if start is not None:
            self._plant(start)

    def make(self, kind: str, *, certain: bool = True) -> Node:
        """A further object."""
        self._made += 1
        node = Node(self._made, kind, certain=certain)
        node.whole = kind == DIRECTORY
        return node

    def put(self, place: Place, node: Node | None) -> None:
        """From now on the place's name stands for `node`."""
        directory = place.directory
        if directory is None or directory is self.outside:
            return
        directory.names[place.name] = node
        directory.gone.pop(place.name, None)
        if node is not None:
            node.certain = True
            if node.may_be_directory:
                node.parent = directory

    def remove(self, place: Place) -> bool:
        """An empty directory is removed.

        Returns:
            Whether a path that leads through it led nowhere before as well.
        """
        node = place.node
        self.put(place, None)
        if node is None or place.directory is None or place.directory is self.outside:
            return False
        if node.kind != DIRECTORY or not node.whole or not node.lets_its_owner_in:
            return False
        place.directory.gone[place.name] = node
        return True

    # Where a path leads.

    def walk(
        self, path: str, start: Node | None, footprint: Footprint, *, denied: bool, needed: int | None = None
    ) -> Place:
        """Resolve a path as far as its last component; a link there is not followed.

        A path that leads nowhere is followed on in the directories that were there until they were removed: what
        happened in them is what it would have met.

        Args:
            path: as shown; of a `Relative` only its name is resolved.
            start: where a relative path starts.
            footprint: takes what the walk reads.
            denied: whether the call ended in EACCES: then it went no further than where nobody may search.
            needed: for a call that ended in ENOENT: how many names, the last ones, tell whether it had to; the others
                are passed. None: all.
        """
        here, names = self._beginning(path, start, footprint)
        if needed is not None and not _NO_ENTRIES.isdisjoint(names):
            needed = None
        links, gone = 0, False
        while names:
            name = names.pop()
            node = here.node
            if node is None and here.directory is not None and name:
                node, gone = self._until_it_went(here, footprint), True
            if node is not None and node.kind == LINK:
                if needed is not None:
                    return self.walk(path, start, footprint, denied=denied)
                links += 1
                if links > LINKS_MAX:
                    return NOWHERE
                names.append(name)
                here, more = self._beginning(node.target, here.directory, footprint)
                names += more
            elif name == ".":
                # Whether the directory may be searched is asked here too.
                if node is not None and node.kind != FILE:
                    join(footprint, mode(node.number), READ)
            elif name:
                kind = READ if needed is None or len(names) < needed else THROUGH
                here = self._step(node, name, footprint, denied=denied, kind=kind)
        return NOWHERE if gone else here

    @staticmethod
    def _until_it_went(place: Place, footprint: Footprint) -> Node | None:
        """The directory that was there, if it would have been no obstacle."""
        directory = place.directory
        node = None if directory is None else directory.gone.get(place.name)
        if directory is None or node is None:
            return None
        if node.lets_its_owner_in:
            return node
        # Shut by a descriptor that somebody has, since it was removed: before that it kept nobody out.
        join(footprint, entry(directory.number, place.name), READ)
        join(footprint, mode(node.number), READ)
        return None

    def follow(self, place: Place, footprint: Footprint, *, denied: bool) -> Place:
        """The same place, or where the link there leads."""
        for _ in range(LINKS_MAX + 1):
            if place.node is None or place.node.kind != LINK:
                return place
            place = self.walk(place.node.target, place.directory, footprint, denied=denied)
        return NOWHERE

    def _beginning(self, path: str, start: Node | None, footprint: Footprint) -> tuple[Place, list[str]]:
        """Where resolution starts, and the names to come, last one first."""
        if isinstance(path, Relative):
            return Place(None, "", start), path.name.split("/")[::-1]
        if path == OUTSIDE:
            return Place(self.outside, OUTSIDE, self.outside), []
        names = path.split("/")[::-1]
        if names[-1] in {".", ".."}:
            # The cache or a `.` in it; what is beside the cache or a `..` in it: a shown path does not say which.
            here = self._step(self.sandbox, self._cache, footprint, denied=False)
            if here.node is not None:
                join(footprint, mode(here.node.number), READ)
        if path == ".":
            names = [self._cache]
        elif names[-1] == "..":
            names.pop()
        else:
            names.append(self._cache)
        return Place(None, "", self.sandbox), names

    def _step(self, node: Node | None, name: str, footprint: Footprint, *, denied: bool, kind: str = READ) -> Place:
        if node is self.outside:
            join(footprint, entry(node.number, OUTSIDE), READ)
            return Place(node, OUTSIDE, node)
        if node is None or node.kind == FILE:
            return NOWHERE
        join(footprint, mode(node.number), READ)
        if denied and node.mode is not None and not node.mode & _SEARCH_BITS:
            return NOWHERE
        if name == "..":
            join(footprint, MOVES, READ)
            return Place(None, "", node.parent)
        join(footprint, entry(node.number, name), kind)
        return Place(node, name, self._look_up(node, name))

    def _look_up(self, directory: Node, name: str) -> Node | None:
        names = directory.names
        if name not in names:
            if directory.whole:
                return None
            names[name] = node = self.make(UNKNOWN, certain=False)
            node.parent = directory
        return names[name]

    # The start.

    def _plant(self, start: Start) -> None:
        known: dict[int, Node] = {}
        directories = {"": self.sandbox}
        self.sandbox.whole, self.sandbox.mode = True, start.mode
        for found in start.found:
            node = known.get(found.identity)
            if node is None:
                node = known[found.identity] = self.make(found.kind)
                node.mode, node.target, node.empty = found.mode, found.target, found.empty
            above, _, name = found.path.rpartition("/")
            self.put(Place(directories[above], name, None), node)
            if found.kind == DIRECTORY:
                directories[found.path] = node


def is_missing(number: int | None) -> bool:
    """Whether a call ended in ENOENT."""
    return number == errno.ENOENT


def is_denied(number: int | None) -> bool:
    """Whether a call ended in EACCES."""
    return number == errno.EACCES
