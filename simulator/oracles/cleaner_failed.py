"""A cleaner in the middle of the storm gets through, whatever is going on around it.

Whether the cache was empty at any moment is not asked: builds may refill it at once. But a cleaner that no fault struck
and that says it failed is one that a user would see fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.oracles.base import StormEvidence


def cleaner_failed(evidence: StormEvidence) -> list[Violation]:
    """A violation for each cleaner of the storm that reported failure."""
    violations = []
    for cleaner in evidence.cleaners:
        if cleaner.reported_success or cleaner.killed:
            continue
        why = errno_name(cleaner.errno) or "reported"
        sentence = f"{cleaner.name}, in the middle of the storm, failed: {(cleaner.error or '').splitlines()[0]}"
        expected = cleaner.name in evidence.scenario.expect.cleaners_may_fail
        violations.append(Violation("cleaner-failed", f"cleaner-failed:{cleaner.name}:{why}", sentence, expected))
    return violations
