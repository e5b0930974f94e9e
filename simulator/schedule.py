"""Schedules in segments: who moved, for how many steps; short, because "the current actor goes on" is the default.

``b4:10,c:11,b7:10,c`` reads: build 4 makes 10 steps, the cleaner 11, build 7 10, then the cleaner to its end. An
actor's code is the initial of its name with its number (``build-4`` is ``b4``, ``cleaner`` is ``c``). No character
of it needs quoting in a shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.engine.trace import RawStep

_SEGMENT = re.compile(r"(?P<code>[a-z]+[0-9]*)(?::(?P<length>[1-9][0-9]*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Segment:
    """`length` steps of one actor; None for all that it has left."""

    code: str
    length: int | None


def code_of(actor: str) -> str:
    """``build-4`` -> ``b4``, ``cleaner`` -> ``c``, ``cleaner-2`` -> ``c2``."""
    word, _, number = actor.partition("-")
    return word[0] + (number if number.isdigit() else "")


def segments_of(steps: Iterable[RawStep]) -> list[Segment]:
    """The schedule that a run followed."""
    segments: list[Segment] = []
    current, length = "", 0
    for step in steps:
        if step[0] != current:
            if length:
                segments.append(Segment(code_of(current), length))
            current, length = step[0], 0
        length += 1
    if length:
        segments.append(Segment(code_of(current), length))
    return segments


def format_segments(segments: Sequence[Segment]) -> str:
    """The pasteable form."""
    return ",".join(item.code if item.length is None else f"{item.code}:{item.length}" for item in segments)


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
                "bad-schedule", part, f"schedule segment '{part}' is not CODE or CODE:LENGTH, e.g. b4:10"
            )
        segments.append(Segment(match["code"], int(match["length"]) if match["length"] else None))
    return segments
