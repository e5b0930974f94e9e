"""Rules of the calls that have no method in the kernel: what plain code makes besides (`simulator.bridged`).

Extended attributes count as a part of meta. `access` returns no errno: where it says no, it counts as a call that ended
in EACCES. A change of owner counts for all that there is of an object but its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.exploration.keys import READ, WRITE, Key, data, meta, mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.trace import Step
    from simulator.exploration.tree import Node


class PlainRules:
    """A part of `simulator.exploration.footprints.Follower`, which has what these rules are made of."""

    _denied: bool

    def _touch(self, key: Key, kind: str) -> None:
        raise NotImplementedError

    def _either(self, step: Step) -> list[Node]:
        raise NotImplementedError

    def _read(self, step: Step) -> None:
        raise NotImplementedError

    def _write(self, step: Step) -> None:
        raise NotImplementedError

    def _nothing(self, step: Step) -> None:
        raise NotImplementedError

    def plain(self) -> dict[str, Callable[[Step], None]]:
        """By operation."""
        return {
            "access": self._asked, "listxattr": self._looked, "getxattr": self._looked, "setxattr": self._changed,
            "removexattr": self._changed, "chown": self._changed, "truncate": self._cut, "ftruncate": self._write,
            "pread": self._read, "pwrite": self._write, "sendfile": self._sent, "fsync": self._nothing,
        }  # fmt: skip

    def _looked(self, step: Step) -> None:
        """At its attributes."""
        for node in self._either(step):
            self._touch(mode(node.number), READ)
            self._touch(meta(node.number), READ)

    def _asked(self, step: Step) -> None:
        """Whether it may be used."""
        self._denied = step.detail is not True
        self._looked(step)

    def _changed(self, step: Step) -> None:
        """Owner or attributes."""
        if step.errno is not None:
            self._looked(step)
            return
        for node in self._either(step):
            self._touch(mode(node.number), WRITE)
            self._touch(meta(node.number), WRITE)

    def _cut(self, step: Step) -> None:
        """To a length, by its path."""
        self._looked(step)
        if step.errno is None:
            for node in self._either(step):
                self._touch(data(node.number), WRITE)
                node.empty = False

    def _sent(self, step: Step) -> None:
        """From one descriptor to another."""
        self._read(step)
        self._write(step._replace(path=step.target or ""))
