"""Runs on behalf of a command: one or many, in one sandbox and one `trio.run`, ended by a signal at any moment.

Guarantees: when a function of this module returns or raises, the sandbox is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

from simulator.cli.output import note
from simulator.cli.parameters import watchdog_seconds
from simulator.cli.tokens import check_trace
from simulator.explaining.swap import explain_by_swap
from simulator.ground.sandbox import Sandbox
from simulator.likeness.solo import solo
from simulator.running.orchestrator import Options, run
from simulator.running.watchdog import SECONDS
from simulator.search.sampling import sample
from simulator.search.subject import ScenarioSubject
from simulator.search.systematic import Systematic, check_size
from simulator.shrink.keep import keep_of, poisoned_in
from simulator.shrink.shrinking import shrink
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from simulator.actors.cleaners import Cleaned
    from simulator.actors.toolchains.base import Toolchain
    from simulator.cli.signals import Interruption
    from simulator.engine.actor import Shown
    from simulator.explaining.swap import Explanation
    from simulator.likeness.fidelity import Row
    from simulator.likeness.manifest import SdistManifest
    from simulator.report.live import View
    from simulator.running.orchestrator import Observer, RealCleaning
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, Residue, RunReport
    from simulator.scenario import Scenario
    from simulator.search import found as searching
    from simulator.search.limits import Limits
    from simulator.search.result import Exploration
    from simulator.shrink.budget import Limits as ShrinkLimits
    from simulator.shrink.shrinking import Shrunk
    from simulator.token import Token

T = TypeVar("T")

# How often a signal is looked for where nobody makes steps.
_ASK_SECONDS = 0.05
# Emptying what a storm left takes a real cleaner a tenth of a second.
CLEANER_SECONDS_MAX = 60.0


class Watcher:
    """Shows the first storm of a run, and its cleaners, through a view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def storm_begins(self, round_number: int, actors: Sequence[Shown]) -> None:
        """The first storm is shown; the others are the same."""
        if round_number == 1:
            self._view.begin(f"the storm: {counted(len(actors), 'actor')} on one cache", actors)

    def storm_ends(self, round_number: int, builds: tuple[BuildOutcome, ...], residue: Residue, cache: str) -> None:
        """Over."""
        del builds, residue, cache
        if round_number == 1:
            self._view.end()

    def cleaner_begins(self, round_number: int, name: str, actors: Sequence[Shown]) -> None:
        """A cleaner gets the whole residue."""
        again = "" if round_number == 1 else ", after the same storm again"
        self._view.begin(f"the cleaner {name}{again}", actors)

    def cleaner_ends(self, round_number: int, outcome: CleanerOutcome) -> None:
        """Done."""
        del round_number, outcome
        self._view.end()


async def until_interrupted(interruption: Interruption, work: Callable[[], Awaitable[T]]) -> T:
    """Do something that waits for real processes; a signal cancels it, and they are dead.

    Raises:
        InterruptedRunError: A signal came.
    """
    result: list[T] = []

    async def do() -> None:
        result.append(await work())
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(do)
            # The handler of a signal notes it, and may not wake anybody.
            while not interruption():  # noqa: ASYNC110
                await trio.sleep(_ASK_SECONDS)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None
    if result:
        return result[0]
    raise interruption.error()


