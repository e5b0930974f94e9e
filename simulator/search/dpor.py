"""DPOR, dynamic partial order reduction: every storm once, but for the order of steps that do not depend on each other.

A depth-first search over schedules. A run is made to its end, whoever moves goes on for as long as possible (or until
it has made so many steps in a row that it may be waiting for another); its races
(`simulator.search.races`) say where else, and with whom, a further run has to branch off, and the deepest such place is
next. Source sets keep the branches few; sleep sets end a run as soon as all that could follow has been seen: an actor
whose branch was explored sleeps below its sisters until somebody makes a step that conflicts with its own. What it
would do is known, since it did it: sleep sets keep footprints of what was executed.

Source: Abdulla, Aronis, Jonsson, Sagonas, "Optimal dynamic partial order reduction" (POPL 2014), algorithm 1 (source
DPOR). Deviations: races are looked for after a run, not on the way; a race whose reversal begins with a sleeping actor
adds nothing (all that follows from it has been seen); adds commute besides reads (`simulator.exploration.keys`); a call
that waits for a lock is disabled while another has it; tried in vain, or in time, it races with what took the lock; one
that loses a lock by asking for another kind is a step, and disabled then; who stands still is disabled until nobody
else can move (`simulator.search.standing`).

Guarantee: one run, at least, of each class of storms (`simulator.exploration.classes`) that the subject has under
the faults it is given, as far as the relation of independence holds. Rests on that, and on runs that repeat when their
schedule does. Cost: no more runs than classes in all scopes measured, besides those cut short; memory grows with the
length of a run, not with their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.actor import BLOCKED, ENABLED, STALLED
from simulator.errors import InternalError
from simulator.exploration.keys import LOCK, conflict
from simulator.search.races import Order
from simulator.search.standing import Standing
from simulator.search.transitions import Transition, Transitions
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint
    from simulator.exploration.start import Start
    from simulator.search.transitions import Vain


# Who makes as many steps in a row gives way to others: it may look, again and again, for what one of them will make.
SPELL_MAX = 200


@dataclass(slots=True)
class Node:
    """A place on the current path: what was chosen there, what was, and what is to be.

    Attributes:
        actor: index of who moves; None where a run was cut short.
        footprint: of what it does; None until it has.
        todo: who is still to be tried.
        done: who was, with the footprint of what it did.
        sleep: who need not be, with the footprint of what it would do.
        disabled: who is known to wait for a lock here, or to stand still.
        revived: who went on here, as nobody else could move, and how often.
    """

    sleep: dict[int, Footprint]
    actor: int | None = None
    footprint: Footprint | None = None
    todo: set[int] = field(default_factory=set)
    done: dict[int, Footprint] = field(default_factory=dict)
    disabled: set[int] = field(default_factory=set)
    revived: dict[int, int] = field(default_factory=dict)

    def open(self) -> set[int]:
        """Who is to be tried, and may be."""
        return self.todo - self.done.keys() - self.sleep.keys() - self.disabled

    def covers(self, initials: frozenset[int]) -> bool:
        """Whether one of `initials` was, is or will be tried here, or need not be."""
        known = self.todo | self.done.keys() | self.sleep.keys() | ({self.actor} if self.actor is not None else set())
        return not initials.isdisjoint(known)


class Dpor:
    """The search: a strategy for one run after another. `advance` between them, until it says that nothing is left.

    Args:
        start: what is in the sandbox before the first step.

    Attributes:
        path: the nodes of the run at hand.
        branched_at: the place at which the run at hand leaves the one before.
        transitions: of the run at hand.
        overruled_at: where it had come to its bound; None if it did not. What follows was nobody's choice.
    """

    def __init__(self, start: Start) -> None:
        self.path: list[Node] = []
        self.branched_at = 0
        self.transitions: Transitions
        self._start = start
        self._actors: Sequence[Actor] = ()
        # How much of the path this run has made.
        self._made = 0
        self._quiet = FOR_EVER
        # Who waits for a lock, and since which place.
        self._waiting: dict[int, int] = {}
        self._attempts = 0
        # The place of the last transition of each.
        self._last: dict[int, int] = {}
        self._standing = Standing(())
        self.overruled_at: int | None = None
        # How many transitions whoever made the last one has made in a row.
        self._spell = 0

    # A run, as `Strategy`.

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`."""
        del randomness
        self._actors = actors
        self.transitions = Transitions(actors, steps, self._start)
        self._made = 0
        self._waiting = {}
        self._attempts = 0
        self._last = {}
        self._standing = Standing(actors)
        self.overruled_at = None
        self._spell = 0
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """As `Strategy.choose`: the path as far as it is given, then whoever moves goes on."""
        at = self._catch_up()
        if at == len(self.path):
            self.path.append(Node(self._asleep(at)))
        node = self.path[at]
        self._go_on(at)
        if node.actor is not None and self._actors[node.actor].status != ENABLED:
            if self._stands(at, node.actor):
                # It goes on when all others wait or stand still as well.
                return enabled[0]
            if at < self.branched_at:
                actor = self._actors[node.actor]
                raise _differs(at, f"{actor.name} is {actor.status}, and moved before")
            # It has ended without a step, waits for a lock or stands still.
            node.disabled.add(node.actor)
            node.actor = None
        if node.actor is None:
            node.actor = _pick(node, enabled, current, tired=self._spell >= SPELL_MAX)
            if node.actor is None:
                return None
        self._quiet = max(0, SPELL_MAX - self._spell - 1) if at >= self.branched_at else self._stays(at)
        return self._actors[node.actor]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`."""
        return self._quiet

    def overrule(self) -> None:
        """As `OverruledStrategy.overrule`."""
        self.overruled_at = self._catch_up()
        self._wake(self.overruled_at, everybody=True)

    def end(self) -> None:
        """As `Strategy.end`: what raced with what, and so where to branch off."""
        self._wake(self._catch_up(), everybody=True)
        order = Order(len(self._actors))
        attempts = list(reversed(self.transitions.vain))
        orders = self._standing.orders(self.transitions.made)
        self._last = {}
        for place, made in enumerate(self.transitions.made):
            while attempts and attempts[-1].at == place:
                self._branch(order, place, attempts.pop())
            if place >= self.branched_at:
                self._branch(order, place, made)
            order.add(made.actor, {**made.footprint, **orders.get(place, {})})
            self._last[made.actor] = place
        while attempts:
            self._branch(order, len(self.transitions.made), attempts.pop())
        if self.overruled_at is not None:
            del self.path[self.overruled_at :]

    @property
    def names(self) -> list[str]:
        """Of the actors, by their index."""
        return [actor.name for actor in self._actors]

    # Between runs.

    def advance(self) -> bool:
        """Go on to the next schedule; False when there is none left."""
        while self.path:
            node = self.path[-1]
            if node.actor is not None and node.footprint is not None:
                node.done[node.actor] = node.footprint
            waiting = node.open()
            if waiting:
                node.actor, node.footprint = min(waiting), None
                self.branched_at = len(self.path) - 1
                return True
            self.path.pop()
        return False

    def explored_share(self) -> float | None:
        """How much of the tree, as far as it is known, is behind us; None before the first branch. Rough."""
        share, weight = 0.0, 1.0
        for node in self.path:
            branches = len(node.done) + len(node.open() - {node.actor}) + (node.actor not in node.done)
            share += weight * len(node.done) / branches
            weight /= branches
        return share or None

    def rewind(self) -> None:
        """The run at hand did not come to its end: it is the next one again."""
        del self.path[self.branched_at + 1 :]
        for node in self.path[self.branched_at :]:
            node.footprint = None

    # The path.

    def _catch_up(self) -> int:
        """Let the path grow by what was done; how long it is."""
        made, before = self.transitions.made, self._made
        self._made = self.transitions.catch_up()
        for place in range(before, self._made):
            actor, footprint = made[place].actor, made[place].footprint
            if place == len(self.path):
                self.path.append(Node(self._asleep(place)))
            node = self.path[place]
            if node.actor not in {None, actor}:
                raise _differs(place, f"{self._actors[actor].name} moved, and another did before")
            node.actor, node.footprint = actor, footprint
            self._spell = self._spell + 1 if place and made[place - 1].actor == actor else 1
            self._last[actor] = place
        for attempt in self.transitions.vain[self._attempts :]:
            self._waiting[attempt.actor] = attempt.at
        self._attempts = len(self.transitions.vain)
        for waiting in self._actors:
            if waiting.status == BLOCKED:
                # One that tried in vain is known; another has lost a lock, by the last step.
                self._waiting.setdefault(waiting.index, self._made)
        self._wake(self._made)
        return self._made

    def _stands(self, at: int, who: int) -> bool:
        """Whether somebody stands still at a place where it is known to go on."""
        known = self.path[at].revived.get(who, 0)
        return self._actors[who].status == STALLED and self._standing.times(at, who) < known

    def _go_on(self, at: int) -> None:
        """Whoever stood still until now could not move at any place since its last transition."""
        node = self.path[at]
        for who in self._standing.catch_up(at):
            self._disable(who, self._last.get(who, -1) + 1, at)
            times = self._standing.times(at, who)
            if times > node.revived.get(who, 0):
                node.revived[who] = times
                node.disabled.discard(who)

    def _disable(self, who: int, since: int, until: int) -> None:
        for node in self.path[since:until]:
            node.disabled.add(who)

    def _asleep(self, place: int) -> dict[int, Footprint]:
        """Who sleeps at a place: who did, or was tried, one place before, and does not mind what was done there."""
        if not place:
            return {}
        before = self.path[place - 1]
        done = before.footprint or {}
        known = {**before.sleep, **before.done}
        return {who: what for who, what in known.items() if who != before.actor and not conflict(what, done)}

    def _stays(self, at: int) -> int:
        """How often the path names the same actor again after a place, as far as it is given."""
        count = 0
        while at + count < self.branched_at and self.path[at + count + 1].actor == self.path[at].actor:
            count += 1
        return count

    def _wake(self, at: int, *, everybody: bool = False) -> None:
        """Whoever waited for a lock until now could not move at any place since it tried."""
        for who, since in list(self._waiting.items()):
            if everybody or self._actors[who].status != BLOCKED:
                self._disable(who, since, at)
                del self._waiting[who]
        for actor in self._actors if everybody else ():
            if actor.status == STALLED:
                self._disable(actor.index, self._last.get(actor.index, -1) + 1, at)

    def _branch(self, order: Order, at: int, made: Transition | Vain) -> None:
        """Where a transition raced with an earlier one, it is to come first another time.

        A call that waits for a lock is disabled until whoever held the lock has given it up, so it cannot come before
        that; it races with what took the lock. Others who come before it there may move even where it could not.
        """
        floor = self._standing.floor(at, made.actor, self._last.get(made.actor, -1))
        for found in order.races(made.actor, made.footprint):
            taken = self._taken(found.first, made) if isinstance(made, Transition) else None
            race = found if taken is None else order.reversal(taken, made.actor, made.footprint)
            if race is None or race.first < floor:
                continue
            node = self.path[race.first]
            able = race.initials - node.disabled
            if able and not node.covers(race.initials):
                node.todo.add(made.actor if made.actor in able else min(able))

    def _taken(self, freed: int, got: Transition) -> int | None:
        """Where a lock was taken that `got` had to wait for until it was given up at a place; None if it had not."""
        made = self.transitions.made
        if not got.let_go(made[freed]):
            return None
        before = range(freed - 1, -1, -1)
        mine = (place for place in before if made[place].actor == made[freed].actor)
        taken = next((place for place in mine if _shares_a_lock(made[place].footprint, got.footprint)), None)
        # If it had given the lock up before, it got it with a descriptor.
        return None if taken is None or got.let_go(made[taken]) else taken


def _shares_a_lock(one: Footprint, other: Footprint) -> bool:
    return any(key[0] == LOCK for key in one.keys() & other.keys())


def _pick(node: Node, enabled: Sequence[Actor], current: Actor, *, tired: bool) -> int | None:
    """Who moves where the path does not say; None where nobody needs to. Others come first if `current` is tired."""
    if node.done:
        return min(node.open(), default=None)
    awake = [actor.index for actor in enabled if actor.index not in node.sleep]
    able = [index for index in awake if index not in node.disabled]
    if able and tired:
        return next((index for index in able if index > current.index), able[0])
    if able:
        return current.index if current.index in able else able[0]
    # All wait for each other: the gate says so once it has asked each of them.
    return awake[0] if len(awake) == len(enabled) else None


def _differs(place: int, what: str) -> InternalError:
    return InternalError(
        "nondeterminism", str(place + 1), f"the same schedule went another way at step {place + 1}: {what}"
    )
