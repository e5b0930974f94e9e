"""A run as a search sees it: transitions, each with its footprint.

A transition is what happens from one choice of who moves to the next: a step, together with the end of its process
where that follows at once. An attempt at a lock that somebody holds, by a call that waits, is no transition: its actor
could not move. It is on the record, and kept here beside the place where it was made.

Guarantee: the same schedule gives the same transitions, whether or not somebody tried a lock in vain in between.
Cost: a footprint for each step (`simulator.exploration.footprints`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulator.exploration.footprints import Follower
from simulator.exploration.keys import WRITE, join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint
    from simulator.exploration.start import Start


class Transition(NamedTuple):
    """One.

    Attributes:
        actor: index of who made it.
        footprint: of all its steps.
    """

    actor: int
    footprint: Footprint


class Vain(NamedTuple):
    """An attempt in vain at a lock.

    Attributes:
        at: how many transitions were made before.
        actor: index of who waits.
        footprint: what it would have touched.
    """

    at: int
    actor: int
    footprint: Footprint


class Transitions:
    """Those of one run, as it goes on.

    Args:
        actors: all parties.
        steps: the record, which grows.
        start: what was there before.
    """

    def __init__(self, actors: Sequence[Actor], steps: Sequence[RawStep], start: Start) -> None:
        self.made: list[Transition] = []
        self.vain: list[Vain] = []
        self._actors = actors
        self._index = {actor.name: actor.index for actor in actors}
        self._steps = steps
        self._follower = Follower(start)
        self._seen = len(steps)
        # Their places in the record.
        self._left_out: set[int] = set()

    @property
    def storm(self) -> list[RawStep]:
        """The record without the attempts in vain."""
        return [step for place, step in enumerate(self._steps[: self._seen]) if place not in self._left_out]

    def catch_up(self) -> int:
        """Take in what was recorded since; how many transitions there are."""
        made, steps = self.made, self._steps
        for place in range(self._seen, len(steps)):
            step = steps[place]
            footprint = self._follower.follow(step)
            index = self._index[step[0]]
            if step[2] == "exit":
                for key, kind in footprint.items():
                    join(made[-1].footprint, key, kind)
            elif self._actors[index].vain == place:
                self._left_out.add(place)
                self.vain.append(Vain(len(made), index, _as_if_locked(footprint)))
            else:
                made.append(Transition(index, footprint))
        self._seen = len(steps)
        return len(made)


def _as_if_locked(footprint: Footprint) -> Footprint:
    return {key: WRITE if key[0] == "lock" else kind for key, kind in footprint.items()}