class Runner:
    """Makes runs one after another in one sandbox. Use inside `play`."""

    def __init__(self, sandbox: Sandbox, interruption: Interruption, pace: float, view: View | None) -> None:
        self._sandbox = sandbox
        self._interruption = interruption
        self._pace = pace
        self._view = view
        self._watchdog_seconds = watchdog_seconds(SECONDS)
        self._cleaners: RealCleaning | None = None

    async def run(
        self,
        scenario: Scenario,
        seed: int,
        *,
        observer: Observer | None = None,
        chain: bool = False,
        quiet: bool = False,
    ) -> RunReport:
        """One run; `quiet` makes it at full speed and unseen.

        Raises:
            InterruptedRunError: A signal came.
        """
        view = None if quiet else self._view
        if view is not None and observer is None:
            observer = Watcher(view)

        def ask() -> bool:
            if view is not None:
                view.look()
            return self._interruption()

        self._interruption.check()
        cleaners = await self._real_cleaners(scenario)
        options = Options(
            pace=0.0 if quiet else self._pace,
            interrupted=ask,
            observer=observer,
            chain=chain,
            real_cleaners=cleaners,
            watchdog_seconds=self._watchdog_seconds,
        )
        try:
            return await run(scenario, seed, self._sandbox, options)
        except KeyboardInterrupt:
            if view is not None:
                view.end()
            raise self._interruption.error() from None

    async def explore(
        self,
        scenario: Scenario,
        *,
        limits: Limits,
        first_seed: int,
        count_classes: bool,
        observer: searching.Observer,
    ) -> Exploration:
        """Many runs, drawn, at full speed; a signal ends them early, and what they found is returned."""
        subject = await self._subject(scenario)
        return await sample(
            subject,
            scenario.schedule,
            limits,
            first_seed=first_seed,
            count_classes=count_classes,
            observer=observer,
        )

    async def shrink(
        self,
        scenario: Scenario,
        token: Token,
        limits: ShrinkLimits,
        *,
        same_directory: bool = False,
        signature: str | None = None,
    ) -> Shrunk:
        """A small run that fails as the one of `token` does, whose scenario (and schedule) it is.

        Raises:
            BadInputError: It does not fail, or not like that.
            DivergenceError: It is another run here.
            InterruptedRunError: A signal came.
        """
        subject = await self._subject(scenario)
        try:
            trial = await subject.trial(token.seed)
            check_trace(trial.report, token)
            keep = keep_of(trial, same_directory=same_directory, signature=signature)
            return await shrink(subject, trial, keep=keep, quick=subject.storm_alone(), limits=limits)
        except KeyboardInterrupt:
            raise self._interruption.error() from None

    async def explain(self, scenario: Scenario, seed: int, *, signature: str | None = None) -> Explanation | None:
        """Which two steps of a run must not swap; None if nothing is wrong with it and no violation is asked for.

        Raises:
            BadInputError: It has no violation with this signature.
            InterruptedRunError: A signal came.
        """
        subject = await self._subject(scenario)
        try:
            trial = await subject.trial(seed)
            if signature is None and not trial.violations and not poisoned_in(trial):
                return None
            keep = keep_of(trial, signature=signature)
            return await explain_by_swap(subject, trial, keep=keep, quick=subject.storm_alone())
        except KeyboardInterrupt:
            raise self._interruption.error() from None

    async def search(
        self, scenario: Scenario, *, seed: int, kills: int, count_classes: bool, bounded: bool
    ) -> Systematic:
        """A systematic search, at its beginning.

        Args:
            scenario: what to run.
            seed: of its faults.
            kills: how many a run has at most.
            count_classes: whether storms are told apart by more than their outcome.
            bounded: whether somebody said how far it may go.

        Raises:
            BadInputError: nobody did, and it would not come to its end.
        """
        subject = await self._subject(scenario, kills=kills > 0)
        if not bounded:
            await check_size(subject)
        return Systematic(subject, await subject.start(), seed=seed, kills=kills, count_classes=count_classes)

    async def _subject(self, scenario: Scenario, *, kills: bool = False) -> ScenarioSubject:
        return ScenarioSubject(
            scenario,
            self._sandbox,
            kills=kills,
            interrupted=self._interruption,
            real_cleaners=await self._real_cleaners(scenario),
            watchdog_seconds=self._watchdog_seconds,
        )

    async def _real_cleaners(self, scenario: Scenario) -> RealCleaning | None:
        """The real programs among the scenario's cleaners, made ready once."""
        if not any("==" in name for name in scenario.cleaners_after):
            return None
        from simulator.tools.real_cleaners import RealCleaners  # noqa: PLC0415

        async def prepare() -> RealCleaners:
            homes = f"{self._sandbox.path}/cleaners"
            return await RealCleaners.prepare(scenario.cleaners_after, homes, CLEANER_SECONDS_MAX, note)

        if self._cleaners is None:
            cleaners = await until_interrupted(self._interruption, prepare)
            self._cleaners = _Interruptible(cleaners, self._interruption)
        return self._cleaners

    async def solo(self, package: SdistManifest, toolchain: Toolchain) -> list[Row]:
        """One build alone.

        Raises:
            InterruptedRunError: A signal came.
        """
        try:
            return await solo(package, toolchain, self._sandbox, self._interruption)
        except KeyboardInterrupt:
            raise self._interruption.error() from None


class _Interruptible:
    """Real cleaners that a signal ends."""

    def __init__(self, cleaners: RealCleaning, interruption: Interruption) -> None:
        self._cleaners = cleaners
        self._interruption = interruption

    def __contains__(self, name: str) -> bool:
        return name in self._cleaners

    async def clean_alone(self, name: str, cache: str) -> Cleaned:
        return await until_interrupted(self._interruption, lambda: self._cleaners.clean_alone(name, cache))


def play(
    parent: str,
    interruption: Interruption,
    pace: float,
    view: View | None,
    script: Callable[[Runner], Awaitable[T]],
    *,
    runner: Callable[[Sandbox, Interruption, float, View | None], Runner] = Runner,
) -> T:
    """Run a script of runs in a sandbox of its own, in one `trio.run`.

    Args:
        parent: Where to make the sandbox.
        interruption: Ends it.
        pace: Seconds to wait before each step.
        view: Shows it, if anybody watches.
        script: Gets the runner.
        runner: Makes it.

    Raises:
        InterruptedRunError: A signal came.
        MachineError: No sandbox can be made.
    """

    async def main() -> T:
        return await script(runner(sandbox, interruption, pace, view))

    interruption.check()
    with Sandbox.create(parent) as sandbox:
        return trio.run(main)
