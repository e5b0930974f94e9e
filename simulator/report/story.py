"""A story as text: one column an actor, results after ``->``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.explain import Story

_STEP_WIDTH = 7
_COLUMN_WIDTH_MIN = 24


def render_story(story: Story, width: int) -> str:
    """Lines of at most `width` columns (where the paths allow it).

    Args:
        story: what to tell.
        width: of the terminal.
    """
    actors = story.actors
    cells = [f"{line.text} -> {line.result}" for line in story.lines]
    column = max(_COLUMN_WIDTH_MIN, *(len(cell) + 2 for cell in cells))
    # Columns may overlap: an actor's cell is never beside another's on the same line.
    shift = min(column, max(4, (width - _STEP_WIDTH - column) // max(1, len(actors) - 1))) if len(actors) > 1 else 0
    remover, intruder = story.culprits
    rows = [f"{'step':>{_STEP_WIDTH - 2}}  " + "".join(actor.ljust(shift or column) for actor in actors).rstrip()]
    for line, cell in zip(story.lines, cells, strict=True):
        rows.append(f"{line.step:>{_STEP_WIDTH - 2}}  {' ' * (shift * actors.index(line.actor))}{cell}")
    caption = f"{remover} was removing {story.path} while {intruder} was still building in it."
    return "\n".join([*textwrap.wrap(caption, width, break_long_words=False, break_on_hyphens=False), "", *rows])
