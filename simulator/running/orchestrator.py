"""One run, end to end: a storm, what it left, what each cleaner makes of it, the verdict.

A run has one round for each cleaner that works after the storm. Every round plays the same storm again in a fresh
cache, so that each cleaner meets the whole residue, and compares it with the first round's, step for step: a run
checks its own determinism as it goes.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from simulator.actors.entries import lay
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import faults_by_actor
from simulator.engine.gate import LIVELOCK, PRUNED, Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.errors import (
    BadInputError,
    InternalError,
    NondeterminismError,
    OracleError,
    PrunedRunError,
    StuckActorError,
)
from simulator.ground.stage import CACHE, Stage
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.oracles import BUILD_HURT, CLEANER_ORACLES, STORM_ORACLES
from simulator.oracles.asking import ask
from simulator.oracles.base import CleanerEvidence, StormEvidence
from simulator.running import watchdog
from simulator.running.blame import in_doubt
from simulator.running.bounds import of_cleaner, of_storm
from simulator.running.cast import (
    build_names,
    build_party,
    cleaner_parties,
    faults_of_storm,
    how_a_build_ended,
    how_a_cleaner_ended,
    storm_parties,
)
from simulator.running.determinism import first_difference
from simulator.running.identity import token_of, trace_of
from simulator.running.outcome import Residue, RunReport
from simulator.running.resources import ran_out
from simulator.running.verdict import cleaner_outcome, emptied, judged, left_locks, read_residue
from simulator.running.watchdog import Watchdog
from simulator.scenario import Expect, Scenario, Schedule
from simulator.schedule import format_segments, segments_of
from simulator.strategies import STRATEGIES
from simulator.strategies.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from simulator.actors.cleaners import Cleaned
    from simulator.engine.actor import Shown
    from simulator.engine.faults import Fault
    from simulator.engine.gate import Bounds
    from simulator.engine.trace import RawStep
    from simulator.ground.sandbox import Sandbox
    from simulator.hosts.base import Party
    from simulator.oracles.asking import Raised
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, Failure, Violation
    from simulator.strategies.base import Strategy

E = TypeVar("E")

UMASK = 0o022


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
        kills: of a search: in the storm, besides what the scenario says. A cleaner after it is another process than one
            in the middle of it, whatever its name.
        token: whether the report gets its token and its digest; they take a tenth of a short run.
        watchdog_seconds: how long an actor may compute without a step (`simulator.running.watchdog`); 0: as long as it
            likes.
    """

    pace: float = 0.0
    interrupted: Callable[[], bool] = bool
    observer: Observer | None = None
    chain: bool = False
    bare: bool = False
    real_cleaners: RealCleaning | None = None
    token: bool = True
    kills: tuple[Fault, ...] = ()
    watchdog_seconds: float = watchdog.SECONDS


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
        NondeterminismError: a round was not like the first one.
        StuckActorError: an actor computed for ever.
        OracleError: an oracle raised; the run is over, and the error has its token.
        InternalError: an actor broke in a way that no real one does.
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
        how = Options(interrupted=options.interrupted, bare=options.bare, watchdog_seconds=options.watchdog_seconds)
        length = await _Run(alone, 0, sandbox, how, in_order).rehearse()
        _rehearsed.clear()
        _rehearsed[alone] = length
    return _rehearsed[alone]


def stage_of(scenario: Scenario, sandbox: Sandbox) -> Stage:
    """The stage of a run before its first step, set in a sandbox."""
    with umasked():
        return _Run(scenario, 0, sandbox, Options(), STRATEGIES["replay"](Schedule("replay"))).set_stage()


