"""Usual names: the builds that are left become build-1, build-2 and so on, in order of appearance.

Two shrunk runs of one race then look alike, whoever was in it. Whether builds can stand for each other (the same work,
nothing injected into one of them) only a run can tell: with numbers of steps for places, a plan under other names makes
the same run if they can.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simulator.shrink.plan import Piece, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NUMBERED = re.compile(r"(?P<word>.+)-(?P<number>[1-9][0-9]*)", re.ASCII)


def usual_names(plan: Plan, names: Sequence[str]) -> Iterator[Plan]:
    """The plan under the usual names, if it has others.

    Args:
        plan: whose places are numbers of steps.
        names: of all actors of the run, in their order.
    """
    renamed = _usual(plan.actors, names)
    if any(name != other for name, other in renamed.items()):
        yield Plan(
            tuple(Piece(renamed[piece.actor], piece.until) for piece in plan.pieces),
            tuple(strike._replace(actor=renamed[strike.actor]) for strike in plan.strikes),
        )


def _usual(actors: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """For each actor its usual name: the first of its kind that there is, in order of appearance."""
    free: dict[str, list[str]] = {}
    for name in names:
        free.setdefault(_kind(name), []).append(name)
    return {actor: free[_kind(actor)].pop(0) for actor in actors}


def _kind(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return match["word"] if match else name
