"""Real installs side by side: started together, watched, struck by signals, ended one by one.

Guarantees: when `run_installs` returns or raises, none of them is alive. Not guaranteed: which of them is ahead.
Costs: a look at /proc ten times a second, a hundred times while a fault waits for a phase.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from simulator.actors.install import INSTALL
from simulator.engine.actor import DONE, ENABLED, STALLED
from simulator.engine.faults import KILL
from simulator.errors import MachineError
from simulator.running.outcome import FAILED, KILLED, OK, BuildOutcome, Failure
from simulator.tools.failures import read_failure, timed_out
from simulator.tools.groups import Group, read_output, run_group
from simulator.tools.watch import LOOK_UP, look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from simulator.tools.enclosure import Place
    from simulator.tools.signals import SignalFault

# Staging alone takes a tenth of a second and more.
_LOOK_SECONDS = 0.1
_LOOK_CLOSELY_SECONDS = 0.01
# Who uses no processor for so long waits for a lock, or for a disk that is very slow.
_WAITS_SECONDS = 3.0


@dataclass(slots=True)
class Install:
    """One install; it is what a view shows.

    Attributes:
        place: where.
        command, variables: what runs.
        output: path of the file with what it prints.
        timeout_seconds: for all of it.
        faults: what is still to strike it, in order.
        group: its processes.
        phase: where it was seen last.
        trees: the source trees that it was seen to build in, in that order.
        moved: when it was last seen to use a processor.
        ticks: how much it had used then.
        struck: names of the faults that did.
        killed: whether one of them was a kill.
        obstacle: why it could not even be started.
    """

    place: Place
    command: Sequence[str]
    variables: Mapping[str, str]
    output: str
    timeout_seconds: float
    faults: list[SignalFault] = field(default_factory=list)
    group: Group = field(default_factory=Group)
    phase: str = LOOK_UP
    trees: dict[str, None] = field(default_factory=dict)
    moved: float = 0.0
    ticks: int = 0
    struck: list[str] = field(default_factory=list)
    killed: bool = False
    obstacle: MachineError | None = None
    _start: float = 0.0

    @property
    def name(self) -> str:
        """Whose line it is."""
        return self.place.actor

    @property
    def status(self) -> str:
        """As of an actor."""
        if self.group.code is not None:
            return DONE
        return STALLED if self.group.stopped else ENABLED

    @property
    def progress(self) -> str:
        """How long it has been running, for people."""
        seconds = self.group.seconds if self.group.code is not None else time.monotonic() - self._start
        return f"{seconds:.1f} s"

    async def run(self) -> None:
        """Run it to its end."""
        self._start = self.moved = time.monotonic()
        try:
            await run_group(
                self.group,
                self.command,
                variables=self.variables,
                directory=self.place.home,
                output=self.output,
                timeout_seconds=self.timeout_seconds,
            )
        except OSError as error:
            reason = f"'{self.command[0]}' cannot be started: {error.strerror}"
            self.obstacle = MachineError("tool", self.command[0], reason)
        else:
            self.phase = self._ended()[0]

    def strike(self, seconds: float) -> None:
        """Let the faults strike that are due, so long after the storm began."""
        while self.faults and self.group.runs and not self.group.stopped:
            fault = self.faults[0]
            if not fault.is_due(self.phase, seconds):
                return
            self.faults.remove(fault)
            self.struck.append(fault.name)
            if fault.action == KILL:
                self.killed = True
                self.group.kill()
                return
            self.group.stop()

    @property
    def printed(self) -> str:
        """All that it printed."""
        return read_output(self.output)

    def failure(self) -> Failure | None:
        """Why it failed, if it did."""
        return self._ended()[1]

    def outcome(self) -> BuildOutcome:
        """How it ended."""
        phase, failure = self._ended()
        outcome = KILLED if self.killed else FAILED if failure is not None else OK
        return BuildOutcome(self.name, outcome, phase, failure, 0, 0, self.group.seconds)

    def _ended(self) -> tuple[str, Failure | None]:
        """In which phase, and why it failed."""
        code = self.group.code
        if self.killed or code is None:
            return self.phase, None
        if self.group.timed_out:
            return self.phase, timed_out(self.timeout_seconds)
        if code == 0:
            return INSTALL, None
        failure, phase = read_failure(self.printed, self.place.cache, tuple(self.trees))
        if code < 0:
            name = signal.Signals(-code).name
            failure = Failure(name, None, None, None, None, f"ended by {name}, which nobody here sent", injected=False)
        return phase or self.phase, failure


async def run_installs(
    installs: Sequence[Install],
    interrupted: Callable[[], bool],
    beside: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Run installs side by side to their ends.

    Args:
        installs: started in this order, as fast as processes start.
        interrupted: asked at every look; true ends all.
        beside: what else happens, from the moment that the first install is in the back end, or has ended.

    Raises:
        MachineError: one cannot be started.
        KeyboardInterrupt: `interrupted` said so.
    """
    watcher = _Watcher(installs, interrupted)
    async with trio.open_nursery() as everything:
        everything.start_soon(watcher.watch, everything.cancel_scope)
        async with trio.open_nursery() as at_work:
            for install in installs:
                at_work.start_soon(install.run)
            for work in beside:
                at_work.start_soon(watcher.run_later, work)
        everything.cancel_scope.cancel()
    if watcher.was_interrupted:
        raise KeyboardInterrupt
    for install in installs:
        if install.obstacle is not None:
            raise install.obstacle


class _Watcher:
    """Looks at installs until it is cancelled."""

    def __init__(self, installs: Sequence[Install], interrupted: Callable[[], bool]) -> None:
        self.was_interrupted = False
        self._installs = installs
        self._interrupted = interrupted
        self._begun = trio.Event()

    async def watch(self, everything: trio.CancelScope) -> None:
        start = time.monotonic()
        while True:
            if self._interrupted():
                self.was_interrupted = True
                everything.cancel()
                return
            self._look()
            for install in self._installs:
                install.strike(time.monotonic() - start)
            self._release()
            closely = any(install.faults and install.group.runs for install in self._installs)
            await trio.sleep(_LOOK_CLOSELY_SECONDS if closely else _LOOK_SECONDS)

    async def run_later(self, work: Callable[[], Awaitable[None]]) -> None:
        if self._installs:
            await self._begun.wait()
        await work()

    def _look(self) -> None:
        running = {install.group.leader: install for install in self._installs if install.group.runs}
        sights = look({leader: install.name for leader, install in running.items()})
        for install in running.values():
            sight = sights[install.name]
            if sight.ticks != install.ticks:
                install.ticks, install.moved = sight.ticks, time.monotonic()
            if sight.tree is not None:
                install.phase = sight.phase
                install.trees[sight.tree] = None
        if any(install.trees or install.status == DONE or install.obstacle for install in self._installs):
            self._begun.set()

    def _release(self) -> None:
        """One that stands still goes on when nobody else can: the others have ended, or wait for what it holds."""
        stopped = [install for install in self._installs if install.group.runs and install.group.stopped]
        since = time.monotonic() - _WAITS_SECONDS
        moving = [install for install in self._installs if install.status == ENABLED and install.moved > since]
        if stopped and not moving:
            stopped[0].group.go_on()
