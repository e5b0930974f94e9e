"""Which objects an actor's descriptors are of, as far as the record tells: it names each by the path it was opened by.

Guarantee: `of` holds the object that a descriptor is of, `held` every lock that an actor has. Wider than needed when an
actor has opened one path twice and it led to two objects: each descriptor of that path then counts for both until all
of them are closed; and when an actor has several descriptors of one file, any of which may hold its lock.
Cost: closing looks at each path that the actor has open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.exploration.tree import Node


class _Opened:
    """The descriptors of one actor that were opened by one path."""

    __slots__ = ("count", "nodes")

    def __init__(self) -> None:
        self.count = 0
        # A dictionary for its order.
        self.nodes: dict[Node, None] = {}


class Descriptors:
    """Those of all actors."""

    def __init__(self) -> None:
        self._opened: dict[str, dict[str, _Opened]] = {}
        self._held: dict[str, dict[Node, bool]] = {}

    def open(self, actor: str, path: str, nodes: Iterable[Node]) -> None:
        """A descriptor more, of one of `nodes`."""
        opened = self._opened.setdefault(actor, {}).setdefault(path, _Opened())
        opened.count += 1
        opened.nodes.update(dict.fromkeys(nodes))

    def of(self, actor: str, path: str) -> list[Node]:
        """What a descriptor that was opened by `path` may be of; empty if there is none."""
        opened = self._opened.get(actor, {}).get(path)
        return [] if opened is None else list(opened.nodes)

    def close(self, actor: str, path: str) -> None:
        """A descriptor less."""
        mine = self._opened[actor]
        nodes = list(mine[path].nodes)
        mine[path].count -= 1
        if not mine[path].count:
            del mine[path]
        for node in nodes:
            if not self._count(actor, node):
                self._held.get(actor, {}).pop(node, None)

    def give(self, actor: str, path: str, heir: str) -> None:
        """`heir` gets a copy, with the lock if there is one."""
        nodes = self.of(actor, path)
        self.open(heir, path, nodes)
        held = self._held.get(actor, {})
        # Of one lock that two have, the one does not see when the other changes its kind.
        copied = dict.fromkeys((node for node in nodes if node in held), False)
        held.update(copied)
        self._held.setdefault(heir, {}).update(copied)

    def end(self, actor: str) -> None:
        """The process is gone."""
        self._opened.pop(actor, None)
        self._held.pop(actor, None)

    def held(self, actor: str) -> dict[Node, bool]:
        """What the actor may have locked, and whether for certain it only shares it."""
        return dict(self._held.get(actor, {}))

    def locked(self, actor: str, nodes: Iterable[Node], *, shared: bool) -> None:
        """The actor has locked one of `nodes`, for itself or `shared` with others."""
        held = self._held.setdefault(actor, {})
        for node in nodes:
            # Of two descriptors one may be locked this way and one that.
            held[node] = shared and held.get(node, True)

    def unlocked(self, actor: str, nodes: list[Node]) -> None:
        """The actor has given up the lock on one of `nodes`."""
        if len(nodes) == 1 and self._count(actor, nodes[0]) == 1:
            self._held.get(actor, {}).pop(nodes[0], None)

    def _count(self, actor: str, node: Node) -> int:
        return sum(opened.count for opened in self._opened.get(actor, {}).values() if node in opened.nodes)
