"""Steps as text: a line each, a column for each actor, results after ``->``.

As people draw a race: time goes down, and who does what is seen at a glance. Long runs are cut at the front, since what
went wrong is at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.faults import KILL
from simulator.engine.trace import LIST_DESCRIPTOR, LIST_PATH, errno_name, mode_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep

# What fits a screen.
LINES_MAX = 60
_COLUMN_WIDTH_MAX = 46
_GAP = 2
_NUMBER_WIDTH = 4
_NAMES_MAX = 4

_LISTS = frozenset({LIST_PATH, LIST_DESCRIPTOR})
_COUNTS = frozenset({"read", "write", "pread", "pwrite", "sendfile"})
_SHOWS_MODE = frozenset({"chmod", "fchmod"})


def columns(actors: Sequence[str], steps: Sequence[RawStep]) -> str:
    """The last steps of a run.

    Args:
        actors: in the order of their columns.
        steps: all of them.
    """
    first = max(0, len(steps) - LINES_MAX)
    cells = [(actors.index(step[0]), cell(step)) for step in steps[first:]]
    widths = [
        min(_COLUMN_WIDTH_MAX, max([len(name), *(len(text) for place, text in cells if place == column)])) + _GAP
        for column, name in enumerate(actors)
    ]
    starts = [sum(widths[:column]) for column in range(len(actors))]
    header = "".join(name.ljust(width) for name, width in zip(actors, widths, strict=True))
    lines = [f"{'step':>{_NUMBER_WIDTH}}  {header}".rstrip()]
    if first:
        lines.append(f"{'...':>{_NUMBER_WIDTH}}  {first} steps before")
    lines += [
        f"{number:>{_NUMBER_WIDTH}}  {' ' * starts[place]}{text}"
        for number, (place, text) in enumerate(cells, first + 1)
    ]
    return "\n".join(lines)


def cell(step: RawStep) -> str:
    """One step: ``rename new to entry``, ``stat entry -> ENOENT``, ``read entry -> 5 bytes``, ``a is killed here``."""
    actor, _, operation, path, target, mode, number, detail, injected = step
    if operation == KILL:
        return f"{actor} is killed here"
    text = f"{operation} {path}"
    if target is not None:
        text += f" {target}" if operation == "flock" else f" to {target}"
    if mode is not None and operation in _SHOWS_MODE:
        text += f" {mode_digits(mode)}"
    result = errno_name(number) or _told(operation, detail)
    if injected is not None:
        result = f"{result} (injected)".lstrip()
    return f"{text} -> {result}" if result else text


def _told(operation: str, detail: object) -> str:
    if isinstance(detail, tuple) and operation in _LISTS:
        names = [str(name) for name in detail[:_NAMES_MAX]] + (["..."] if len(detail) > _NAMES_MAX else [])
        return ", ".join(names) or "empty"
    if operation in _COUNTS and isinstance(detail, int):
        return f"{detail} byte" + ("" if detail == 1 else "s")
    if operation == "access":
        return "yes" if detail else "no"
    return ""
