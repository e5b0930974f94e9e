"""What may be a smaller plan of the same failure: first a guess, then delta debugging.

A failing call has fallen over something that another actor did just before. If that is all there is to it, two actors
and one moment are enough, and a plan that says only this needs no search.

Otherwise actors, pieces and injected failures are left out in chunks: half of them, a quarter, and so on to single
ones, the last first, as what comes after the failure is of no use.

Source: A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input" (2002), delta debugging; of it
only the complements, since a few pieces of a schedule without the rest show nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from simulator.exploration.footprints import conflict, footprints
from simulator.shrink.keep import Poisoned, poisoned_in
from simulator.shrink.plan import Piece, Plan, after, before, plan_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint
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


class Fall(NamedTuple):
    """A failing call, and what somebody else did before that it fell over; places in the storm."""

    cause: int
    failed: int


def falls_of(trial: Trial, keep: Keep, start: Start) -> list[Fall]:
    """Where a run came to fail like this, as far as that can be told: the most likely place first.

    For a poisoned directory that is the call whose error handler closed it; for a violation, the last failing call of
    each actor that its sentence names. The cause is the last step of another actor that conflicts with that call; the
    first of those that it made unseen may be cause enough.

    Args:
        trial: that fails.
        keep: how.
        start: what was in the sandbox before.
    """
    steps = trial.storm
    failed = list(dict.fromkeys((*_behind_poison(trial, keep), *_behind_violation(trial, keep))))
    touched = footprints(steps[: max(failed) + 1], start) if failed else []
    falls = []
    for place in failed:
        others = (at for at in range(place - 1, -1, -1) if steps[at][0] != steps[place][0])
        cause = next((at for at in others if conflict(touched[at], touched[place])), None)
        if cause is not None:
            causes = (_first_unseen(steps, touched, Fall(cause, place)), cause)
            falls += [Fall(at, place) for at in dict.fromkeys(causes)]
    return falls


def _first_unseen(steps: Sequence[RawStep], touched: Sequence[Footprint], fall: Fall) -> int:
    """Of the steps that a call fell over, the first that its actor could not know of: it met none of them before."""
    first = fall.cause
    theirs = [at for at in range(fall.cause) if steps[at][0] == steps[fall.cause][0]]
    mine = [at for at in range(fall.failed) if steps[at][0] == steps[fall.failed][0]]
    for at in reversed(theirs):
        if conflict(touched[at], touched[fall.failed]):
            if any(seen > at and conflict(touched[seen], touched[at]) for seen in mine):
                break
            first = at
    return first


def _behind_poison(trial: Trial, keep: Keep) -> list[int]:
    """The calls whose error handlers closed what is to be kept closed."""
    if not isinstance(keep, Poisoned):
        return []
    steps = trial.storm
    paths = poisoned_in(trial) if keep.path is None else (keep.path,)
    closed = [place for place, step in enumerate(steps) if step[2] == "chmod" and step[6] is None and step[3] in paths]
    return [at for place in closed for at in _last_failure(steps, steps[place][0], place)]


def _behind_violation(trial: Trial, keep: Keep) -> list[int]:
    """The calls that those ended with whom the violation names."""
    steps = trial.storm
    actors = dict.fromkeys(step[0] for step in steps)
    told = [violation.sentence for violation in trial.violations if violation.signature == keep.told]
    named = [actor for sentence in told for actor in actors if f"{actor} " in sentence]
    return [at for actor in named for at in _last_failure(steps, actor, len(steps))]


def _last_failure(steps: Sequence[RawStep], actor: str, end: int) -> list[int]:
    """The last step before `end` that failed by itself, if there is one."""
    for place in range(end - 1, -1, -1):
        if steps[place][0] == actor and steps[place][6] is not None and steps[place][8] is None:
            return [place]
    return []


def guesses(trial: Trial, falls: Sequence[Fall]) -> Iterator[Plan]:
    """Plans that would do if a fall is all there is to it.

    One actor waits before its call until the other one has made its step; that one begins first, or comes then.
    """
    steps = trial.storm
    for cause, failed in falls:
        both = plan_of(steps).only((steps[cause][0], steps[failed][0]))
        pieces = (before(steps, cause), before(steps, failed), after(steps, cause), Piece(steps[failed][0], None))
        yield replace(both, pieces=pieces[1:])
        yield replace(both, pieces=pieces)
