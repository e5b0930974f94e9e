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
    from collections.abc import Iterable, Mapping

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

    All actors are of this process, so a lock that is still held is a descriptor's of this process, and proc(5) tells
    which descriptors have one: to try a lock would be more than a look. Where there is no /proc, nobody is seen to
    hold one. (The list of all locks of the system, /proc/locks, makes its reader wait for every processor: 4 ms where
    a run takes 3.)

    Args:
        gate: of the run.
        cache: absolute path of the cache.
    """
    kept = tuple((actor.name, path) for actor in gate.actors for path in actor.kept)
    places = {_identity(f"{cache}/{path}"): path for path in gate.locks_taken}
    held = _held(places) if places else frozenset[str]()
    return LeftLocks(kept, tuple(path for path in gate.locks_taken if path in held))


def _held(places: Mapping[tuple[int, int] | None, str]) -> frozenset[str]:
    """Those of some files, by device and inode, that a descriptor of this process holds a flock on."""
    try:
        descriptors = os.listdir("/proc/self/fd")
    except FileNotFoundError:
        return frozenset()
    held = set()
    for name in descriptors:
        try:
            status = os.fstat(int(name))
        except OSError:
            # The one that listed them, closed since.
            continue
        path = places.get((status.st_dev, status.st_ino))
        if path is not None and _has_lock(name):
            held.add(path)
    return frozenset(held)


def _has_lock(descriptor: str) -> bool:
    # lock:   1: FLOCK  ADVISORY  WRITE 2123 00:2e:44 0 EOF
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
        return any(line.startswith("lock:") and "FLOCK" in line for line in lines)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        # Gone, or behind a directory that lets nobody in: no protocol can lock it either.
        return None
    return status.st_dev, status.st_ino
