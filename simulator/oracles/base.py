"""What an oracle sees, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine.gate import Deadlock, Livelock
    from simulator.ground.stage import Stage
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, Failure, Residue, Violation
    from simulator.scenario import Scenario


@dataclass(frozen=True, slots=True)
class LeftLocks:
    """Locks that nobody gave up; paths as shown.

    Attributes:
        kept: (actor, lock): it had taken it, and had it when it came to its end.
        held: locks that somebody holds though all actors have ended.
    """

    kept: tuple[tuple[str, str], ...] = ()
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StormEvidence:
    """After the storm, before any cleaner of the round; the sandbox may be read, never changed.

    `alone` is empty until the run is over; then, if there is a build that failed after a fault had struck it, it has an
    item for each such: how it fails alone, with the same faults; None where it does not.
    """

    scenario: Scenario
    stage: Stage
    builds: tuple[BuildOutcome, ...]
    cleaners: tuple[CleanerOutcome, ...]
    residue: Residue
    deadlock: Deadlock | None = None
    livelock: Livelock | None = None
    locks: LeftLocks = LeftLocks()
    alone: Mapping[str, Failure | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CleanerEvidence:
    """After one cleaner had the whole residue."""

    scenario: Scenario
    stage: Stage
    cleaner: CleanerOutcome
    left: tuple[str, ...]
    deadlock: Deadlock | None = None
    livelock: Livelock | None = None
    locks: LeftLocks = LeftLocks()


class StormOracle(Protocol):
    """A check on the storm."""

    def __call__(self, evidence: StormEvidence) -> list[Violation]:
        """The violations found; `expected` set where the scenario lets this cleaner fail."""


class CleanerOracle(Protocol):
    """A check on what a cleaner did."""

    def __call__(self, evidence: CleanerEvidence) -> list[Violation]:
        """The violations found; `expected` set where the scenario lets this cleaner fail."""
