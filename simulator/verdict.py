"""What is read off a run when it is over, however its installs were made: the residue, and what the scenario allows.

Guarantees: looks, changes nothing. Costs: one walk over the cache.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from cache_core.auditing import audit
from simulator.oracles.base import LeftLocks
from simulator.outcome import CleanerOutcome, Poisoned, Residue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.actors.cleaners import Cleaned
    from simulator.engine.gate import Gate
    from simulator.outcome import Violation
    from simulator.scenario import Scenario


def read_residue(cache: str) -> Residue:
    """What a storm left in the cache at this absolute path."""
    found = audit(cache)
    poisoned = tuple(Poisoned(item.path, item.mode) for item in found.poisoned)
    return Residue(found.directories, found.files, tuple(found.partial_trees), poisoned)


def cleaner_outcome(name: str, cleaned: Cleaned, cache: str, *, empty: bool | None, killed: bool) -> CleanerOutcome:
    """How a cleaner did: what it says of itself, with the path of the cache taken out, and what is so."""
    return CleanerOutcome(
        name=name,
        reported_success=cleaned.error is None,
        empty=empty,
        error=cleaned.error.replace(cache, "<cache>") if cleaned.error else None,
        errno=cleaned.errno,
        files_removed=cleaned.files_removed,
        directories_removed=cleaned.directories_removed,
        killed=killed,
    )


def judged(scenario: Scenario, violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Violations, those marked as expected that the scenario tolerates."""
    tolerated = scenario.expect.tolerated_oracles
    return tuple(replace(item, expected=item.expected or item.oracle in tolerated) for item in violations)


def emptied(scenario: Scenario, cleaners: Iterable[CleanerOutcome]) -> bool:
    """Whether the cache was empty after each cleaner that may not fail, and there was one."""
    strict = [item for item in cleaners if item.name not in scenario.expect.cleaners_may_fail]
    return bool(strict) and all(item.empty for item in strict)


def left_locks(gate: Gate, cache: str) -> LeftLocks:
    """The locks of a run that nobody gave up, when all its actors have ended.

    Args:
        gate: of the run.
        cache: absolute path of the cache.
    """
    kept = tuple((actor.name, path) for actor in gate.actors for path in actor.kept)
    return LeftLocks(kept, tuple(path for path in gate.locks_taken if _is_locked(os.path.join(cache, path))))


def _is_locked(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # Gone, or behind a directory that lets nobody in: no protocol can lock it either.
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
