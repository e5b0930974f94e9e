"""The gate: where an actor waits for its turn before each system call.

The only scheduling primitive. Whoever is about to make a call parks; the last one to park picks who moves next,
by asking the strategy. If it picks itself it goes on without yielding. So only one actor is ever runnable, and
neither the order in which a host wakes tasks nor any hash order can matter.

A strategy that knows that it will pick the same actor for the next n steps may say so (`quiet_steps`). The actor is
then granted these steps: it makes them without coming to the gate (`simulator.engine.quiet`), until somebody else
becomes able to move, it has a fault to meet, or it is time to ask whether the run was interrupted.

A run that does not end within its bounds gets a fair ending: no more faults, nobody stands still, everybody in turn.
Whatever strategy and faults did to it, in that phase nobody is starved; whoever does not come to an end there never
will. That is a livelock.

Guarantees: between two picks exactly one actor runs; picks depend on the strategy and on what the actors did,
nothing else; what a strategy raises ends the run, and is no actor's failure: the host raises it (`check`).
Not guaranteed: that an actor which computes for ever is noticed (it never parks; see `simulator.running.watchdog`).
Cost: nothing for a granted step; for others one call of `Strategy.choose` and a few attribute look-ups.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from simulator.engine.actor import BLOCKED, DONE, ENABLED, STALLED, STARTING, Actor, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.engine.trace import RawStep
    from simulator.strategies.base import Strategy

# A run of 256 builds makes about 1.5 million steps; ten times that is a loop that will not end.
STEPS_MAX = 20_000_000

# Of a livelock so many of each actor's last steps are looked at for what it keeps doing.
_LAST_STEPS = 50

# How many steps are made at most between two questions whether the run was interrupted: two milliseconds.
LOOK_EVERY_STEPS = 200

# A reason to stop: the sandbox is full, or the process may not open more files.
LACKING = "lacking"

# Another: somebody went on and on, in a fair phase too.
LIVELOCK = "livelock"

# Another: the strategy has nobody to choose, as it knows already what would follow.
PRUNED = "pruned"

# Another: the strategy raised.
BROKEN = "broken"

# What an actor waits for that is no lock has a name that starts so; paths are relative and never do.
EVENT = "/event/"

_by_index = attrgetter("index")


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Nobody can move: who waits for which lock, and who holds it."""

    waiting: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many steps a run may make.

    Attributes:
        chaos: under its strategy, with its faults.
        fair: after that, everybody in turn and without faults.
    """

    chaos: int = STEPS_MAX
    fair: int = STEPS_MAX


NO_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Livelock:
    """Somebody was still moving at the end of the fair phase.

    Attributes:
        moving: who, with the different calls among its last steps (operation, path, errno), the latest last.
        bounds: that the run had.
    """

    moving: tuple[tuple[str, tuple[tuple[str, str, int | None], ...]], ...]
    bounds: Bounds


def _nothing() -> None:
    """Stand in until a host says how it stops, and for a strategy that need not know when it is no longer asked."""


class Gate:
    """The state of who may move.

    Args:
        strategy: picks the next actor; `begin` has been called.
        actors: all parties, in order of their index.
        steps: where the kernel records what happened.
        bounds: how many it may be.
    """

    def __init__(
        self, strategy: Strategy, actors: list[Actor], steps: list[RawStep], bounds: Bounds = NO_BOUNDS
    ) -> None:
        self.strategy = strategy
        self.actors = actors
        self.steps = steps
        self.paced = False
        self.stopped: str | None = None
        self.deadlock: Deadlock | None = None
        self.livelock: Livelock | None = None
        self.lacking: RawStep | None = None
        self.broken: Exception | None = None
        self.interrupted: Callable[[], bool] = bool
        self.switches = 0
        self.interruptions = [0] * len(actors)
        self.bounds = bounds
        self.limit = len(steps) + bounds.chaos
        self.fair = False
        self.locks_taken: dict[str, None] = {}
        self._choose: Callable[[list[Actor], Actor], Actor | None] = strategy.choose
        self.quiet_steps: Callable[[], int] | None = getattr(strategy, "quiet_steps", None)
        self._overrule: Callable[[], None] = getattr(strategy, "overrule", _nothing)
        self._quiet_until = 0
        self._stop: Callable[[], None] = _nothing
        self._enabled: list[Actor] = []
        self._starting = len(actors)
        self._released = False
        self._last: Actor | None = None

    def on_stop(self, stop: Callable[[], None]) -> None:
        """`stop` is called once, when the run must end early: the host unwinds every actor."""
        self._stop = stop

    def park(self, actor: Actor) -> Actor | None:
        """`actor` waits before its next call. Who moves now; None while somebody is yet to arrive, or at a stop."""
        if actor.status == STARTING:
            self._starting -= 1
            actor.status = ENABLED
            actor.settled = len(self.steps)
            insort(self._enabled, actor, key=_by_index)
            # Who arrives last is up to the host; who counts as the current actor must not be.
            return None if self._starting else self._pick(self.actors[0])
        # The usual case, kept short. `actor` itself is enabled, so somebody is.
        made = len(self.steps)
        actor.steps += made - actor.settled
        actor.settled = made
        if self.stopped is not None or self.interrupted() or made > self.limit:
            return self._pick(actor)
        if made < self._quiet_until:
            self._grant(actor, made)
            return actor
        return self._choose_from(self._enabled, actor, made)

    def block(self, actor: Actor, lock: str) -> Actor | None:
        """`actor` found `lock` held by another: it cannot move until it is released. Who moves now."""
        arriving = actor.status == STARTING
        if arriving:
            self._starting -= 1
            actor.settled = len(self.steps)
        else:
            self._settle(actor)
            self._enabled.remove(actor)
        actor.status = BLOCKED
        actor.waits_for = lock
        if self._starting:
            return None
        return self._pick(self.actors[0] if arriving else actor)

    def stall(self, actor: Actor) -> Actor | None:
        """`actor` stands still until nobody else can move. Who moves now."""
        self._settle(actor)
        actor.status = STALLED
        self._enabled.remove(actor)
        return self._pick(actor)

    def release(self, lock: str) -> None:
        """`lock` was given up: whoever waits for it may try again."""
        self._released = True
        for actor in self.actors:
            if actor.status == BLOCKED and actor.waits_for == lock:
                self._enable(actor)

    def drop(self, held: Held) -> None:
        """A lock is gone though its descriptors are open: no copy of them has it any more."""
        for actor in self.actors:
            for fd in [fd for fd, one in actor.locks.items() if one is held]:
                del actor.locks[fd]
        self.release(held.path)

    def finish(self, actor: Actor) -> Actor | None:
        """`actor` makes no further step. Who moves now; None when nobody is left."""
        arriving = actor.status == STARTING
        if arriving:
            self._starting -= 1
        else:
            self._settle(actor)
        if actor.status == ENABLED:
            self._enabled.remove(actor)
        actor.status = DONE
        actor.die()
        if self._starting:
            return None
        return self._pick(self.actors[0] if arriving else actor)

    def run_out(self, step: RawStep) -> None:
        """`step` failed because the machine has no more of something: what follows says nothing about the race."""
        self.lacking = self.lacking or step
        self.halt(LACKING)

    def halt(self, reason: str) -> None:
        """End the run early; later parks pick nobody."""
        if self.stopped is None:
            self.stopped = reason
            self._stop()

    def check(self) -> None:
        """Raise what the strategy raised; to be called when every actor is unwound."""
        if self.broken is not None:
            raise self.broken

    def _settle(self, actor: Actor) -> None:
        """`actor`, who made the last steps, stops here."""
        made = len(self.steps)
        actor.steps += made - actor.settled
        actor.settled = made
        actor.grant.clear()

    def _enable(self, actor: Actor) -> None:
        # There is one more to choose from.
        self._quiet_until = 0
        if self._last is not None:
            self._last.grant.clear()
        actor.status = ENABLED
        actor.waits_for = None
        insort(self._enabled, actor, key=_by_index)

    def _pick(self, current: Actor) -> Actor | None:
        if self.stopped is not None:
            return None
        if self.interrupted():
            self.halt("interrupted")
            return None
        made = len(self.steps)
        if made > self.limit and not self._begin_fair_phase(made):
            return None
        enabled = self._enabled
        if not enabled and not self._revive():
            return None
        return self._choose_from(enabled, current, made)

    def _choose_from(self, enabled: list[Actor], current: Actor, made: int) -> Actor | None:
        try:
            chosen = self._choose(enabled, current)
            quiet = 0 if self.quiet_steps is None else self.quiet_steps()
        except Exception as error:  # noqa: BLE001 - raised again by the host, where no actor takes it for its own
            self.broken = error
            self.halt(BROKEN)
            return None
        if chosen is None:
            self.halt(PRUNED)
            return None
        if chosen.status == STALLED:
            self._enable(chosen)
        if chosen is not self._last:
            self._count_switch(chosen)
        chosen.settled = made
        if self.quiet_steps is not None:
            self._quiet_until = made + 1 + quiet
            self._grant(chosen, made)
        return chosen

    def _grant(self, chosen: Actor, made: int) -> None:
        """Let `chosen` make the steps that need no choice, after the one it waits with."""
        if self.paced or (chosen.faults is not None and not chosen.faults.spent):
            return
        # Where the bound is reached must not depend on what a strategy foresees.
        steps = min(self._quiet_until, made + LOOK_EVERY_STEPS, self.limit + 1) - made - 1
        chosen.grant[:] = (chosen.phase,) * steps

    def _count_switch(self, chosen: Actor) -> None:
        last = self._last
        if last is not None:
            self.switches += 1
            if last.status != DONE:
                self.interruptions[last.index] += 1
        self._last = chosen

    def _revive(self) -> bool:
        """Nobody is enabled: let the stalled go on; else let waiters try once more if any lock was released."""
        stalled = [actor for actor in self.actors if actor.status == STALLED]
        blocked = [actor for actor in self.actors if actor.status == BLOCKED]
        # A lock is known by the path it was opened by; if two paths lead to one lock, its waiter has missed the
        # release, and trying again settles it.
        again = stalled or (blocked if self._released else [])
        self._released = False
        for actor in stalled:
            actor.revived.append(len(self.steps))
        for actor in again:
            self._enable(actor)
        if not again and blocked:
            self.deadlock = Deadlock(
                tuple(
                    (actor.name, actor.waits_for or "", self._holders(actor.waits_for))
                    for actor in blocked
                    if not (actor.waits_for or "").startswith(EVENT)
                )
            )
            self.halt("deadlock")
        return bool(again)

    def _begin_fair_phase(self, made: int) -> bool:
        """The bound is reached: whether there is a fair phase, or this was its end."""
        if self.fair:
            self.livelock = Livelock(tuple(self._last_calls()), self.bounds)
            self.halt(LIVELOCK)
            return False
        self._overrule()
        self.fair = True
        self.limit = made + self.bounds.fair
        self._choose, self.quiet_steps, self._quiet_until = _in_turn, None, 0
        for actor in self.actors:
            actor.grant.clear()
            if actor.faults is not None:
                actor.faults.call_off()
            if actor.status == STALLED:
                self._enable(actor)
        return True

    def _last_calls(self) -> Iterator[tuple[str, tuple[tuple[str, str, int | None], ...]]]:
        moving: dict[str, list[tuple[str, str, int | None]]] = {}
        moving.update((actor.name, []) for actor in self.actors if actor.status == ENABLED)
        for step in reversed(self.steps[-_LAST_STEPS * len(self.actors) :]):
            calls = moving.get(step[0])
            if calls is not None and len(calls) < _LAST_STEPS:
                calls.append((step[2], step[3], step[6]))
        for name, calls in moving.items():
            yield name, tuple(dict.fromkeys(calls))[::-1]

    def _holders(self, lock: str | None) -> tuple[str, ...]:
        return tuple(actor.name for actor in self.actors if any(held.path == lock for held in actor.locks.values()))


def _in_turn(enabled: Sequence[Actor], current: Actor) -> Actor:
    """The next after `current`: with n actors nobody waits longer than n - 1 steps."""
    return next((actor for actor in enabled if actor.index > current.index), enabled[0])
