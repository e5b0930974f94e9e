"""Which objects a call reaches by its paths and descriptors, and what it reads on the way.

Common to steps that were made (`simulator.exploration.footprints`) and calls that are pending
(`simulator.exploration.pending`). Calls that only look are here as well: they change nothing of the shadow, and what
one reads when it succeeds is the most that it can read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.paths import OUTSIDE, Relative
from simulator.engine.trace import LIST_DESCRIPTOR, LIST_PATH
from simulator.exploration.keys import EVERYTHING, READ, WRITE, Footprint, data, entry, join, listing, meta, mode
from simulator.exploration.tree import DIRECTORY, Node, Place, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.engine.trace import Step
    from simulator.exploration.descriptors import Descriptors
    from simulator.exploration.keys import Key

    Rule = Callable[[Step], None]


class LostTrackError(Exception):
    """The record does not say which object a call changed."""


class Reach:
    """Gathers a footprint. `touched`, `denied` and `needed` (as of `Tree.walk`) are of the call at hand.

    Args:
        tree: the shadow.
        descriptors: of all actors.
    """

    def __init__(self, tree: Tree, descriptors: Descriptors) -> None:
        self.tree = tree
        self.descriptors = descriptors
        self._touched: Footprint = {}
        self._denied = False
        self._needed: int | None = None
        self._outside = (entry(tree.outside.number, OUTSIDE), mode(tree.outside.number))
        self._looks: dict[str, Rule] = {
            "stat": self._stat, "lstat": self._lstat, "fstat": self._fstat, "readlink": self._readlink,
            LIST_PATH: self._list, LIST_DESCRIPTOR: self._list_descriptor, "read": self._read,
            "mount-id": self._nothing,
        }  # fmt: skip

    def _touch(self, key: Key, kind: str) -> None:
        join(self._touched, key, kind)

    def _whole(self) -> Footprint:
        """What was gathered; a change outside of the sandbox concerns everybody, as the way to it is in there."""
        if any(self._touched.get(key) == WRITE for key in self._outside):
            self._touch(EVERYTHING, WRITE)
        return self._touched

    @staticmethod
    def _unknown(step: Step) -> None:
        raise LostTrackError(step.operation)

    def _nothing(self, step: Step) -> None:
        """Depends on nothing that a step changes."""

    # Paths.

    def _places(self, step: Step, path: str) -> list[Place]:
        """Where a path leads, its last component not followed; several where a descriptor may be of several objects."""
        if not isinstance(path, Relative):
            return [self.tree.walk(path, None, self._touched, denied=self._denied, needed=self._needed)]
        starts = self.descriptors.of(step.actor, path.directory)
        if not starts:
            raise LostTrackError(path)
        if path.name and any(node.may_be_directory for node in starts):
            starts = [node for node in starts if node.may_be_directory]
        return [self.tree.walk(path, node, self._touched, denied=self._denied, needed=self._needed) for node in starts]

    def _follow(self, place: Place) -> Place:
        return self.tree.follow(place, self._touched, denied=self._denied)

    def _either(self, step: Step) -> list[Node]:
        """What a call that follows a last link, or does not, may have been made on."""
        nodes: dict[Node, None] = {}
        for place in self._places(step, step.path):
            for node in (place.node, self._follow(place).node):
                if node is not None:
                    nodes[node] = None
        return list(nodes)

    def _of(self, step: Step) -> list[Node]:
        """What a descriptor is of."""
        nodes = self.descriptors.of(step.actor, step.path)
        if not nodes:
            raise LostTrackError(step.path)
        return nodes

    # Looks.

    def _seen(self, nodes: Iterable[Node | None]) -> None:
        """What a stat shows: of a file its size and times, of a directory its times once somebody has set them."""
        for node in nodes:
            if node is None:
                continue
            self._touch(mode(node.number), READ)
            self._touch(meta(node.number), READ)
            if node.kind != DIRECTORY:
                self._touch(data(node.number), READ)
            if node.dated:
                self._touch(listing(node.number), READ)

    def _stat(self, step: Step) -> None:
        self._seen(self._follow(place).node for place in self._places(step, step.path))

    def _lstat(self, step: Step) -> None:
        places = self._places(step, step.path)
        self._seen(place.node for place in places)
        if step.path == ".":
            # Perhaps `cache/.`, and the cache a link.
            self._seen(self._follow(place).node for place in places)

    def _fstat(self, step: Step) -> None:
        self._seen(self._of(step))

    def _readlink(self, step: Step) -> None:
        self._places(step, step.path)

    def _list(self, step: Step) -> None:
        for node in [self._follow(place).node for place in self._places(step, step.path)]:
            if node is not None:
                self._touch(mode(node.number), READ)
                if step.errno is None:
                    self._touch(listing(node.number), READ)

    def _list_descriptor(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(listing(node.number), READ)

    def _read(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(data(node.number), WRITE if node.shared else READ)
