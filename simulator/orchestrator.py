"""One run, end to end: a storm, what it left, what each cleaner makes of it, the verdict.

A run has one round for each cleaner that works after the storm. Every round plays the same storm again in a fresh
cache, so that each cleaner meets the whole residue, and compares it with the first round's, step for step: a run
checks its own determinism as it goes.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from cache_core.errors import CacheError
from simulator.actors.cleaners import Cleaned
from simulator.actors.crew import Cleaning
from simulator.actors.entries import build_entries, lay
from simulator.actors.install import InstallJob, install
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import RetryTypeError, ToolchainError
from simulator.blame import failure_of
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import faults_by_actor
from simulator.engine.gate import PRUNED, Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.engine.trace import errno_name
from simulator.errors import BadInputError, BuildFailedError, InternalError, MachineError, PrunedRunError
from simulator.ground.stage import CACHE, Stage
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.identity import token_of, trace_of
from simulator.oracles import CLEANER_ORACLES, STORM_ORACLES
from simulator.oracles.base import CleanerEvidence, StormEvidence
from simulator.outcome import (
    FAILED,
    KILLED,
    OK,
    BuildOutcome,
    CleanerOutcome,
    Residue,
    RunReport,
    Violation,
)
from simulator.scenario import Expect, Scenario, Schedule
from simulator.schedule import format_segments, segments_of
from simulator.strategies import STRATEGIES
from simulator.strategies.replay import Replay
from simulator.verdict import cleaner_outcome, emptied, judged, read_residue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.engine.actor import Shown
    from simulator.engine.kernel import GatedKernel
    from simulator.engine.trace import RawStep
    from simulator.ground.sandbox import Sandbox
    from simulator.strategies.base import Strategy

UMASK = 0o022

# What an install and a cleaner may end with; anything else that comes out of one is a bug of ours.
BUILD_FAILURES = (OSError, RetryTypeError, ToolchainError, BuildFailedError, CacheError, zipfile.BadZipFile)
CLEANER_FAILURES = (OSError, CacheError)


class RealCleaning(Protocol):
    """Cleaners that are real programs: they make no steps."""

    def __contains__(self, name: str, /) -> bool:
        """Whether this one is."""

    async def clean_alone(self, name: str, cache: str) -> Cleaned:
        """Let it have the cache at this absolute path."""


class Observer(Protocol):
    """Who watches a run; called between steps, in the run's own thread."""

    def storm_begins(self, round_number: int, actors: Sequence[Shown]) -> None:
        """A storm begins; `actors` change under the observer's eyes."""

    def storm_ends(self, round_number: int, builds: tuple[BuildOutcome, ...], residue: Residue, cache: str) -> None:
        """The storm is over; the cache at `cache` may be read."""

    def cleaner_begins(self, round_number: int, name: str, actors: Sequence[Shown]) -> None:
        """A cleaner gets the residue."""

    def cleaner_ends(self, round_number: int, outcome: CleanerOutcome) -> None:
        """It is done."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is made; none of it changes what happens.

    Attributes:
        pace: seconds to wait before each step.
        interrupted: asked before each step; true ends the run.
        observer: who watches.
        chain: all cleaners one after another on one cache, instead of a round each (for a demonstration).
        bare: under the bare host: faster, without a pace.
        real_cleaners: those of the scenario's cleaners after the storm that are real programs.
        token: whether the report gets its token and its digest; they take a tenth of a short run.
    """

    pace: float = 0.0
    interrupted: Callable[[], bool] = bool
    observer: Observer | None = None
    chain: bool = False
    bare: bool = False
    real_cleaners: RealCleaning | None = None
    token: bool = True


@dataclass(slots=True)
class _Round:
    """One round in the making."""

    number: int
    stage: Stage
    paths: Paths
    times: LogicalTimes
    steps: list[RawStep] = field(default_factory=list)
    switches: int = 0


