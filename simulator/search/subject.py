"""What can be explored: something that runs once under a schedule, and says what came of it.

A search knows nothing of builds and caches. It asks for trials, one after another, tells each who is to move when (or
leaves that to the seed), and gets the record of what happened with the name of its outcome.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from simulator.engine.faults import KILL, Fault
from simulator.explaining.sometimes import counters, happened
from simulator.exploration.start import observe
from simulator.ground.stage import CACHE
from simulator.running.cast import party_names
from simulator.running.identity import scenario_digest, token_of
from simulator.running.orchestrator import UMASK, Options, length_alone, run, stage_of
from simulator.running.signature import signature
from simulator.running.watchdog import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start
    from simulator.ground.sandbox import Sandbox
    from simulator.running.orchestrator import RealCleaning
    from simulator.running.outcome import RunReport, Violation
    from simulator.scenario import Scenario
    from simulator.strategies.base import Strategy


class Trial(Protocol):
    """What came of one run.

    Attributes:
        seed: that it was made with.
        signature: the same for the same kind of outcome.
        violations: what its oracles said.
        happened: which of the subject's counters it counts for.
        storm: the steps that were up to the schedule, in order.
        steps, switches: how long the whole run is.
        token: plays it again.
    """

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def signature(self) -> str: ...  # noqa: D102
    @property
    def violations(self) -> tuple[Violation, ...]: ...  # noqa: D102
    @property
    def happened(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def storm(self) -> Sequence[RawStep]: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def switches(self) -> int: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102


class Subject(Protocol):
    """What is explored.

    Attributes:
        name: of it.
        digest: of everything that decides a run but seed and schedule.
        counters: what may happen in a run that is worth counting.
        victims: actors that may be killed.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def counters(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def victims(self) -> tuple[str, ...]: ...  # noqa: D102

    async def trial(self, seed: int, *, strategy: Strategy | None = None, kills: tuple[Fault, ...] = ()) -> Trial:
        """Run it once.

        Args:
            seed: of all that is drawn.
            strategy: who moves when; None: as the subject says, by the seed.
            kills: faults besides its own.

        Raises:
            KeyboardInterrupt: somebody wants it to end.
        """

    async def start(self) -> Start:
        """What is in the sandbox before the first step, the same for every run."""

    async def length_alone(self) -> int:
        """How many steps a run has with everybody one after another, roughly."""


@dataclass(frozen=True)
class ScenarioTrial:
    """One run of a scenario; attributes as `Trial`."""

    scenario: Scenario
    report: RunReport = field(repr=False)
    scheduled: bool

    @property
    def seed(self) -> int:
        """As `Trial.seed`."""
        return self.report.seed

    @cached_property
    def signature(self) -> str:
        """As `Trial.signature`."""
        return signature(self.report)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """As `Trial.violations`."""
        return self.report.violations

    @cached_property
    def happened(self) -> frozenset[str]:
        """As `Trial.happened`."""
        return frozenset(happened(self.report))

    @cached_property
    def storm(self) -> Sequence[RawStep]:
        """As `Trial.storm`."""
        return self.report.rounds[0][: self.report.storm_steps]

    @property
    def steps(self) -> int:
        """As `Trial.steps`."""
        return self.report.steps or 0

    @property
    def switches(self) -> int:
        """As `Trial.switches`."""
        return self.report.switches or 0

    @cached_property
    def token(self) -> str:
        """As `Trial.token`: by the seed, or by the schedule where a search made it."""
        return str(token_of(self.scenario, self.report, scheduled=self.scheduled))


class ScenarioSubject:
    """A scenario, in a sandbox, under the bare host.

    Args:
        scenario: what to run.
        sandbox: where.
        kills: whether a search kills actors.
        interrupted: asked before each step; true raises KeyboardInterrupt.
        real_cleaners: those of the scenario's cleaners that are real programs.
        watchdog_seconds: how long an actor may compute without a step; 0: as long as it likes.
    """

    def __init__(
        self,
        scenario: Scenario,
        sandbox: Sandbox,
        *,
        kills: bool = False,
        interrupted: Callable[[], bool] = bool,
        real_cleaners: RealCleaning | None = None,
        watchdog_seconds: float = SECONDS,
    ) -> None:
        self.scenario = scenario
        self.name = scenario.name
        self.digest = scenario_digest(scenario)
        self.victims = party_names(scenario)
        killed = Fault("", 0, "", 0, KILL)
        self.counters = counters(scenario if not kills else replace(scenario, faults=(*scenario.faults, killed)))
        self._sandbox = sandbox
        self._options = Options(
            interrupted=interrupted,
            bare=True,
            real_cleaners=real_cleaners,
            token=False,
            watchdog_seconds=watchdog_seconds,
        )

    def storm_alone(self) -> ScenarioSubject:
        """The same storms, and no cleaner after them: in less than half the time."""
        alone = copy.copy(self)
        alone.scenario = replace(self.scenario, cleaners_after=())
        return alone

    async def trial(
        self, seed: int, *, strategy: Strategy | None = None, kills: tuple[Fault, ...] = ()
    ) -> ScenarioTrial:
        """As `Subject.trial`."""
        options = replace(self._options, kills=kills) if kills else self._options
        report = await run(self.scenario, seed, self._sandbox, options, strategy)
        return ScenarioTrial(self.scenario, report, scheduled=strategy is not None)

    async def start(self) -> Start:
        """As `Subject.start`."""
        return observe(stage_of(self.scenario, self._sandbox).root, CACHE, UMASK)

    async def length_alone(self) -> int:
        """As `Subject.length_alone`."""
        return await length_alone(self.scenario, self._sandbox, self._options)
