"""The bare host: every actor is a greenlet or a coroutine, resumed by a loop of ten lines.

For speed: no event loop, so a switch costs about 2 us instead of 20. What happens is the same as under trio, step
for step (`tests/conformance/test_hosts.py` holds the two to it). Not for real time: no pace, nobody watches between
the steps, and an async actor may await its kernel and nothing else.
"""

from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING

from simulator.engine.kernel import AsyncGatedKernel, GatedKernel
from simulator.errors import ActorKilled
from simulator.hosts.bridge import BridgedActor, hand_over

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.clock import LogicalTimes
    from simulator.engine.gate import Gate
    from simulator.engine.paths import Paths
    from simulator.hosts.base import Party


class _CoroutineActor:
    """An async function that can be resumed; the counterpart of `BridgedActor`."""

    def __init__(self, party: Party, kernel: AsyncGatedKernel) -> None:
        self._coroutine = party.run_async(kernel)
        self.finished = False

    def resume(self) -> Actor | None:
        try:
            chosen: Actor | None = self._coroutine.send(None)
        except (StopIteration, ActorKilled):
            self.finished = True
            return None
        except BaseException:
            self.finished = True
            raise
        return chosen

    def unwind(self) -> None:
        if not self.finished:
            self.finished = True
            # Its clean-up runs, but the actor is marked dead, so that has no effect.
            with contextlib.suppress(ActorKilled, StopIteration):
                self._coroutine.throw(ActorKilled())


@types.coroutine
def _suspend(chosen: Actor | None) -> Generator[Actor | None, None, None]:
    yield chosen


class BareHost:
    """Drives one run. Arguments as `TrioHost`, without a pace."""

    def __init__(self, gate: Gate, paths: Paths, times: LogicalTimes) -> None:
        self._gate = gate
        self._paths = paths
        self._times = times
        self._drivers: dict[Actor, tuple[BridgedActor | _CoroutineActor, GatedKernel | AsyncGatedKernel]] = {}

    async def run(self, parties: Sequence[Party]) -> None:
        """Run every party to its end; `async` only to be called like the other host: it never waits.

        Raises:
            Exception: what a party's function let out, a bug of ours, or what the strategy raised; everybody else is
                unwound first.
        """
        try:
            chosen = None
            for party in parties:
                self._drivers[party.actor] = self._driver(party)
                chosen = self._advance(party.actor)
            while chosen is not None:
                chosen = self._advance(chosen)
        finally:
            for party in parties:
                party.actor.die()
            with contextlib.ExitStack() as everybody:
                # Each of them, whatever the clean-up of another one raises.
                for driver, kernel in self._drivers.values():
                    everybody.callback(kernel.give_up, "exit")
                    everybody.callback(driver.unwind)
        self._gate.check()

    def _driver(self, party: Party) -> tuple[BridgedActor | _CoroutineActor, GatedKernel | AsyncGatedKernel]:
        if party.is_async:
            awaited = AsyncGatedKernel(self._gate, party.actor, self._paths, self._times, _suspend)
            return _CoroutineActor(party, awaited), awaited
        kernel = GatedKernel(self._gate, party.actor, self._paths, self._times, hand_over)
        return BridgedActor(lambda: party.run_sync(kernel)), kernel

    def _advance(self, actor: Actor) -> Actor | None:
        """Let `actor` go on until it hands over or ends. Who moves then."""
        driver, kernel = self._drivers[actor]
        chosen = driver.resume()
        if not driver.finished:
            return chosen
        actor.die()
        kernel.give_up("exit")
        return self._gate.finish(actor)
