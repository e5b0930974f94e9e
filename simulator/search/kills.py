"""Kill points: who is killed where, in a systematic search.

A kill is local to its actor (it gives up its descriptors and locks, and that is all that others see of it), so its
place is a step of that actor's own, not one of the run. How many steps an actor makes depends on the schedule: its
places go on for as long as some run still got there.

Guarantee: with `most` kills, every set of at most so many (actor, local step), of different actors, that any schedule
reaches; each once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.faults import KILL, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.engine.trace import RawStep

# None, every single one, and pairs; more than that has never shown anything new.
KILLS_MAX = 2

Place = tuple[str, int]


class KillPlan:
    """All sets of kills, one after another.

    Args:
        actors: names of those that may be killed, in order.
        most: how many kills a run has at most, 0 to `KILLS_MAX`.

    Attributes:
        places: the kills at hand: actors with their steps, from 1.
        finished: how many sets are done with.
    """

    def __init__(self, actors: Sequence[str], most: int) -> None:
        self.places: tuple[Place, ...] = ()
        self.finished = 0
        self._actors = tuple(actors)
        self._most = most
        self._reached = False

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The kills at hand."""
        return tuple(Fault(actor, step, "", 0, KILL) for actor, step in self.places)

    def saw(self, steps: Iterable[RawStep]) -> None:
        """A run of the kills at hand was made; whether all of them struck."""
        if not self._reached:
            killed = {step[0] for step in steps if step[2] == KILL}
            self._reached = all(actor in killed for actor, _ in self.places)

    def advance(self) -> bool:
        """All runs of these kills are made: go on to the next; False when there are none."""
        self.finished += self._reached
        following = self._following()
        self._reached = False
        if following is None:
            return False
        self.places = following
        return True

    def _following(self) -> tuple[Place, ...] | None:
        places = list(self.places)
        if self._reached and len(places) < self._most:
            # One more, of an actor after the last one.
            deeper = self._first_after(places[-1][0] if places else None)
            if deeper is not None:
                return (*places, deeper)
        if self._reached and places:
            actor, step = places[-1]
            return (*places[:-1], (actor, step + 1))
        # The last one is beyond its actor's end, everywhere: the next actor; if there is none, the one before moves on.
        while places:
            actor, _ = places.pop()
            following = self._first_after(actor)
            if following is not None:
                return (*places, following)
            if places:
                actor, step = places[-1]
                return (*places[:-1], (actor, step + 1))
        return None

    def _first_after(self, actor: str | None) -> Place | None:
        place = 0 if actor is None else self._actors.index(actor) + 1
        return (self._actors[place], 1) if place < len(self._actors) else None

    # For a checkpoint.

    def state(self) -> dict[str, object]:
        """What `restore` takes."""
        return {"places": self.places, "finished": self.finished, "reached": self._reached}

    def restore(self, state: dict[str, object]) -> None:
        """Go on where another one was."""
        places, finished = state["places"], state["finished"]
        if not isinstance(places, list) or not isinstance(finished, int):
            raise TypeError(places)
        self.places = tuple((str(actor), int(step)) for actor, step in places)
        self.finished, self._reached = finished, bool(state["reached"])
