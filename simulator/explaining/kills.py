"""A kill that a failure takes: without it, the same schedule does not fail so.

Whoever was killed goes on in the run that tells this, to its end, where it was killed. It is not told of a kill that
strikes all the same, as a fault of the scenario's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.engine.trace import RawStep
    from simulator.shrink.plan import Plan, Strike

# How many kills are left out in turn.
_KILLS_MAX = 4


def spared(plan: Plan) -> Iterator[tuple[Plan, tuple[Strike, ...]]]:
    """A plan without one of its kills, and at last without all of them; and the kills."""
    kills = tuple(strike for strike in plan.strikes if strike.action == KILL)
    together = [kills] if len(kills) > 1 else []
    for left_out in (*((kill,) for kill in kills[:_KILLS_MAX]), *together):
        yield replace(plan, strikes=tuple(strike for strike in plan.strikes if strike not in left_out)), left_out


def made_instead(run: Sequence[RawStep], kills: Sequence[Strike]) -> tuple[RawStep, ...]:
    """The steps that somebody made in another run where it had been killed; none if somebody of them was killed."""
    made = []
    for kill in kills:
        mine = [step for step in run if step[0] == kill.actor]
        if len(mine) < kill.step or any(step[2] == KILL for step in mine):
            return ()
        made.append(mine[kill.step - 1])
    return tuple(made)
