"""Exhaustive search: every schedule, one after another. To hold reductions against, in scopes that are small enough.

Depth first over who moves, with every actor that can. A call that waits for a lock is disabled while another has it,
as in `simulator.search.dpor`.

Guarantee: each schedule once. Cost: as many runs as there are schedules, which is more than anybody has time for once
two actors make a dozen steps each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED, STALLED
from simulator.search.standing import Standing
from simulator.search.transitions import Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start


@dataclass(slots=True)
class _Place:
    """A place of the path.

    Attributes:
        waiting: who is still to move, the one who moves last.
        moved: whether somebody could.
        revived: who stood still until nobody else could move, and goes on here, and how often.
    """

    waiting: list[int]
    moved: bool = False
    revived: dict[int, int] = field(default_factory=dict)


class Exhaustive:
    """The search; used as `simulator.search.dpor.Dpor` is."""

    def __init__(self, start: Start) -> None:
        self.transitions: Transitions
        self._start = start
        self._actors: Sequence[Actor] = ()
        self._path: list[_Place] = []
        self._standing = Standing(())

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`."""
        del randomness
        self._actors = actors
        self.transitions = Transitions(actors, steps, self._start)
        self._standing = Standing(actors)
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """As `Strategy.choose`."""
        del current
        at = self.transitions.catch_up()
        if at == len(self._path):
            self._path.append(_Place([actor.index for actor in enabled]))
        place, waiting = self._path[at], self._path[at].waiting
        for who in self._standing.catch_up(at):
            times = self._standing.times(at, who)
            if times > place.revived.get(who, 0):
                # Nobody has moved here yet: nobody could.
                place.revived[who] = times
                waiting[:] = [actor.index for actor in enabled]
        last = waiting[-1] if waiting else None
        stands = last is not None and self._actors[last].status == STALLED
        if last is not None and stands and self._standing.times(at, last) < place.revived.get(last, 0):
            # It goes on when all others wait or stand still as well.
            return enabled[0]
        # Whoever was woken from a lock that it waited for comes once more before it makes the step.
        if waiting and self._actors[waiting[-1]].status != ENABLED:
            # It has ended without a step, waits for a lock or stands still.
            waiting.pop()
        if not waiting:
            # If all wait for each other the gate says so once it has asked each of them.
            return None if place.moved else enabled[0]
        return self._actors[waiting[-1]]

    def end(self) -> None:
        """As `Strategy.end`."""
        self.transitions.catch_up()

    def advance(self) -> bool:
        """Go on to the next schedule; False when there is none left."""
        while self._path:
            place = self._path[-1]
            if place.waiting:
                place.waiting.pop()
                place.moved = True
            if place.waiting:
                return True
            self._path.pop()
        return False
