"""What must not swap, as text: the sentence, and the steps around the pair in a column an actor.

Guarantees: as `simulator.report.story`. Costs: nothing.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from simulator.explaining.poisoning import line_of
from simulator.explaining.swap import common_directory
from simulator.report.story import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep
    from simulator.explaining.poisoning import Line
    from simulator.explaining.swap import Explanation

# How many steps of each of the two are shown before the pair, and after it.
_AROUND = 2


def swap_rows(explanation: Explanation, width: int) -> list[tuple[str, str]]:
    """Lines in two parts, as of `simulator.report.story.story_rows`."""
    sentence = explanation.sentence
    words = f"{sentence[0].upper()}{sentence[1:]}."
    told = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
    lines = lines_around(explanation)
    if lines:
        actors = tuple(sorted({line.actor for line in lines}))
        told.append("")
        return [*((line, "") for line in told), *columns(lines, width, actors)]
    return [(line, "") for line in told]


def render_swap(explanation: Explanation, width: int) -> list[str]:
    """`swap_rows` as lines."""
    return [row + note for row, note in swap_rows(explanation, width)]


def swap_document(explanation: Explanation, width: int) -> dict[str, object]:
    """As in the `replay` document."""
    return {**explanation.document(), "lines": render_swap(explanation, width)}


def lines_around(explanation: Explanation) -> list[Line]:
    """The pair, some steps of its two actors around it, and the call that failed; nothing unless it is one pair."""
    if explanation.pair is None:
        return []
    steps = explanation.steps
    first, second = explanation.pair
    above = common_directory([steps[first][3], steps[second][3]])
    notes = {at: "" for place in (first, second) for at in _around(steps, place, above)}
    if explanation.failed is not None:
        notes[explanation.failed] = "fails"
    notes[first] = "the other way round, it would pass" if not explanation.instead else "the other way round,"
    notes[second] = "" if not explanation.instead else f"no {explanation.kept}"
    return [line_of(steps, place, above.rstrip("/"), notes[place]) for place in sorted(notes)]


def _around(steps: Sequence[RawStep], place: int, above: str) -> list[int]:
    """The places of a step and of its actor's steps around it, below `above`."""
    mine = [at for at, step in enumerate(steps) if step[0] == steps[place][0] and step[3].startswith(above)]
    at = mine.index(place)
    return mine[max(0, at - _AROUND) : at + _AROUND + 1]