async def run(
    scenario: Scenario,
    seed: int,
    sandbox: Sandbox,
    options: Options | None = None,
    strategy: Strategy | None = None,
) -> RunReport:
    """Make one run.

    Args:
        scenario: what to run.
        seed: one seed is one interleaving.
        sandbox: where; every round gets a fresh directory in it.
        options: how.
        strategy: who moves when in the storm; None: the scenario's own. In later rounds the first one's schedule is
            followed.

    Raises:
        KeyboardInterrupt: `options.interrupted` said so; whoever owns the signal knows which it was.
        DivergenceError: a replayed schedule could not be followed.
        PrunedRunError: `strategy` saw that the rest of the run is known.
        InternalError: a round was not like the first one, or an actor broke in a way that no real one does.
    """
    options = options or Options()
    given = strategy is not None
    strategy = strategy or STRATEGIES[scenario.schedule.strategy](scenario.schedule)
    with umasked():
        rehearsed = getattr(strategy, "rehearsed", None)
        if rehearsed:
            rehearsed(await length_alone(scenario, sandbox, options))
        return await _Run(scenario, seed, sandbox, options, strategy, given=given).make()


# Of the scenario that was rehearsed last: a thousand seeds of it need one rehearsal.
_rehearsed: dict[Scenario, int] = {}


async def length_alone(scenario: Scenario, sandbox: Sandbox, options: Options) -> int:
    """How many steps the storm makes with everybody one after another; the same for every seed."""
    alone = replace(scenario, random_faults=(), cleaners_after=(), schedule=Schedule("replay"), expect=Expect())
    if alone not in _rehearsed:
        in_order = STRATEGIES["replay"](alone.schedule)
        how = Options(interrupted=options.interrupted, bare=options.bare)
        length = await _Run(alone, 0, sandbox, how, in_order).rehearse()
        _rehearsed.clear()
        _rehearsed[alone] = length
    return _rehearsed[alone]


def party_names(scenario: Scenario) -> tuple[str, ...]:
    """Who takes part in the storm, but for those that help a cleaner."""
    builds = (f"build-{number}" for number in range(1, scenario.builds + 1))
    cleaners = ("cleaner" if place == 0 else f"cleaner-{place + 1}" for place in range(len(scenario.cleaners_during)))
    return (*builds, *cleaners)


def stage_of(scenario: Scenario, sandbox: Sandbox) -> Stage:
    """The stage of a run before its first step, set in a sandbox."""
    with umasked():
        return _Run(scenario, 0, sandbox, Options(), STRATEGIES["replay"](Schedule("replay"))).set_stage()


