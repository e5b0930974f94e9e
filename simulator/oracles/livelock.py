"""Everybody comes to an end: a run that exceeds its bound gets a fair phase, and whoever still moves then never stops.

In the fair phase there are no faults and everybody has a turn after everybody else's (`simulator.engine.gate`): a
cleaner that builds or another cleaner keep from its end there is kept from it for ever. Not told apart: one that is in
a loop of its own from two that undo each other's work; the calls that each keeps making are in the sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.engine.gate import Livelock
    from simulator.oracles.base import CleanerEvidence, StormEvidence

# More of a loop than this is nothing to read.
_CALLS_SHOWN = 4


def storm_livelock(evidence: StormEvidence) -> list[Violation]:
    """A violation if somebody in the storm goes on for ever."""
    return livelocked(evidence.livelock)


def cleaner_livelock(evidence: CleanerEvidence) -> list[Violation]:
    """A violation if the cleaner, alone with what the storm left, goes on for ever."""
    expected = evidence.cleaner.name in evidence.scenario.expect.cleaners_may_fail
    return livelocked(evidence.livelock, expected=expected)


def livelocked(livelock: Livelock | None, *, expected: bool = False) -> list[Violation]:
    """A violation if somebody still moved at the end of a fair phase."""
    if livelock is None:
        return []
    moving = "; ".join(f"{actor} goes on with {_told(calls)}" for actor, calls in livelock.moving)
    bounds = livelock.bounds
    sentence = f"no end after {bounds.chaos:,} steps and {bounds.fair:,} fair ones without faults: {moving}"
    kinds = sorted({actor.rpartition("-")[0] or actor for actor, _ in livelock.moving})
    return [Violation("livelock", "livelock:" + ",".join(kinds), sentence, expected)]


def _told(calls: tuple[tuple[str, str, int | None], ...]) -> str:
    shown = [
        f"{operation} {path}" + (f" ({errno_name(number)})" if number is not None else "")
        for operation, path, number in calls[-_CALLS_SHOWN:]
    ]
    return ", ".join(shown)
