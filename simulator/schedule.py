"""Schedules in segments: who moved, for how many steps; short, because "the current actor goes on" is the default.

``b4:10,c:11,b7:10,c`` reads: build 4 makes 10 steps, the cleaner 11, build 7 10, then the cleaner to its end. An
actor's code is the initial of its name with its number (``build-4`` is ``b4``, ``cleaner`` is ``c``). ``b4:10x``: the
last of these ten steps is its end, it is killed there (`!`, the obvious sign, is history expansion in a shell). No
character of it needs quoting in a shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL
from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.engine.trace import RawStep

_SEGMENT = re.compile(r"(?P<code>[a-z]+[0-9]*)(?::(?P<length>[1-9][0-9]*)(?P<killed>x)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps of one actor.

    Attributes:
        code: of the actor.
        length: how many steps; None for all that it has left.
        killed: whether the last of them is that it is killed.
    """

    code: str
    length: int | None
    killed: bool = False


def code_of(actor: str) -> str:
    """``build-4`` -> ``b4``, ``cleaner`` -> ``c``, ``cleaner-2`` -> ``c2``."""
    word, _, number = actor.partition("-")
    return word[0] + (number if number.isdigit() else "")


def segments_of(steps: Iterable[RawStep]) -> list[Segment]:
    """The schedule that a run followed."""
    segments: list[Segment] = []
    for step in steps:
        code, killed = code_of(step[0]), step[2] == KILL
        last = segments[-1] if segments else None
        if last is not None and last.code == code and last.length is not None:
            segments[-1] = Segment(code, last.length + 1, killed)
        else:
            segments.append(Segment(code, 1, killed))
    return segments


def format_segments(segments: Sequence[Segment]) -> str:
    """The pasteable form."""
    return ",".join(
        item.code if item.length is None else f"{item.code}:{item.length}{'x' if item.killed else ''}"
        for item in segments
    )


def parse_segments(text: str) -> list[Segment]:
    """Read the pasteable form.

    Raises:
        BadInputError: a segment is not ``CODE`` or ``CODE:LENGTH``.
    """
    segments = []
    for part in text.split(","):
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise BadInputError(
                "bad-schedule", part, f"schedule segment '{part}' is not CODE, CODE:LENGTH or CODE:LENGTHx, e.g. b4:10"
            )
        segments.append(
            Segment(match["code"], int(match["length"]) if match["length"] else None, match["killed"] is not None)
        )
    return segments
