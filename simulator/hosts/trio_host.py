"""The trio host: every actor is a task in one nursery.

For fidelity: real cancellation, real time beside the steps (live lines, a pace for an audience), and room for
real processes. A switch costs a reschedule through trio's loop, about 20 us; steps without a switch cost nothing
more. Use one `trio.run` for any number of runs.

An async actor may not put a time limit of its own around its kernel calls: who moves is the gate's to say, and a wait
that ends by itself ends the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from simulator.engine.actor import DONE
from simulator.engine.kernel import AsyncGatedKernel, GatedKernel
from simulator.errors import ActorKilled
from simulator.hosts.bridge import BridgedActor, hand_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.clock import LogicalTimes
    from simulator.engine.gate import Gate
    from simulator.engine.paths import Paths
    from simulator.hosts.base import Party

# Ctrl-C must be answered while an audience watches slow steps.
_PACE_SLICE_SECONDS = 0.05


class TrioHost:
    """Drives one run.

    Args:
        gate: the run's gate.
        paths, times: for the kernels that the actors get.
        pace: seconds to wait before each step; 0 for full speed.
    """

    def __init__(self, gate: Gate, paths: Paths, times: LogicalTimes, pace: float = 0.0) -> None:
        self._gate = gate
        self._paths = paths
        self._times = times
        self._pace = pace
        self._tasks: dict[Actor, trio.lowlevel.Task] = {}
        self._crash: Exception | None = None
        gate.paced = pace > 0

    async def run(self, parties: Sequence[Party]) -> None:
        """Run every party to its end.

        Raises:
            Exception: the first that a party's function let out. Parties keep the failures that are outcomes, so
                this is a bug of ours; or what the strategy raised. Everybody else is unwound first.
        """
        async with trio.open_nursery() as nursery:
            self._gate.on_stop(nursery.cancel_scope.cancel)
            for party in parties:
                nursery.start_soon(self._drive, party)
        if self._crash is not None:
            raise self._crash
        self._gate.check()

    async def _drive(self, party: Party) -> None:
        try:
            await (self._drive_coroutine if party.is_async else self._drive_bridged)(party)
        except Exception as error:  # noqa: BLE001 - raised again by `run`, once everybody is unwound
            self._crash = self._crash or error
            self._gate.halt("crash")

    async def _drive_bridged(self, party: Party) -> None:
        actor = party.actor
        self._tasks[actor] = trio.lowlevel.current_task()
        kernel = GatedKernel(self._gate, actor, self._paths, self._times, hand_over)

        def body() -> None:
            party.run_sync(kernel)

        bridged = BridgedActor(body)
        try:
            chosen = bridged.resume()
            while not bridged.finished:
                await self._wait_turn(actor, chosen)
                chosen = bridged.resume()
        finally:
            actor.die()
            bridged.unwind()
            self._leave(actor, kernel)

    async def _drive_coroutine(self, party: Party) -> None:
        actor = party.actor
        self._tasks[actor] = trio.lowlevel.current_task()

        async def suspend(chosen: Actor | None) -> None:
            await self._wait_turn(actor, chosen)

        kernel = AsyncGatedKernel(self._gate, actor, self._paths, self._times, suspend)
        try:
            await party.run_async(kernel)
        except ActorKilled:
            # Its end is on the record already.
            return
        finally:
            actor.die()
            self._leave(actor, kernel)

    async def _wait_turn(self, actor: Actor, chosen: Actor | None) -> None:
        """Let `chosen` move and wait until it is `actor`'s turn."""
        if self._pace and chosen is not None:
            await self._sleep()
        if chosen is actor:
            return
        if chosen is not None:
            trio.lowlevel.reschedule(self._tasks[chosen])
        try:
            await trio.lowlevel.wait_task_rescheduled(_can_be_cancelled)
        except trio.Cancelled:
            # Whoever cancelled, everybody is being woken: nobody may be picked any more.
            self._gate.halt("cancelled")
            actor.die()
            raise

    async def _sleep(self) -> None:
        left = self._pace
        while left > 0 and not self._gate.interrupted():
            await trio.sleep(min(left, _PACE_SLICE_SECONDS))
            left -= _PACE_SLICE_SECONDS

    def _leave(self, actor: Actor, kernel: GatedKernel | AsyncGatedKernel) -> None:
        """The actor's process is gone: its descriptors go, and the next one moves."""
        if actor.status == DONE:
            return
        kernel.give_up("exit")
        chosen = self._gate.finish(actor)
        if chosen is not None:
            trio.lowlevel.reschedule(self._tasks[chosen])


def _can_be_cancelled(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED
