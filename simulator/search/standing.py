"""Who stood still in a run until nobody else could move, and where it went on.

Its next step comes after everything that was made before it went on: while anybody else could move, it could not. So
that step races with none of these, and orders what follows it after them.

Cost: for each time somebody went on, a look at the transitions before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.exploration.keys import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.exploration.keys import Footprint
    from simulator.search.transitions import Transition

_STANDING = "standing"


class Standing:
    """Those of one run.

    Args:
        actors: all parties.

    Attributes:
        went_on: place among the transitions and index of the actor, for each time.
    """

    def __init__(self, actors: Sequence[Actor]) -> None:
        self.went_on: list[tuple[int, int]] = []
        self._actors = actors
        self._seen = [0] * len(actors)

    def catch_up(self, at: int) -> list[int]:
        """Who goes on at a place, and was not known to."""
        more = [actor.index for actor in self._actors if len(actor.revived) > self._seen[actor.index]]
        for who in more:
            self._seen[who] = len(self._actors[who].revived)
            self.went_on.append((at, who))
        return more

    def times(self, at: int, who: int) -> int:
        """How often an actor went on at a place so far: whoever sleeps twice stands still twice."""
        return self.went_on.count((at, who))

    def orders(self, made: Sequence[Transition]) -> dict[int, Footprint]:
        """Places of transitions with keys that order them: the last of each before, and the first after."""
        keys: dict[int, Footprint] = {}
        for number, (at, who) in enumerate(self.went_on):
            key = (_STANDING, number, "")
            after = next((place for place in range(at, len(made)) if made[place].actor == who), None)
            if after is None:
                continue
            last = {made[place].actor: place for place in range(at)}
            for place in last.values():
                keys.setdefault(place, {})[key] = READ
            keys.setdefault(after, {})[key] = WRITE
        return keys

    def floor(self, at: int, who: int, last: int) -> int:
        """The place before which nothing races with what an actor does at a place, its own last one given."""
        return max((place for place, other in self.went_on if other == who and last < place <= at), default=0)
