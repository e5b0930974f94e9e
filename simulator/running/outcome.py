"""What a run found: value objects, and the `cachestorm/run/1` document made from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name, mode_digits, path_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep

OK = "ok"
FAILED = "failed"
KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a build failed.

    Attributes:
        type: name of the exception.
        kind: row of the table of real failures (`docs/reference/toolchains.md`); None when it is in no row.
        errno: number of the failed call behind it; None when there was none.
        operation, path: that call.
        message: the exception's own text.
        injected: whether a fault of the scenario caused it.
    """

    type: str
    kind: str | None
    errno: int | None
    operation: str | None
    path: str | None
    message: str
    injected: bool


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """How one install ended.

    Attributes:
        actor: its name.
        outcome: ``ok``, ``failed`` or ``killed``.
        phase: the phase it ended in.
        failure: of a failed one.
        steps: how many it made.
        interruptions: how often another actor took over while it could have gone on.
        seconds: how long it took, for a real one; it has no steps.
    """

    actor: str
    outcome: str
    phase: str
    failure: Failure | None
    steps: int
    interruptions: int
    seconds: float | None = None

    def document(self) -> dict[str, object]:
        """As in the `run` document."""
        error: dict[str, object] | None = None
        if self.failure is not None:
            error = {
                "type": self.failure.type,
                "errno": errno_name(self.failure.errno),
                "operation": self.failure.operation,
                "path": None,
            }
            if self.failure.path is not None:
                error.update(path_fields(self.failure.path))
            error["kind"] = self.failure.kind
            error["injected"] = self.failure.injected
        return {"actor": self.actor, "outcome": self.outcome, "phase": self.phase, "error": error}


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A directory whose mode keeps its owner out."""

    path: str
    mode: int

    def document(self) -> dict[str, object]:
        """As in the `run` document."""
        return {**path_fields(self.path), "mode": mode_digits(self.mode)}


@dataclass(frozen=True, slots=True)
class Residue:
    """What the storm left in the cache. What a poisoned directory hides is not counted: nobody may look."""

    directories: int
    files: int
    partial_trees: tuple[str, ...]
    poisoned: tuple[Poisoned, ...]

    def document(self) -> dict[str, object]:
        """As in the `run` document."""
        trees = [path_fields(path) for path in self.partial_trees]
        document: dict[str, object] = {
            "directories": self.directories,
            "files": self.files,
            "partial_trees": [tree["path"] for tree in trees],
            "poisoned": [item.document() for item in self.poisoned],
        }
        if any("path_hex" in tree for tree in trees):
            document["partial_trees_hex"] = [tree.get("path_hex") for tree in trees]
        return document


@dataclass(frozen=True, slots=True)
class CleanerOutcome:
    """How one cleaner did.

    Attributes:
        name: as in the scenario.
        reported_success: what it said of itself.
        empty: what the re-read cache says; None for a cleaner in the middle of the storm.
        error: what it said, one line or a few; None when it had nothing to say.
        errno: number of the failure that ended it.
        files_removed, directories_removed: as it counted.
        killed: whether a fault ended it.
    """

    name: str
    reported_success: bool
    empty: bool | None
    error: str | None
    errno: int | None
    files_removed: int
    directories_removed: int
    killed: bool = False

    @property
    def ok(self) -> bool:
        """It reported success, and (after the storm) the re-read cache is empty."""
        return self.reported_success and self.empty is not False

    def document(self) -> dict[str, object]:
        """As in the `run` document."""
        return {
            "name": self.name,
            "ok": self.ok,
            "error": self.error,
            "files_removed": self.files_removed,
            "directories_removed": self.directories_removed,
        }


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """An oracle said no.

    Attributes:
        oracle: its name.
        signature: the same for the same kind of violation, whatever the schedule.
        sentence: for people.
        expected: whether the scenario tolerates it.
    """

    oracle: str
    signature: str
    sentence: str
    expected: bool = False

    def document(self) -> dict[str, object]:
        """As in the `run` document."""
        return {
            "oracle": self.oracle,
            "signature": self.signature,
            "sentence": self.sentence,
            "expected": self.expected,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, all its rounds.

    `rounds` holds the steps of each: `storm_steps` of the storm, by `actors` (in their order), then the cleaner's.
    `idle_faults` are those of the scenario that did not strike: their actor ended before, or takes no part. `tool`
    made the installs of a real run, which has neither token nor digest nor steps nor switches; it is None of a
    simulated one.
    """

    scenario: str
    seed: int
    token: str | None
    trace_digest: str | None
    steps: int | None
    switches: int | None
    builds: tuple[BuildOutcome, ...]
    residue: Residue
    cleaners: tuple[CleanerOutcome, ...]
    empty: bool
    violations: tuple[Violation, ...]
    rounds: Sequence[Sequence[RawStep]] = field(repr=False, default=())
    storm_steps: int = 0
    actors: tuple[str, ...] = ()
    idle_faults: tuple[str, ...] = ()
    tool: str | None = None

    @property
    def as_expected(self) -> bool:
        """Whether everything went as the scenario expects."""
        return all(violation.expected for violation in self.violations)

    def document(self) -> dict[str, object]:
        """The `cachestorm/run/1` document."""
        return {
            "schema": "cachestorm/run/1",
            "scenario": self.scenario,
            "seed": self.seed,
            "token": self.token,
            "trace_digest": self.trace_digest,
            "steps": self.steps,
            "switches": self.switches,
            "builds": [build.document() for build in self.builds],
            "residue": self.residue.document(),
            "cleaners": [cleaner.document() for cleaner in self.cleaners],
            "empty": self.empty,
            "violations": [violation.document() for violation in self.violations],
        }
