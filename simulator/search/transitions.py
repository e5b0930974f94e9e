"""A run as a search sees it: transitions, each with its footprint.

A transition is what happens from one choice of who moves to the next: a step, together with the end of its process
where that follows at once; or that end alone, of who stood still before it. An attempt at a lock that somebody holds,
by a call that waits, is no transition: its actor could not move. It is on the record, and kept here beside the place
where it was made. One that loses a lock, as it asked for another kind, is a transition.

Guarantee: the same schedule gives the same transitions, whether or not somebody tried a lock in vain in between.
Cost: a footprint for each step (`simulator.exploration.footprints`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from simulator.engine.step import EXCLUSIVE, SHARED
from simulator.exploration.footprints import Follower
from simulator.exploration.keys import ADD, LOCK, WRITE, join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint
    from simulator.exploration.start import Start


# How the paths of what lies beside the cache begin.
_BESIDE = "../"

# No locks.
_NONE: Mapping[str, str] = MappingProxyType({})


class Transition(NamedTuple):
    """One.

    Attributes:
        actor: index of who made it.
        footprint: of all its steps.
        waited: the path and kind of the lock that it got by a call that waits for it.
        freed: the locks that it gave up, with the kind of each.
        beside: whether it was made beside the cache, and not in it.
        ends: whether it is no step, but the end of a process alone.
    """

    actor: int
    footprint: Footprint
    waited: tuple[str, str] | None = None
    freed: Mapping[str, str] = _NONE
    beside: bool = False
    ends: bool = False

    def let_go(self, freed: Transition) -> bool:
        """Whether it is a lock that had to be waited for until `freed` gave it up."""
        if self.waited is None:
            return False
        path, kind = self.waited
        return EXCLUSIVE in {kind, freed.freed.get(path)} and path in freed.freed


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
            actor = self._actors[index]
            if step[2] == "exit" and steps[place - 1][0] != step[0]:
                made.append(Transition(index, footprint, freed=actor.freed.get(place, _NONE), ends=True))
            elif step[2] == "exit":
                for key, kind in footprint.items():
                    join(made[-1].footprint, key, kind)
                # A lock that was taken by the very step was nobody's before it.
                took = steps[place - 1][3] if steps[place - 1][2] == "flock" else None
                given_up = actor.freed.get(place, _NONE)
                freed = {path: kind for path, kind in given_up.items() if path != took}
                made[-1] = made[-1]._replace(freed={**made[-1].freed, **freed})
            elif actor.vain == place:
                self._left_out.add(place)
                self.vain.append(Vain(len(made), index, _as_if_locked(footprint, step[4])))
            else:
                waited = (step[3], step[4] or "") if place in actor.waited else None
                beside = step[3].startswith(_BESIDE) and (step[4] is None or step[4].startswith(_BESIDE))
                made.append(Transition(index, footprint, waited, actor.freed.get(place, _NONE), beside))
        self._seen = len(steps)
        return len(made)


def _as_if_locked(footprint: Footprint, wanted: str | None) -> Footprint:
    taken = ADD if wanted == SHARED else WRITE
    return {key: taken if key[0] == LOCK else kind for key, kind in footprint.items()}
