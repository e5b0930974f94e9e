"""Usual names: the builds that are left become build-1, build-2 and so on, in order of appearance.

Two shrunk runs of one race then look alike, whoever was in it. Whether builds can stand for each other (the same work,
nothing injected into one of them) only a run can tell: with numbers of steps for places, a plan under other names makes
the same run if they can. Where build-2 cannot, build-3 may.
"""

from __future__ import annotations

import re
from itertools import combinations, islice
from typing import TYPE_CHECKING

from simulator.shrink.plan import Piece, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NUMBERED = re.compile(r"(?P<word>.+)-(?P<number>[1-9][0-9]*)", re.ASCII)
# Each costs a run, and names are only names.
_TRIES_MAX = 4


def usual_names(plan: Plan, names: Sequence[str]) -> Iterator[Plan]:
    """The plan under more usual names than it has, the most usual first.

    Args:
        plan: whose places are numbers of steps.
        names: of all actors of the run, in their order.
    """
    kinds: dict[str, list[str]] = {}
    for actor in plan.actors:
        kinds.setdefault(_kind(actor), []).append(actor)
    for kind, actors in kinds.items():
        known = [name for name in names if _kind(name) == kind]
        for usual in islice(combinations(known, len(actors)), _TRIES_MAX):
            if list(usual) == actors:
                break
            yield _renamed(plan, dict(zip(actors, usual, strict=True)))


def _renamed(plan: Plan, names: dict[str, str]) -> Plan:
    return Plan(
        tuple(Piece(names.get(piece.actor, piece.actor), piece.until) for piece in plan.pieces),
        tuple(strike._replace(actor=names.get(strike.actor, strike.actor)) for strike in plan.strikes),
    )


def _kind(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return match["word"] if match else name
