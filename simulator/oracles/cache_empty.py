"""The cache is empty after a cleaner had it to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.oracles.base import CleanerEvidence


def cache_empty(evidence: CleanerEvidence) -> list[Violation]:
    """A violation if something is left."""
    cleaner = evidence.cleaner
    if not evidence.left:
        return []
    why = errno_name(cleaner.errno) or ("reported" if cleaner.error else "silent")
    sentence = (
        f"the cache is not empty after {cleaner.name}: {len(evidence.left)} left at its top, {evidence.left[0]} first"
    )
    expected = cleaner.name in evidence.scenario.expect.cleaners_may_fail
    return [Violation("cache-empty", f"cache-empty:{cleaner.name}:{why}", sentence, expected)]
