"""Follow a plan, leniently: whoever cannot move, or is past its place, is passed over.

When the plan is used up, those who are in it go on in order, and whoever is not in it is killed before its first step:
as if it were not there. This is what a schedule that ends in ``-`` says to a strict replay, so what comes of it can be
written down as such.
Cost: it looks at each step, some 2 us.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED, STALLED
from simulator.engine.faults import KILL
from simulator.shrink.plan import Call
from simulator.strategies.replay import strike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.shrink.plan import Plan


class Follow:
    """Follow `plan`.

    Attributes:
        names: of the actors of the run that was begun last, in their order.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._takes_part = frozenset(plan.actors)
        self.names: tuple[str, ...] = ()

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; it can be followed any number of times."""
        del randomness
        self.names = tuple(actor.name for actor in actors)
        self._actors = {actor.name: actor for actor in actors}
        self._steps = steps
        self._looked_at = len(steps)
        self._place = 0
        self._made: Counter[str] = Counter()
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._strikes = {(item.actor, item.step): item for item in self._plan.strikes}
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        self._look()
        chosen = self._planned() or self._afterwards(enabled, current)
        item = self._strikes.pop((chosen.name, self._made[chosen.name] + 1), None)
        if item is not None:
            strike(chosen, item.action, item.when)
        return chosen

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _look(self) -> None:
        """Count what was made since."""
        steps = self._steps
        for index in range(self._looked_at, len(steps)):
            actor, _, operation, path, *_ = steps[index]
            self._made[actor] += 1
            self._calls[actor, operation, path] += 1
        self._looked_at = len(steps)

    def _planned(self) -> Actor | None:
        """Who moves by the plan; None when that is used up."""
        pieces = self._plan.pieces
        while self._place < len(pieces):
            name, until = pieces[self._place]
            actor = self._actors.get(name)
            if actor is not None and actor.status in {ENABLED, STALLED} and not self._has_reached(actor, until):
                return actor
            self._place += 1
        return None

    def _has_reached(self, actor: Actor, until: Call | int | None) -> bool:
        if until is None:
            return False
        if not isinstance(until, Call):
            return self._made[actor.name] >= until
        made = self._calls[actor.name, until.operation, until.path]
        if made >= until.number or actor.pending is None:
            return made >= until.number
        waits_with = actor.pending[0] == until.operation and actor.pending[1] == until.path
        return waits_with and made == until.number - 1

    def _afterwards(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """Who moves when the plan is used up."""
        left = [actor for actor in enabled if actor.name in self._takes_part]
        if not left:
            strike(enabled[0], KILL)
            return enabled[0]
        return current if current in left else left[0]
