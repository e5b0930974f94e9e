"""What of a plan may be left out, and who may be enough.

Actors, pieces and injected failures are left out in chunks: half of them, a quarter, and so on to single ones, the last
first, as what comes after the failure is of no use.

Source: A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input" (2002), delta debugging; of it only
the complements, since a few pieces of a schedule without the rest show nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.exploration.footprints import conflict, footprints
from simulator.explain import explain_poisoning
from simulator.shrink.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start
    from simulator.search.subject import Trial
    from simulator.shrink.keep import Keep


# A plan without what has these places of something.
Leave = Callable[[Plan, int, int], Plan]


def without_actors(plan: Plan, first: int, last: int) -> Plan:
    """Without some of those who take part, by the place of their first appearance."""
    actors = plan.actors
    return plan.only((*actors[:first], *actors[last:]))


def without_pieces(plan: Plan, first: int, last: int) -> Plan:
    """Without some of the pieces."""
    return plan.without(first, last)


def without_strikes(plan: Plan, first: int, last: int) -> Plan:
    """Without some of what is injected."""
    return replace(plan, strikes=(*plan.strikes[:first], *plan.strikes[last:]))


# What is left out in turn, and how much of it a plan has.
STAGES: tuple[tuple[Leave, Callable[[Plan], int]], ...] = (
    (without_actors, lambda plan: len(plan.actors)),
    (without_pieces, lambda plan: len(plan.pieces)),
    (without_strikes, lambda plan: len(plan.strikes)),
)


def suspects_of(trial: Trial, keep: Keep, start: Start) -> list[tuple[str, ...]]:
    """Sets of actors that may be enough to fail like this, the most likely first.

    Args:
        trial: that fails.
        keep: how.
        start: what was in the sandbox before.
    """
    steps = trial.storm
    actors = list(dict.fromkeys(step[0] for step in steps))
    found: list[tuple[str, ...]] = []
    story = explain_poisoning(steps)
    if story is not None:
        found.append(tuple(dict.fromkeys(story.culprits)))
    for violation in trial.violations:
        if violation.signature == keep.told:
            named = tuple(actor for actor in actors if f"{actor} " in violation.sentence)
            if named:
                found.append(tuple(dict.fromkeys((*named, *_met_last(steps, named[0], start)))))
                found.append(named)
    return found


def _met_last(steps: Sequence[RawStep], actor: str, start: Start) -> list[str]:
    """Who touched last what the last failing call of `actor` fell over."""
    failed = [place for place, step in enumerate(steps) if step[0] == actor and step[6] is not None]
    if not failed:
        return []
    touched = footprints(steps[: failed[-1] + 1], start)
    for place in range(failed[-1] - 1, -1, -1):
        if steps[place][0] != actor and conflict(touched[place], touched[failed[-1]]):
            return [steps[place][0]]
    return []
