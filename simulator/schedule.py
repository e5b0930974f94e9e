"""Schedules in segments: who moved, for how many steps; short, because "the current actor goes on" is the default.

``b4:10,c:11,b7:10,c`` reads: build 4 makes 10 steps, the cleaner 11, build 7 10, then the cleaner to its end. An
actor's code is the initial of its name with its number (``build-4`` is ``b4``, ``cleaner`` is ``c``), or all of its
name where that would be another's as well. ``b4:10x``: the last of these ten steps is its end, it is killed there (`!`,
the obvious sign, is history expansion in a shell). ``b4:10@ENOSPC``: the last of them fails, by injection; ``@``
takes what a fault takes (`simulator.engine.faults`): ``@ENOSPC:after``, ``@build-error``. ``b4:10,b7:3,-``: nobody
else takes part; whoever is not named is killed before its first step, when the others are through. No character of it
needs quoting in a shell.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.engine.faults import ACTIONS, AFTER, BEFORE, BUILD_ERROR, ERRNO_OPERATIONS, KILL, SHORT
from simulator.engine.trace import errno_name
from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from simulator.engine.trace import RawStep

# The operation of the step in which a process that has ended gives up what it had open.
EXIT = "exit"

# In place of a code, at the end: who is not named takes no part.
NOBODY_ELSE = "-"

_SEGMENT = re.compile(
    r"(?P<code>[a-z][a-z0-9_]*)(?::(?P<length>[1-9][0-9]*)(?:(?P<killed>x)|@(?P<fault>[A-Za-z:-]+))?)?", re.ASCII
)
_FORM = "CODE, CODE:LENGTH, CODE:LENGTHx or CODE:LENGTH@FAULT, e.g. b4:10"


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps of one actor.

    Attributes:
        code: of the actor; or `NOBODY_ELSE`.
        length: how many steps; None for all that it has left.
        killed: whether the last of them is that it is killed.
        fault: what happens to the last of them, by injection: an action, with ``:after`` or ``:short`` if it is not
            before the effect; empty for nothing.
    """

    code: str
    length: int | None
    killed: bool = False
    fault: str = ""

    def __str__(self) -> str:
        """The pasteable form."""
        if self.length is None:
            return self.code
        return f"{self.code}:{self.length}" + ("x" if self.killed else f"@{self.fault}" if self.fault else "")


def code_of(actor: str) -> str:
    """``build-4`` -> ``b4``, ``cleaner`` -> ``c``, ``cleaner-2`` -> ``c2``."""
    word, _, number = actor.partition("-")
    return (re.sub(r"[^a-z]", "", word[:1].lower()) or "a") + (number if number.isdecimal() else "")


def codes_of(actors: Sequence[str]) -> dict[str, str]:
    """The code of each actor of a run: the short one unless two would share it, then all of its letters and digits.

    Args:
        actors: the names of all, in their order; if even the long ones are not enough, it is their place that counts.
    """
    shared = Counter(map(code_of, actors))
    codes = {name: code_of(name) if shared[code_of(name)] == 1 else _letters(name) for name in actors}
    if len(set(codes.values())) < len(codes):
        return {name: f"a{place}" for place, name in enumerate(actors, 1)}
    return codes


def _letters(actor: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "_", actor.lower())
    return letters if letters[:1].isalpha() else f"a{letters}"


def segments_of(steps: Iterable[RawStep], codes: Mapping[str, str] | None = None) -> list[Segment]:
    """The schedule that a run followed, with all that was injected into it.

    Args:
        steps: of its storm, in order.
        codes: of its actors, as `codes_of` has them; None where the short ones differ.
    """
    segments: list[Segment] = []
    for step in steps:
        code = code_of(step[0]) if codes is None else codes[step[0]]
        killed, fault = step[2] == KILL, injected_into(step)
        last = segments[-1] if segments else None
        if last is not None and last.code == code and last.fault and step[2] == EXIT:
            # It ended of that: nobody chooses this step.
            continue
        if last is not None and last.code == code and last.length is not None and not last.fault:
            segments[-1] = Segment(code, last.length + 1, killed, fault)
        else:
            segments.append(Segment(code, 1, killed, fault))
    return segments


def compact(steps: Sequence[RawStep], actors: Sequence[str]) -> list[Segment]:
    """The shortest schedule that `simulator.strategies.replay` follows to the same run.

    Whoever is killed before its first step, when all others are through, is not named; an actor's last segment has no
    length unless something is injected into its end; and at the end what needs no choice is left out.

    Args:
        steps: of a storm, from its first to its last.
        actors: the names of all, in their order.
    """
    codes = codes_of(actors)
    started = {step[0] for step in steps if step[2] != KILL}
    absent = len(steps)
    while absent and steps[absent - 1][2] == KILL and steps[absent - 1][0] not in started:
        absent -= 1
    segments = segments_of(steps[:absent], codes)
    last = {segment.code: place for place, segment in enumerate(segments)}
    for place in last.values():
        if not segments[place].killed and not segments[place].fault:
            segments[place] = Segment(segments[place].code, None)
    if len(segments) > 1 and segments[-1].length is None and _is_left_alone(segments):
        segments.pop()
    return [*segments, Segment(NOBODY_ELSE, None)] if absent < len(steps) else segments


def _is_left_alone(segments: Sequence[Segment]) -> bool:
    """Whether the last segment is what follows anyhow: its actor has begun, and every other one is at its end."""
    *before, last = segments
    begun = {segment.code for segment in before}
    ended = {segment.code for segment in before if segment.length is None or segment.killed}
    return last.code in begun and begun - {last.code} <= ended


def injected_into(step: RawStep) -> str:
    """What was injected into a step, but a kill, as in `Segment.fault`."""
    if step[8] is None:
        return ""
    if step[2] == BUILD_ERROR:
        return BUILD_ERROR
    if step[8] == SHORT:
        # Whichever it was, half is written.
        return f"ENOSPC:{SHORT}"
    return f"{errno_name(step[6])}" + (f":{AFTER}" if step[8] == AFTER else "")


def format_segments(segments: Iterable[Segment]) -> str:
    """The pasteable form."""
    return ",".join(map(str, segments))


def parse_segments(text: str) -> list[Segment]:
    """Read the pasteable form.

    Raises:
        BadInputError: a segment is none, or something follows the sign that nobody else takes part.
    """
    segments = []
    parts = text.split(",")
    for place, part in enumerate(parts):
        if part == NOBODY_ELSE and 0 < place == len(parts) - 1:
            segments.append(Segment(NOBODY_ELSE, None))
            continue
        match = _SEGMENT.fullmatch(part)
        fault = _fault(match["fault"]) if match is not None else None
        if match is None or fault is None:
            raise BadInputError("bad-schedule", part, f"schedule segment '{part}' is not {_FORM}")
        length = int(match["length"]) if match["length"] else None
        segments.append(Segment(match["code"], length, match["killed"] is not None, fault))
    return segments


def _fault(text: str | None) -> str | None:
    """A fault as it is written; None when there is none of the kind."""
    if text is None:
        return ""
    action, _, when = text.partition(":")
    known = action in ACTIONS and action != KILL
    fits = when in {AFTER, SHORT} if action in ERRNO_OPERATIONS and ":" in text else text == action
    return text if known and fits else None


def split_fault(fault: str) -> tuple[str, str]:
    """Of `Segment.fault`, the action and when it strikes."""
    action, _, when = fault.partition(":")
    return action, when or BEFORE
