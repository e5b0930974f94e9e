"""What an oracle sees, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from simulator.engine.gate import Deadlock
    from simulator.ground.stage import Stage
    from simulator.outcome import BuildOutcome, CleanerOutcome, Residue, Violation
    from simulator.scenario import Scenario


@dataclass(frozen=True, slots=True)
class StormEvidence:
    """After the storm, before any cleaner of the round; the sandbox may be read, never changed."""

    scenario: Scenario
    stage: Stage
    builds: tuple[BuildOutcome, ...]
    cleaners: tuple[CleanerOutcome, ...]
    residue: Residue
    deadlock: Deadlock | None


@dataclass(frozen=True, slots=True)
class CleanerEvidence:
    """After one cleaner had the whole residue."""

    scenario: Scenario
    stage: Stage
    cleaner: CleanerOutcome
    left: tuple[str, ...]
    deadlock: Deadlock | None


class StormOracle(Protocol):
    """A check on the storm."""

    def __call__(self, evidence: StormEvidence) -> list[Violation]:
        """The violations found; `expected` set where the scenario lets this cleaner fail."""


class CleanerOracle(Protocol):
    """A check on what a cleaner did."""

    def __call__(self, evidence: CleanerEvidence) -> list[Violation]:
        """The violations found; `expected` set where the scenario lets this cleaner fail."""
