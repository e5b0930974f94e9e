"""What a systematic search may say of itself, in words that are true.

A statement of completeness names the scope, what was tried in it and what was held fixed. One that is not complete says
how far the search got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.search.result import BUDGET, EXHAUSTED, INTERRUPTED, SCHEDULES
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.search.limits import Limits

# What is held fixed, whatever the scope.
FIXED = (
    "listings sorted and atomic; a lock that is held disables whoever waits for it; kills between calls only; no faults"
    " but the scenario's own, as the seed draws them; one step a call"
)

_KILLS = {0: "without a kill", 1: "without a kill and with every single one", 2: "with every kill and pair of kills"}


def complete(digest: str, runs: int, kills: int, kill_sets: int) -> str:
    """Everything was made.

    Args:
        digest: of the subject.
        runs: how many were made to their end.
        kills: how many a run may have.
        kill_sets: how many sets of kills there were, the empty one included.
    """
    places = "" if not kills else f" ({counted(kill_sets, 'set')} of kill points)"
    return (
        f"complete: all inequivalent interleavings of {digest} {_KILLS[kills]}{places}, in {counted(runs, 'run')}. Held"
        f" fixed: {FIXED}"
    )


def beside_clocks(bound: str, clocks: Mapping[str, str], *, over: bool) -> str:
    """A statement where actors looked at clocks that the steps of everybody move.

    Args:
        bound: the statement without that.
        clocks: who looked, and by what.
        over: whether `bound` says that nothing is missing.
    """
    who = ", ".join(f"{name} looked at a clock ({how})" for name, how in clocks.items())
    why = (
        f"{who}, and every step of anybody moves the clocks, so interleavings that count as equivalent may end"
        " differently; a sampler makes those as well"
    )
    return f"not complete: {why}. Otherwise {bound}" if over else f"{bound}; besides, {why}"


def ended_early(
    digest: str,
    limits: Limits,
    *,
    ended: str,
    runs: int,
    kills: int,
    kill_sets: int,
    at: tuple[tuple[str, int], ...],
    outcomes: int,
    last_new: int,
    pruned: int = 0,
    starving: int = 0,
) -> str:
    """Something is missing.

    Args:
        digest: of the subject.
        limits: of the search.
        ended: what ended it, as in `simulator.search.result`.
        runs: how many were made to their end.
        kills: how many a run may have.
        kill_sets: how many sets of kills were done with.
        at: the kills at hand.
        outcomes: how many there were.
        last_new: the run that found the last new one.
        pruned: how many runs were cut short, as what would follow was known.
        starving: how many runs came to an end only when everybody moved in turn.
    """
    why = {
        SCHEDULES: _as_asked(limits.schedules, runs + pruned + starving),
        BUDGET: f"by the budget of {limits.budget_seconds:g} s",
        INTERRUPTED: "by a signal",
        EXHAUSTED: "with nothing left but runs that keep somebody from moving",
    }[ended]
    unfair = f"; {counted(starving, 'run')} cut short, as somebody waited in them for what others could not make"
    # They are schedules, and no runs that were made to their end.
    known = f" and {pruned:,} cut short" if pruned and ended == SCHEDULES else ""
    place = " and ".join(f"{actor} killed at its step {step}" for actor, step in at) or "no kill"
    far = f", in the runs with {place}; {counted(kill_sets, 'set')} of kills finished" if kills else ""
    return (
        f"not complete: ended {why}{far}; {counted(runs, 'run')}{known} of {digest}, {counted(outcomes, 'outcome')},"
        f" the last new one in run {last_new:,}{unfair if starving else ''}"
    )


def _as_asked(schedules: int, made: int) -> str:
    if made > schedules:
        return f"before another run: {counted(schedules, 'schedule')} were asked for, and {made:,} made before"
    return f"after {counted(schedules, 'schedule')}, as asked"
