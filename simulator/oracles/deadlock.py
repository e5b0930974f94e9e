"""Somebody can always move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.engine.gate import Deadlock
    from simulator.oracles.base import CleanerEvidence, StormEvidence


def storm_deadlock(evidence: StormEvidence) -> list[Violation]:
    """A violation if the storm came to a stand."""
    return deadlocked(evidence.deadlock)


def cleaner_deadlock(evidence: CleanerEvidence) -> list[Violation]:
    """A violation if the cleaner waits for a lock that nobody will give up."""
    return deadlocked(evidence.deadlock)


def deadlocked(deadlock: Deadlock | None) -> list[Violation]:
    """A violation if nobody could move any more."""
    if deadlock is None:
        return []
    told = "; ".join(
        f"{actor} waits for {lock}, held by {', '.join(holders) or 'nobody in this run'}"
        for actor, lock, holders in deadlock.waiting
    )
    return [Violation("deadlock", "deadlock:" + ",".join(sorted({lock for _, lock, _ in deadlock.waiting})), told)]
