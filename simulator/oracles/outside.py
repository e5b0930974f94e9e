"""Nothing outside the cache changes: neither the neighbours of the cache nor what its links lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.ground.stage import Stage
    from simulator.oracles.base import CleanerEvidence, StormEvidence


def outside_after_storm(evidence: StormEvidence) -> list[Violation]:
    """A violation for each neighbour that the storm changed."""
    return _judge(evidence.stage, "the storm")


def outside_after_cleaner(evidence: CleanerEvidence) -> list[Violation]:
    """A violation for each neighbour that the cleaner changed."""
    return _judge(evidence.stage, evidence.cleaner.name)


def _judge(stage: Stage, who: str) -> list[Violation]:
    return [
        Violation("outside", f"outside:{who}", f"{who} changed '{name}', which is outside the cache")
        for name in stage.changed_neighbours()
    ]
