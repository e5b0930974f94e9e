"""A cleaner says what is so: success when the cache is empty, and never otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.oracles.base import CleanerEvidence


def cleaner_honest(evidence: CleanerEvidence) -> list[Violation]:
    """A violation if it reported success and something is left, or failure and nothing is."""
    cleaner = evidence.cleaner
    if evidence.deadlock is not None or evidence.livelock is not None:
        # It did not come to say anything.
        return []
    if cleaner.killed or cleaner.reported_success == (not evidence.left):
        return []
    if cleaner.reported_success:
        sentence = f"{cleaner.name} reported success, and {evidence.left[0]} is still there"
        return [Violation("cleaner-honest", f"cleaner-honest:{cleaner.name}:lied", sentence)]
    sentence = f"{cleaner.name} reported '{cleaner.error}', and the cache is empty"
    return [Violation("cleaner-honest", f"cleaner-honest:{cleaner.name}:false-alarm", sentence)]
