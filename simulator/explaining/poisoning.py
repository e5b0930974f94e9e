"""The story of a poisoning: the handful of steps, of tens of thousands, that made a directory unreadable.

Found backwards from the effect. The poison is a chmod that takes a directory's own access away and does not end in
its removal. Before it, the call that failed and so set off the handler; if that was an rmdir, the listing it
trusted and whatever somebody put there since. After it, the first calls of others that ran into it.
"""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL
from simulator.engine.trace import CREATE, CREATE_EXCL, LIST_DESCRIPTOR, LIST_PATH, errno_name, mode_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep

# Title, header and a dozen lines at most: what fits a slide and an issue.
VICTIMS_MAX = 2
INTRUDERS_MAX = 1

_MAKES_A_NAME = frozenset({CREATE, CREATE_EXCL, "mkdir", "symlink", "link", "rename"})
_LISTS = frozenset({LIST_PATH, LIST_DESCRIPTOR})


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a story.

    Attributes:
        step: its place in the storm, from 1.
        actor: whose it is.
        text: what it did, paths shortened.
        result: ``ok`` or the errno's name; empty for what has none.
        note: what it means, in a few words that fit beside it.
    """

    step: int
    actor: str
    text: str
    result: str
    note: str


@dataclass(frozen=True, slots=True)
class Story:
    """How one directory was poisoned.

    Attributes:
        path: the directory, relative to the cache.
        mode: the mode it was left with.
        lines: in order.
    """

    path: str
    mode: int
    lines: tuple[Line, ...]

    @property
    def actors(self) -> tuple[str, ...]:
        """Who takes part, in order of appearance."""
        return tuple(dict.fromkeys(line.actor for line in self.lines))

    @property
    def culprits(self) -> tuple[str, str]:
        """Who removed, and who came in between (the same when nobody did)."""
        remover = next(line.actor for line in self.lines if line.text.startswith("chmod"))
        return remover, next((actor for actor in self.actors if actor != remover), remover)


def explain_poisoning(steps: Sequence[RawStep]) -> Story | None:
    """The story of the first poisoning in a storm; None when there was none.

    Args:
        steps: of one storm, from its start.
    """
    for place, step in enumerate(steps):
        if _takes_access_away(step):
            retry = _next_of(steps, place, step[0])
            if retry is None or steps[retry][6] is not None:
                return _tell(steps, place, retry)
    return None


def _takes_access_away(step: RawStep) -> bool:
    _, _, operation, _, _, mode, error, _, _ = step
    # A file without x is usual; no toolchain makes one that its owner cannot read.
    return operation == "chmod" and error is None and mode is not None and not mode & stat.S_IRUSR


def _next_of(steps: Sequence[RawStep], place: int, actor: str) -> int | None:
    return next((at for at in range(place + 1, len(steps)) if steps[at][0] == actor), None)


def _last_of(steps: Sequence[RawStep], place: int, actor: str) -> int | None:
    return next((at for at in range(place - 1, -1, -1) if steps[at][0] == actor), None)


def _tell(steps: Sequence[RawStep], poison: int, retry: int | None) -> Story:
    remover, path = steps[poison][0], steps[poison][3]
    trigger = _last_of(steps, poison, remover)
    told: dict[int, str] = {poison: "meant to make it writable"}
    if trigger is not None:
        told[trigger] = "its error handler runs"
        told.update(_what_came_between(steps, trigger, path))
    if retry is not None:
        told[retry] = f"gives up: {stat.filemode(_mode(steps[poison]))} stays"
    for at in _victims(steps, poison, path, remover):
        told[at] = "locked out"
    # Everything happens in or at the poisoned directory: its own name is enough.
    above = path.rpartition("/")[0]
    lines = tuple(line_of(steps, at, above, note) for at, note in sorted(told.items()))
    return Story(path, steps[poison][5] or 0, lines)


def _mode(step: RawStep) -> int:
    return stat.S_IFDIR | (step[5] or 0)


def _what_came_between(steps: Sequence[RawStep], trigger: int, path: str) -> dict[int, str]:
    """The listing that the failed rmdir trusted, and what others put into the directory since."""
    remover = steps[trigger][0]
    if steps[trigger][6] != errno.ENOTEMPTY:
        return {}
    listing = next(
        (
            at
            for at in range(trigger - 1, -1, -1)
            if steps[at][0] == remover and steps[at][2] in _LISTS and steps[at][3] == path
        ),
        None,
    )
    if listing is None:
        return {}
    told = {listing: "removes what it sees here"}
    intruders = [
        at
        for at in range(listing + 1, trigger)
        if steps[at][0] != remover
        and steps[at][2] in _MAKES_A_NAME
        and steps[at][6] is None
        and _new_parent(steps[at]) == path
    ]
    for at in intruders[-INTRUDERS_MAX:]:
        told[at] = "too late to be seen"
    return told


def _new_parent(step: RawStep) -> str:
    name = step[4] if step[2] in {"rename", "link"} and step[4] else step[3]
    return name.rpartition("/")[0]


def _victims(steps: Sequence[RawStep], poison: int, path: str, remover: str) -> list[int]:
    below = path + "/"
    seen: dict[str, int] = {}
    for at in range(poison + 1, len(steps)):
        step = steps[at]
        if step[6] == errno.EACCES and step[0] != remover and (step[3] == path or step[3].startswith(below)):
            seen.setdefault(step[0], at)
            if len(seen) == VICTIMS_MAX:
                break
    return list(seen.values())


def line_of(steps: Sequence[RawStep], at: int, above: str, note: str) -> Line:
    """A step as a line.

    Args:
        steps: of a storm.
        at: which, from 0.
        above: a directory that needs no telling; empty for none.
        note: what it means.
    """
    actor, _, operation, path, _, mode, error, detail, _ = steps[at]
    if operation == KILL:
        return Line(at + 1, actor, f"{actor} is killed here", "", note)
    text = f"{_WORDS.get(operation, operation)} {path.removeprefix(above + '/') if above else path}"
    if mode is not None and operation == "chmod":
        text += f" {mode_digits(mode)}"
    result = errno_name(error) or "ok"
    if operation in _LISTS and isinstance(detail, tuple):
        result = f"{len(detail)} name" + ("" if len(detail) == 1 else "s")
    return Line(at + 1, actor, text, result, note)


_WORDS = {LIST_DESCRIPTOR: "list", LIST_PATH: "list", CREATE_EXCL: "create"}
