"""What is read off a run when it is over, however its installs were made: the residue, and what the scenario allows.

Guarantees: looks, changes nothing. Costs: one walk over the cache.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from cache_core.auditing import audit
from simulator.oracles.base import LeftLocks
from simulator.running.outcome import CleanerOutcome, Poisoned, Residue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.actors.cleaners import Cleaned
    from simulator.engine.gate import Gate
    from simulator.running.outcome import Violation
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

    Who holds a lock is read in proc(5): to try it would be more than a look. Where there is no /proc, or the file
    system gives its files other device numbers there, nobody is seen to hold one.

    Args:
        gate: of the run.
        cache: absolute path of the cache.
    """
    kept = tuple((actor.name, path) for actor in gate.actors for path in actor.kept)
    locked = _locked_files() if gate.locks_taken else frozenset[tuple[int, int]]()
    held = tuple(path for path in gate.locks_taken if _identity(f"{cache}/{path}") in locked)
    return LeftLocks(kept, held)


def _locked_files() -> frozenset[tuple[int, int]]:
    """Device and inode of each file that somebody holds a flock on."""
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        return frozenset()
    # 1: FLOCK ADVISORY WRITE 2123 00:2e:44 0 EOF; whoever waits has an arrow in the second place.
    places = [words[5].split(":") for words in lines if words[1] == "FLOCK"]
    return frozenset((os.makedev(int(major, 16), int(minor, 16)), int(inode)) for major, minor, inode in places)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        # Gone, or behind a directory that lets nobody in: no protocol can lock it either.
        return None
    return status.st_dev, status.st_ino
