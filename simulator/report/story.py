"""A story as text: one column an actor, results after ``->``, what it means at the right where there is room."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.explaining.poisoning import Line, Story

_STEP_WIDTH = 7
# Between a cell and its note.
_GAP = 3


def render_story(story: Story, width: int) -> str:
    """`story_rows` as lines."""
    return "\n".join(row + note for row, note in story_rows(story, width))


def story_rows(story: Story, width: int) -> list[tuple[str, str]]:
    """Lines of at most `width` columns (where the paths allow it), each in two parts: what happened, what it means.

    Args:
        story: what to tell.
        width: of the terminal.
    """
    remover, intruder = story.culprits
    caption = f"{remover} was removing {story.path} while {intruder} was still building in it."
    told = [*textwrap.wrap(caption, width, break_long_words=False, break_on_hyphens=False), ""]
    return [*((line, "") for line in told), *columns(story.lines, width)]


def columns(lines: Sequence[Line], width: int, actors: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Steps in a column an actor, below a line with their names; in two parts as `story_rows`.

    Args:
        lines: the steps.
        width: of the terminal.
        actors: in which order they stand; that of their appearance if not given.
    """
    actors = actors or tuple(dict.fromkeys(line.actor for line in lines))
    cells = [
        (actors.index(line.actor), f"{line.text} -> {line.result}" if line.result else line.text) for line in lines
    ]
    notes = max(len(line.note) for line in lines)
    shift = _shift(cells, actors, width, notes + _GAP)
    header = f"{'step':>{_STEP_WIDTH - 2}}  " + "".join(actor.ljust(shift) for actor in actors).rstrip()
    rows = [
        f"{line.step:>{_STEP_WIDTH - 2}}  {' ' * (shift * place)}{cell}"
        for line, (place, cell) in zip(lines, cells, strict=True)
    ]
    margin = min(width - notes, max(map(len, rows)) + _GAP)
    beside = [_beside(row, line.note, margin, width) for row, line in zip(rows, lines, strict=True)]
    return [(header, ""), *zip(rows, beside, strict=True)]


def _shift(cells: list[tuple[int, str]], actors: tuple[str, ...], width: int, beside: int) -> int:
    """How far the columns are apart: with room for the notes if that can be, and for the names of actors in any case.

    Columns may overlap: an actor's cell is never beside another's on the same line.
    """
    least = max(map(len, actors)) + 1
    most = max(least, *(len(cell) + 2 for _, cell in cells))
    for room in (width - _STEP_WIDTH - beside, width - _STEP_WIDTH):
        for shift in range(most, least - 1, -1):
            if all(shift * place + len(cell) <= room for place, cell in cells):
                return shift
    return least


def _beside(row: str, note: str, margin: int, width: int) -> str:
    """A note at the margin, or as near to it as it fits; nothing where it does not."""
    start = max(margin, len(row) + _GAP)
    if not note:
        return ""
    return " " * (start - len(row)) + note if start + len(note) <= width else ""