@contextlib.contextmanager
def umasked() -> Iterator[None]:
    """With the umask that every run has."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


class _Run:
    """The rounds of one run."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        sandbox: Sandbox,
        options: Options,
        strategy: Strategy,
        *,
        given: bool = False,
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._sandbox = sandbox
        self._options = options
        self._strategy = strategy
        # Whether somebody else's: it makes one storm, and later rounds follow that.
        self._given = given
        self._rounds: list[_Round] = []
        self._storm: list[RawStep] = []
        self._violations: list[Violation] = []
        self._cleaners: list[CleanerOutcome] = []
        self._builds: tuple[BuildOutcome, ...] = ()
        self._residue = Residue(0, 0, (), ())
        self._struck: set[str] = set()
        self._actors: tuple[str, ...] = ()

    async def make(self) -> RunReport:
        after = self._scenario.cleaners_after
        plan = [after] if self._options.chain or not after else [(name,) for name in after]
        middle: tuple[CleanerOutcome, ...] = ()
        for number, names in enumerate(plan, 1):
            current = self._begin_round(number)
            middle = await self._play_storm(current)
            for name in names:
                await self._play_cleaner(current, name)
        self._sandbox.clear()
        return self._report(middle)

    async def rehearse(self) -> int:
        """The storm alone, unseen and unjudged: how many steps it makes."""
        current = self._begin_round(1)
        await self._play(current, self._storm_parties(current), self._strategy, "rehearsal")
        self._sandbox.clear()
        return len(current.steps)

    def _begin_round(self, number: int) -> _Round:
        stage = self.set_stage()
        current = _Round(number, stage, Paths(stage.root, CACHE), LogicalTimes())
        self._rounds.append(current)
        return current

    def set_stage(self) -> Stage:
        """All that is there before the first step."""
        stage = Stage(self._sandbox.fresh())
        stage.set(self._build_names())
        scenario = self._scenario
        lay(stage.cache, scenario.packages, scenario.protocol, builds_only=scenario.builds_only)
        return stage

    def _build_names(self) -> list[str]:
        return list(party_names(self._scenario)[: self._scenario.builds])

    # The storm.

    async def _play_storm(self, current: _Round) -> tuple[CleanerOutcome, ...]:
        parties = self._storm_parties(current)
        observer = self._options.observer
        builds = len(self._build_names())
        cleaners = len(self._scenario.cleaners_during)
        if observer:
            observer.storm_begins(current.number, [party.actor for party in parties[: builds + cleaners]])
        gate = await self._play(current, parties, self._strategy_of(current), "schedule")
        outcomes = tuple(self._build_outcome(party, gate) for party in parties[:builds])
        middle = tuple(
            self._cleaner_outcome(current, name, party, None)
            for name, party in zip(self._scenario.cleaners_during, parties[builds:][:cleaners], strict=True)
        )
        residue = read_residue(current.stage.cache)
        if observer:
            observer.storm_ends(current.number, outcomes, residue, current.stage.cache)
        if current.number == 1:
            self._storm = list(current.steps)
            self._actors = tuple(party.actor.name for party in parties)
            self._builds, self._residue = outcomes, residue
            evidence = StormEvidence(self._scenario, current.stage, outcomes, middle, residue, gate.deadlock)
            for oracle in STORM_ORACLES.values():
                self._violations += oracle(evidence)
        elif current.steps != self._storm:
            raise InternalError("nondeterminism", str(current.number), self._first_difference(current))
        return middle

    def _strategy_of(self, current: _Round) -> Strategy:
        if self._given and current.number > 1:
            return Replay(format_segments(segments_of(self._storm)))
        return self._strategy

    def _storm_parties(self, current: _Round) -> list[Party]:
        scenario = self._scenario
        names = self._build_names()
        drawn = [
            fault
            for place, kind in enumerate(scenario.random_faults)
            for fault in kind.draw(names, Randomness(self._seed, f"faults-{place}"))
        ]
        faults = faults_by_actor((*scenario.faults, *drawn))
        parties = []
        for index, name in enumerate(names):
            actor = Actor(name, index, faults.get(name))
            parties.append(Party(actor, self._build_function(current, actor), BUILD_FAILURES))
        cleanings = []
        for name, cleaner in zip(party_names(scenario)[scenario.builds :], scenario.cleaners_during, strict=True):
            actor = Actor(name, len(parties), faults.get(name))
            cleanings.append(Cleaning(actor, cleaner, current.stage.cache))
            parties.append(Party(actor, cleanings[-1].clean, CLEANER_FAILURES))
        for number, cleaning in enumerate(cleanings, 1):
            parties += cleaning.helpers(len(parties), number, faults)
        return parties

    def _build_function(self, current: _Round, actor: Actor) -> Callable[[GatedKernel], None]:
        scenario = self._scenario
        job = InstallJob(
            cache=current.stage.cache,
            environment=current.stage.environment(actor.name),
            packages=scenario.packages,
            protocol=scenario.protocol,
            toolchain=TOOLCHAINS[scenario.toolchain],
            cache_lock=scenario.cache_lock,
            identity=actor.name,
        )

        def enter_phase(phase: str) -> None:
            actor.phase = phase

        make = build_entries if scenario.builds_only else install

        def build(kernel: GatedKernel) -> None:
            make(kernel, job, enter_phase)

        return build

    def _build_outcome(self, party: Party, gate: Gate) -> BuildOutcome:
        actor = party.actor
        interruptions = gate.interruptions[actor.index]
        if actor.killed:
            return BuildOutcome(actor.name, KILLED, actor.phase, None, actor.steps, interruptions)
        failure = failure_of(party, gate.deadlock)
        outcome = OK if failure is None else FAILED
        return BuildOutcome(actor.name, outcome, actor.phase, failure, actor.steps, interruptions)

    def _first_difference(self, current: _Round) -> str:
        for number, (was, now) in enumerate(zip(self._storm, current.steps, strict=False), 1):
            if was != now:
                return f"round {current.number} differs from round 1 at step {number}: {was[:4]} was, {now[:4]} is"
        return f"round {current.number} made {len(current.steps)} steps, round 1 made {len(self._storm)}"

    # The cleaners.

    async def _play_cleaner(self, current: _Round, name: str) -> None:
        observer, real = self._options.observer, self._options.real_cleaners
        deadlock = None
        if real is not None and name in real:
            if observer:
                observer.cleaner_begins(current.number, name, [])
            cleaned = await real.clean_alone(name, current.stage.cache)
            left = tuple(current.stage.left_in_cache())
            outcome = cleaner_outcome(name, cleaned, current.stage.cache, empty=not left, killed=False)
        else:
            faults = faults_by_actor(self._scenario.faults)
            actor = Actor("cleaner", 0, faults.get("cleaner"))
            cleaning = Cleaning(actor, name, current.stage.cache)
            party = Party(actor, cleaning.clean, CLEANER_FAILURES)
            if observer:
                observer.cleaner_begins(current.number, name, [actor])
            alone = STRATEGIES["round-robin"](self._scenario.schedule)
            parties = [party, *cleaning.helpers(1, 1, faults)]
            deadlock = (await self._play(current, parties, alone, f"cleaner-{name}")).deadlock
            left = tuple(current.stage.left_in_cache())
            outcome = self._cleaner_outcome(current, name, party, not left)
        if observer:
            observer.cleaner_ends(current.number, outcome)
        self._cleaners.append(outcome)
        evidence = CleanerEvidence(self._scenario, current.stage, outcome, left, deadlock)
        for oracle in CLEANER_ORACLES.values():
            self._violations += oracle(evidence)

    @staticmethod
    def _cleaner_outcome(current: _Round, name: str, party: Party, empty: bool | None) -> CleanerOutcome:
        cleaned = party.result if isinstance(party.result, Cleaned) else Cleaned()
        if party.error is not None:
            number = party.error.errno if isinstance(party.error, OSError) else None
            cleaned = Cleaned(error=f"{type(party.error).__name__}: {party.error}", errno=number)
        elif not party.ended:
            cleaned = Cleaned(error="killed" if party.actor.killed else "waits for a lock for ever")
        return cleaner_outcome(name, cleaned, current.stage.cache, empty=empty, killed=party.actor.killed)

    # Both.

    async def _play(self, current: _Round, parties: list[Party], strategy: Strategy, purpose: str) -> Gate:
        actors = [party.actor for party in parties]
        gate = Gate(strategy, actors, current.steps)
        gate.interrupted = self._options.interrupted
        if not strategy.begin(actors, current.steps, Randomness(self._seed, purpose)):
            raise BadInputError(
                "exhausted", self._scenario.schedule.strategy, "the strategy has no further run to make"
            )
        if parties:
            await self._host(gate, current).run(parties)
        strategy.end()
        current.switches += gate.switches
        self._struck.update(str(fault) for actor in actors if actor.faults for fault in actor.faults.fired)
        if gate.stopped == "interrupted":
            raise KeyboardInterrupt
        if gate.stopped == PRUNED:
            raise PrunedRunError
        if gate.lacking is not None:
            raise _lacks(gate.lacking)
        if gate.stopped == "cancelled":
            raise InternalError("cancelled-actor", "", "an actor cancelled itself while it waited for its turn")
        if gate.stopped not in {None, "deadlock"}:
            raise InternalError(
                "endless-run", str(len(current.steps)), f"the run did not end within its bound: {gate.stopped}"
            )
        return gate

    def _host(self, gate: Gate, current: _Round) -> TrioHost | BareHost:
        if self._options.bare:
            return BareHost(gate, current.paths, current.times)
        return TrioHost(gate, current.paths, current.times, self._options.pace)

    def _report(self, middle: tuple[CleanerOutcome, ...]) -> RunReport:
        scenario = self._scenario
        rounds = tuple(item.steps for item in self._rounds)
        report = RunReport(
            scenario=scenario.name,
            seed=self._seed,
            token=None,
            trace_digest=None,
            steps=sum(map(len, rounds)),
            switches=sum(item.switches for item in self._rounds),
            builds=self._builds,
            residue=self._residue,
            cleaners=(*middle, *self._cleaners),
            empty=emptied(scenario, self._cleaners),
            violations=judged(scenario, self._violations),
            rounds=rounds,
            actors=self._actors,
            storm_steps=len(self._storm),
            idle_faults=tuple(str(fault) for fault in scenario.faults if str(fault) not in self._struck),
        )
        if not self._options.token:
            return report
        token = token_of(scenario, report, scheduled=self._given)
        return replace(report, token=str(token), trace_digest=trace_of(report).digest)


def _lacks(step: RawStep) -> MachineError:
    actor, _, operation, path, _, _, number, _, _ = step
    name = errno_name(number) or ""
    return MachineError(
        "resources",
        name,
        f"the machine ran out ({name}: {os.strerror(number or 0)}) when {actor} made {operation} {path}, and no fault"
        " did that: give the run more space (--sandbox), more inodes or more open files (ulimit -n)",
    )
