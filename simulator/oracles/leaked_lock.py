"""Locks are given up: by who took them, in steps of their own, before they end.

Two looks. *Kept*: an actor took a flock, came to its end (it returned or it failed), and had it still. The kernel took
it away with the process here; the same code in a process that lives on, a test or a server, would keep everybody out.
*Held*: all actors have ended, and a file that was locked in the run is locked all the same: somebody passed an open
descriptor on to what is no actor.

No leak: what a killed actor held, or one that stood still when the run was stopped (its own story is a deadlock or a
livelock); and a copy of a descriptor that another actor took the lock by, as a worker has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.running.outcome import Violation

if TYPE_CHECKING:
    from simulator.oracles.base import CleanerEvidence, LeftLocks, StormEvidence


def storm_leaked_lock(evidence: StormEvidence) -> list[Violation]:
    """A violation for each lock that was not given up in the storm."""
    return _judge(evidence.locks)


def cleaner_leaked_lock(evidence: CleanerEvidence) -> list[Violation]:
    """A violation for each lock that the cleaner did not give up."""
    return _judge(evidence.locks)


def _judge(locks: LeftLocks) -> list[Violation]:
    kept = [
        Violation("leaked-lock", f"leaked-lock:kept:{_kind(actor)}", f"{actor} ended and had not given up {path}")
        for actor, path in locks.kept
    ]
    held = [
        Violation("leaked-lock", "leaked-lock:held", f"everybody has ended, and {path} is still locked")
        for path in locks.held
    ]
    return kept + held


def _kind(actor: str) -> str:
    return actor.rpartition("-")[0] or actor
