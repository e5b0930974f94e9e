"""Kill points: who is killed where, in a systematic search.

A kill is local to its actor (it gives up its descriptors and locks, and that is all that others see of it), so its
place is a step of that actor's own, not one of the run: "killed instead of its n-th step". Which places there are is
seen in the runs without that kill: as many as the actor made steps in any of them. Where the step before a place never
did anything but look, or work on what lies beside the cache and is nobody else's, whoever is killed there leaves what
he leaves one place earlier, so it is left out.

Guarantee: with `most` kills, every set of at most so many (actor, local step), of different actors, that any schedule
reaches, but for those that leave what another set leaves; each once. Rests on the runs of each set being complete when
`advance` is called.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL, Fault
from simulator.exploration.keys import LOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.search.transitions import Transition

# None, every single one, and pairs; more than that has never shown anything new.
KILLS_MAX = 2

Place = tuple[str, int]


@dataclass(slots=True)
class Observed:
    """What the actors do in the runs of one set of kills.

    Attributes:
        steps: of each actor, how many steps it makes at most.
        effects: actors with those of their steps that, in some run, changed something that others can see.
    """

    steps: dict[str, int] = field(default_factory=dict)
    effects: set[Place] = field(default_factory=set)

    def saw(self, made: Sequence[Transition], names: Sequence[str]) -> None:
        """One run.

        Args:
            made: what happened.
            names: of the actors, by their index.
        """
        counts: dict[str, int] = {}
        for transition in made:
            name = names[transition.actor]
            counts[name] = number = counts.get(name, 0) + 1
            place = (name, number)
            if place not in self.effects and _changes(transition, made):
                self.effects.add(place)
        for name, number in counts.items():
            if number > self.steps.get(name, 0):
                self.steps[name] = number

    def places(self, victims: Sequence[str], *, deepest: bool) -> list[Place]:
        """Where one more of `victims` can be killed.

        Args:
            victims: who may be.
            deepest: whether nobody is killed besides; else a place that changes nothing here may do so in a pair.
        """
        return [
            (name, step)
            for name in victims
            for step in range(1, self.steps.get(name, 0) + 1)
            if step == 1 or not deepest or (name, step - 1) in self.effects
        ]


class KillPlan:
    """All sets of kills, one after another.

    Args:
        victims: names of those that may be killed, in order.
        most: how many kills a run has at most, 0 to `KILLS_MAX`.

    Attributes:
        places: the kills at hand: actors with their steps, from 1.
        finished: how many sets are done with.
        observed: in the runs of the kills at hand.
    """

    def __init__(self, victims: Sequence[str], most: int) -> None:
        self.places: tuple[Place, ...] = ()
        self.finished = 0
        self.observed = Observed()
        self._victims = tuple(victims)
        self._most = most
        # Sets to come, the next one last.
        self._waiting: list[tuple[Place, ...]] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The kills at hand."""
        return tuple(Fault(actor, step, "", 0, KILL) for actor, step in self.places)

    @property
    def left(self) -> int:
        """How many sets are known to follow."""
        return len(self._waiting)

    def advance(self) -> bool:
        """All runs of these kills are made: go on to the next; False when there are none."""
        self.finished += 1
        killed = len(self.places)
        if killed < self._most:
            after = self._victims.index(self.places[-1][0]) + 1 if self.places else 0
            more = self.observed.places(self._victims[after:], deepest=killed + 1 == self._most)
            self._waiting += [(*self.places, place) for place in reversed(more)]
        if not self._waiting:
            return False
        self.places = self._waiting.pop()
        self.observed = Observed()
        return True

    # For a checkpoint.

    def state(self) -> dict[str, object]:
        """What `restore` takes."""
        return {
            "places": self.places,
            "finished": self.finished,
            "waiting": self._waiting,
            "steps": self.observed.steps,
            "effects": sorted(self.observed.effects),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on where another one was.

        Raises:
            KeyError, TypeError, ValueError: that is no state of one.
        """
        match state:
            case {
                "places": list(places),
                "finished": int(finished),
                "waiting": list(waiting),
                "steps": dict(steps),
                "effects": list(effects),
            }:
                self.places, self.finished = _places(places), finished
                self._waiting = [_places(places) for places in waiting]
                self.observed = Observed(steps, set(_places(effects)))
            case _:
                raise TypeError(state)


def _changes(transition: Transition, made: Sequence[Transition]) -> bool:
    """Whether it leaves anything else than it found, in the cache or for somebody else."""
    changed = {key for key, kind in transition.footprint.items() if kind not in LOOKS}
    if not transition.beside:
        return bool(changed)
    return any(not changed.isdisjoint(other.footprint) for other in made if other.actor != transition.actor)


def _places(rows: Sequence[tuple[str, int]]) -> tuple[Place, ...]:
    return tuple((str(actor), int(step)) for actor, step in rows)
