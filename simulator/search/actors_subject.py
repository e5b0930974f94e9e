"""Other people's actors as something to explore: functions in a fresh directory, judged by an oracle of theirs.

Each trial has a directory of its own, which `setup` fills; then the actors move, by the seed or by a schedule; then the
oracle looks at the directory and at how the actors ended. Under the bare host, with the names of `os` and their like
in place (`simulator.bridged`), Python's collector of cycles switched off (when it runs, files that nobody closed would
be closed, at a step that no schedule knows), and the umask of all runs.

Guarantee: what an actor did beside the gate ends the exploration, even if the actor caught the error.
A token is always a schedule in segments: it needs no strategy to be replayed, only the same actors.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from simulator.bridged.actors import RunOfActors, party_of
from simulator.bridged.audit import watched
from simulator.bridged.bridge import Watch
from simulator.bridged.clocks import times_of_files
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import faults_by_actor
from simulator.engine.gate import LIVELOCK, PRUNED, Bounds, Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.engine.trace import fingerprint
from simulator.errors import (
    BadInputError,
    InternalError,
    PrunedRunError,
    StuckActorError,
    UngatedCallError,
)
from simulator.exploration.start import observe
from simulator.ground.stage import CACHE
from simulator.hosts.bare import BareHost
from simulator.oracles.deadlock import deadlocked
from simulator.oracles.livelock import livelocked
from simulator.running.orchestrator import umasked
from simulator.running.resources import ran_out
from simulator.running.watchdog import SECONDS, Watchdog
from simulator.schedule import compact, format_segments
from simulator.search.repeats import check_repeats
from simulator.search.verdicts import OracleError, OracleOfUser, no_actor_raised, result_of
from simulator.strategies import STRATEGIES
from simulator.token import token_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from simulator.bridged.actors import Function
    from simulator.engine.faults import Fault
    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start
    from simulator.ground.sandbox import Sandbox
    from simulator.running.outcome import Violation
    from simulator.scenario import Schedule
    from simulator.search.verdicts import ActorResult
    from simulator.strategies.base import Strategy
    from simulator.token import Token

# Of the pinned steps: what a bridged actor makes of the same code. Changed when old tokens can no longer replay.
_REVISION = 2

# Of a run, under its schedule, and again with everybody in turn. A test's actors make some dozens.
STEPS_MAX = 10_000


@dataclass(frozen=True)
class ActorsTrial:
    """One run of other people's actors; attributes as `simulator.search.subject.Trial`.

    Attributes:
        results: how each actor ended, by name.
        directory: what they worked in; gone by the next trial.
    """

    subject: ActorsSubject = field(repr=False)
    seed: int
    results: dict[str, ActorResult]
    violations: tuple[Violation, ...]
    storm: Sequence[RawStep] = field(repr=False)
    switches: int
    directory: str

    happened: frozenset[str] = frozenset()

    @property
    def steps(self) -> int:
        """As `Trial.steps`."""
        return len(self.storm)

    @cached_property
    def signature(self) -> str:
        """As `Trial.signature`: how each actor ended, and what the oracles say."""
        ends = ", ".join(result.told(self.directory) for result in self.results.values())
        said = {item.signature for item in self.violations if item.oracle != no_actor_raised.__name__}
        return "; ".join([ends, *sorted(said)])

    @cached_property
    def token(self) -> str:
        """As `Trial.token`: the schedule."""
        return str(self.subject.token_of(self.seed, self.storm))


class ActorsSubject:
    """Functions as actors, in a sandbox.

    Args:
        functions: what each actor does; names are different, and so are the codes of `simulator.schedule`.
        sandbox: where.
        schedule: by which they move when no strategy is given.
        oracles: who judges.
        setup: fills the directory before each run.
        faults: what happens to actors in each run.
        steps: how many a run may make; after as many more, fair ones, it counts as one that does not end.
        name: in tokens.

    Attributes:
        outside: in what ways actors changed something outside of their directory, so far.
        clocks: who looked at a clock that moves with everybody's steps, so far, and by what, the first time.
        pause: awaited before each trial, by whoever shares an event loop with others.
    """

    counters: tuple[str, ...] = ()
    pause: Callable[[], Awaitable[object]] | None = None

    def __init__(
        self,
        functions: Sequence[Function],
        sandbox: Sandbox,
        schedule: Schedule,
        *,
        oracles: Sequence[OracleOfUser] = (),
        setup: Callable[[str], object] | None = None,
        faults: tuple[Fault, ...] = (),
        steps: int = STEPS_MAX,
        name: str = "actors",
    ) -> None:
        self.name = name
        self.actors = tuple(function.name for function in functions)
        self.outside: dict[str, None] = {}
        self.clocks: dict[str, str] = {}
        self._functions = functions
        self._sandbox = sandbox
        self._schedule = schedule
        self._oracles = oracles
        self._setup = setup
        self._faults = faults
        self._bounds = Bounds(steps, steps)
        self._length: int | None = None

    @property
    def victims(self) -> tuple[str, ...]:
        """As `Subject.victims`: everybody."""
        return self.actors

    @property
    def digest(self) -> str:
        """Of the names of the actors and of the faults: what the functions do, a replay finds out."""
        decides = (_REVISION, self.actors, tuple(map(str, self._faults)))
        return hashlib.sha256(ascii(decides).encode()).hexdigest()[:8]

    async def trial(self, seed: int, *, strategy: Strategy | None = None, kills: tuple[Fault, ...] = ()) -> ActorsTrial:
        """As `Subject.trial`.

        Raises:
            BadInputError: an oracle broke.
            UngatedCallError: an actor made a call that no gate can stand before.
            StuckActorError: an actor computes for ever, or is in a call that does not return.
            DivergenceError: a schedule could not be followed.
        """
        if self.pause is not None:
            await self.pause()
        if strategy is None:
            strategy = STRATEGIES[self._schedule.strategy](self._schedule)
            rehearsed = getattr(strategy, "rehearsed", None)
            if rehearsed:
                rehearsed(await self.length_alone())
        return await self._play(seed, strategy, kills)

    async def start(self) -> Start:
        """As `Subject.start`."""
        with umasked():
            return observe(os.path.dirname(self._prepare()), CACHE)

    async def length_alone(self) -> int:
        """As `Subject.length_alone`."""
        if self._length is None:
            alone = STRATEGIES["replay"](self._schedule)
            self._length = (await self._play(0, alone, (), judged=False)).steps
        return self._length

    async def check(self, seed: int) -> None:
        """Make one run twice.

        Raises:
            NondeterminismError: an actor did something else the second time, though the schedule was the same.
            BadInputError: there is nothing to interleave.
        """
        once = await self.trial(seed)
        await check_repeats(self, once)
        if not once.storm:
            raise BadInputError(
                "no-calls",
                ", ".join(self.actors),
                "no actor made a call in its directory, so there is nothing to interleave: use the directory that an"
                " actor is given (a parameter 'directory')",
            )

    def token_of(self, seed: int, storm: Sequence[RawStep]) -> Token:
        """The token of a run."""
        return token_for(self.name, self.digest, seed, format_segments(compact(storm, self.actors)), fingerprint(storm))

    def _prepare(self) -> str:
        """A fresh directory, as it is before the first step."""
        directory = f"{self._sandbox.fresh()}/{CACHE}"
        os.makedirs(directory)
        if self._setup is not None:
            self._setup(directory)
        return directory

    async def _play(
        self, seed: int, strategy: Strategy, kills: tuple[Fault, ...], *, judged: bool = True
    ) -> ActorsTrial:
        with umasked():
            directory = self._prepare()
            root = os.path.dirname(directory)
            faults = faults_by_actor((*self._faults, *kills))
            actors = [Actor(name, index, faults.get(name)) for index, name in enumerate(self.actors)]
            steps: list[RawStep] = []
            run = RunOfActors(directory, steps, actors, Watch(root))
            parties = [party_of(function, actor, run) for function, actor in zip(self._functions, actors, strict=True)]
            strategy.begin(actors, steps, Randomness(seed, "schedule"))
            gate = Gate(strategy, actors, steps, self._bounds)
            times = LogicalTimes(times_of_files(run.watch, steps))
            with Watchdog(gate, SECONDS, ends_calls=True) as dog, watched(run.watch), _no_collection():
                await BareHost(gate, Paths(root, CACHE), times).run(parties)
            strategy.end()
            if dog.stuck is not None:
                raise StuckActorError(dog.stuck, dog.seconds, dog.where, dog.stack, in_call=dog.in_call)
            self._check(gate, run.watch)
            moving = [name for name, _ in gate.livelock.moving] if gate.livelock is not None else []
            results = {party.actor.name: result_of(party, moving=party.actor.name in moving) for party in parties}
            violations = deadlocked(gate.deadlock) + livelocked(gate.livelock)
            if judged:
                violations += self._judge(seed, directory, results, steps)
        return ActorsTrial(self, seed, results, tuple(violations), steps, gate.switches, directory)

    def _judge(
        self, seed: int, directory: str, results: dict[str, ActorResult], steps: Sequence[RawStep]
    ) -> list[Violation]:
        try:
            return [violation for oracle in self._oracles for violation in oracle.judge(directory, results)]
        except OracleError as error:
            token = self.token_of(seed, steps)
            raise BadInputError("oracle-failed", error.name, f"{error}; the run has token {token}") from error

    def _check(self, gate: Gate, watch: Watch) -> None:
        self.outside.update(watch.outside)
        self.clocks = watch.clocks | self.clocks
        if watch.problems:
            raise UngatedCallError("ungated-call", watch.problems[0].split(" at ")[0], watch.problems[0])
        if gate.stopped == PRUNED:
            raise PrunedRunError
        if gate.lacking is not None:
            raise ran_out(gate.lacking, "sandbox")
        if gate.stopped not in {None, "deadlock", LIVELOCK}:
            raise InternalError("stopped-run", gate.stopped, f"the run was stopped, nobody knows why: {gate.stopped}")


def nondeterministic(difference: str) -> BadInputError:
    """A run that was told cannot be made again."""
    return BadInputError(
        "nondeterministic-actor",
        "",
        f"an actor is not the same in two runs of one schedule: {difference}; pin what it takes from elsewhere"
        " (datetime.now, addresses, state that outlives a run)",
    )


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