# How builds fail alone, with their faults: of the last few that it was asked of.
_alone: dict[tuple[Scenario, str], Failure | None] = {}
_ALONE_MAX = 64


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
        self._faults = (*faults_of_storm(scenario, seed), *options.kills)
        self._raised: Raised | None = None
        self._evidence: StormEvidence | None = None
        self._doubtful: list[str] = []

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
        await self._settle_doubts()
        return self._report(middle)

    async def rehearse(self) -> int:
        """The storm alone, unseen and unjudged: how many steps it makes."""
        current = self._begin_round(1)
        parties = storm_parties(self._scenario, current.stage, self._faults)
        await self._play(current, parties, self._strategy, "rehearsal", of_storm(self._scenario))
        self._sandbox.clear()
        return len(current.steps)

    def _begin_round(self, number: int) -> _Round:
        stage = self.set_stage()
        current = _Round(number, stage, Paths(stage.root, CACHE), LogicalTimes())
        self._rounds.append(current)
        return current

    def set_stage(self, place: str | None = None) -> Stage:
        """All that is there before the first step, in a fresh directory of the sandbox or in an empty `place`."""
        stage = Stage(place or self._sandbox.fresh())
        scenario = self._scenario
        stage.set(list(build_names(scenario)))
        lay(stage.cache, scenario.packages, scenario.protocol, builds_only=scenario.builds_only)
        return stage

    # The storm.

    async def _play_storm(self, current: _Round) -> tuple[CleanerOutcome, ...]:
        parties = storm_parties(self._scenario, current.stage, self._faults)
        observer = self._options.observer
        builds = self._scenario.builds
        cleaners = len(self._scenario.cleaners_during)
        if observer:
            observer.storm_begins(current.number, [party.actor for party in parties[: builds + cleaners]])
        gate = await self._play(current, parties, self._strategy_of(current), "schedule", of_storm(self._scenario))
        outcomes = tuple(how_a_build_ended(party, gate) for party in parties[:builds])
        middle = tuple(
            how_a_cleaner_ended(name, party, gate, current.stage.cache, empty=None)
            for name, party in zip(self._scenario.cleaners_during, parties[builds:][:cleaners], strict=True)
        )
        residue = read_residue(current.stage.cache)
        if observer:
            observer.storm_ends(current.number, outcomes, residue, current.stage.cache)
        if current.number == 1:
            self._storm = list(current.steps)
            self._actors = tuple(party.actor.name for party in parties)
            self._builds, self._residue = outcomes, residue
            locks = left_locks(gate, current.stage.cache)
            evidence = StormEvidence(
                self._scenario, current.stage, outcomes, middle, residue, gate.deadlock, gate.livelock, locks
            )
            self._ask(STORM_ORACLES, evidence)
            self._doubtful = [party.actor.name for party in parties[:builds] if in_doubt(party, gate)]
            self._evidence = evidence
        else:
            difference = first_difference(self._storm, current.steps)
            if difference is not None:
                raise NondeterminismError(difference, f"round {current.number}, which plays the storm of round 1 again")
        return middle

    def _strategy_of(self, current: _Round) -> Strategy:
        if self._given and current.number > 1:
            return Replay(format_segments(segments_of(self._storm)))
        return self._strategy

    # The cleaners.

    async def _play_cleaner(self, current: _Round, name: str) -> None:
        observer, real = self._options.observer, self._options.real_cleaners
        gate = None
        if real is not None and name in real:
            if observer:
                observer.cleaner_begins(current.number, name, [])
            cleaned = await real.clean_alone(name, current.stage.cache)
            left = tuple(current.stage.left_in_cache())
            outcome = cleaner_outcome(name, cleaned, current.stage.cache, empty=not left, killed=False)
        else:
            parties = cleaner_parties(self._scenario, current.stage, name)
            if observer:
                observer.cleaner_begins(current.number, name, [parties[0].actor])
            alone = STRATEGIES["round-robin"](self._scenario.schedule)
            bounds = of_cleaner(self._scenario, len(current.steps))
            gate = await self._play(current, parties, alone, f"cleaner-{name}", bounds)
            left = tuple(current.stage.left_in_cache())
            outcome = how_a_cleaner_ended(name, parties[0], gate, current.stage.cache, empty=not left)
        if observer:
            observer.cleaner_ends(current.number, outcome)
        self._cleaners.append(outcome)
        evidence = CleanerEvidence(self._scenario, current.stage, outcome, left)
        if gate is not None:
            locks = left_locks(gate, current.stage.cache)
            evidence = replace(evidence, deadlock=gate.deadlock, livelock=gate.livelock, locks=locks)
        self._ask(CLEANER_ORACLES, evidence)

    def _ask(self, oracles: Mapping[str, Callable[[E], list[Violation]]], evidence: E) -> None:
        """Let oracles look; one that raises is told at the end, when the run has its token."""
        violations, raised = ask(oracles, evidence)
        self._violations += violations
        self._raised = self._raised or raised

    async def _settle_doubts(self) -> None:
        """Ask again who was hurt, where that takes runs of builds alone: when nothing else is left of the run."""
        if not self._doubtful or self._evidence is None:
            return
        alone = {name: await self._fails_alone(name) for name in self._doubtful}
        known = {BUILD_HURT: STORM_ORACLES[BUILD_HURT]}
        before, self._violations = self._violations, []
        self._ask(known, replace(self._evidence, alone=alone))
        # In the place of what was said before anybody knew.
        place = next((n for n, item in enumerate(before) if item.oracle == BUILD_HURT), 0)
        others = [item for item in before if item.oracle != BUILD_HURT]
        self._violations = [*others[:place], *self._violations, *others[place:]]

    async def _fails_alone(self, name: str) -> Failure | None:
        """How a build fails with the cache to itself and the same faults; None if it does not."""
        faults = tuple(fault for fault in self._faults if fault.actor == name)
        alone = replace(
            self._scenario, faults=faults, random_faults=(), cleaners_after=(), cleaners_during=(), expect=Expect()
        )
        if (alone, name) not in _alone:
            if len(_alone) >= _ALONE_MAX:
                _alone.clear()
            how = Options(
                interrupted=self._options.interrupted, bare=True, watchdog_seconds=self._options.watchdog_seconds
            )
            in_order = STRATEGIES["replay"](Schedule("replay"))
            with self._sandbox.aside() as place:
                _alone[alone, name] = await _Run(alone, 0, self._sandbox, how, in_order).play_alone(name, place)
        return _alone[alone, name]

    async def play_alone(self, name: str, place: str) -> Failure | None:
        """Play one build, unseen and unjudged, in an empty directory: how it fails."""
        stage = self.set_stage(place)
        current = _Round(1, stage, Paths(stage.root, CACHE), LogicalTimes())
        party = build_party(self._scenario, stage, Actor(name, 0, faults_by_actor(self._faults).get(name)))
        gate = await self._play(current, [party], self._strategy, "alone", of_storm(self._scenario))
        return how_a_build_ended(party, gate).failure

    # Both.

    async def _play(
        self, current: _Round, parties: list[Party], strategy: Strategy, purpose: str, bounds: Bounds
    ) -> Gate:
        actors = [party.actor for party in parties]
        gate = Gate(strategy, actors, current.steps, bounds)
        gate.interrupted = self._options.interrupted
        if not strategy.begin(actors, current.steps, Randomness(self._seed, purpose)):
            raise BadInputError(
                "exhausted", self._scenario.schedule.strategy, "the strategy has no further run to make"
            )
        with Watchdog(gate, self._options.watchdog_seconds) as dog:
            if parties:
                await self._host(gate, current).run(parties)
        strategy.end()
        current.switches += gate.switches
        self._struck.update(str(fault) for actor in actors if actor.faults for fault in actor.faults.fired)
        if gate.stopped == "interrupted":
            raise KeyboardInterrupt
        if dog.stuck is not None:
            raise StuckActorError(dog.stuck, dog.seconds, dog.where, dog.stack, "--watchdog")
        if gate.stopped == PRUNED:
            raise PrunedRunError
        if gate.lacking is not None:
            raise ran_out(gate.lacking, "--sandbox")
        if gate.stopped == "cancelled":
            raise InternalError("cancelled-actor", "", "an actor cancelled itself while it waited for its turn")
        if gate.stopped not in {None, "deadlock", LIVELOCK}:
            raise InternalError("stopped-run", gate.stopped, f"the run was stopped, nobody knows why: {gate.stopped}")
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
        if not self._options.token and self._raised is None:
            return report
        token = token_of(scenario, report, scheduled=self._given)
        if self._raised is not None:
            raise OracleError(self._raised.oracle, self._raised.error, str(token)) from self._raised.error
        return replace(report, token=str(token), trace_digest=trace_of(report).digest)
