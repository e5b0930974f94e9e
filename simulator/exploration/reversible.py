"""Reversals: pairs of steps of different actors that depend on each other and could have come the other way round.

Two steps race when they conflict, and nothing between them says that the first has to come before the second: no step
that depends on the one and on which the other depends. Such a pair can be brought side by side (what is between them
and does not depend on the first comes before, the rest after), and then be swapped.

`simulator.search.races` finds the same while a search goes on, and asks only who may begin; here both orders are wanted
whole, of a run that is over.

Source: P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Optimal dynamic partial order reduction" (POPL 2014), section 4:
reversible races, with clocks. How we differ: an attempt to get a lock is a step, so all races are reversible as far as
steps tell; what is possible, a run of the other order shows.
Cost: the footprints; then keys of a step times actors for each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulator.exploration.classes import clocks
from simulator.exploration.footprints import footprints
from simulator.exploration.keys import AGAINST, EVERYTHING, WRITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.classes import Clock
    from simulator.exploration.keys import Footprint, Key
    from simulator.exploration.start import Start


class Reversal(NamedTuple):
    """Two steps; places in the run."""

    first: int
    second: int


# A key, how it is touched, and by whom.
_Touch = tuple["Key", str, str]


class PartialOrder:
    """Which steps of a run come before which, whatever the order of those that are independent.

    Args:
        steps: of a storm, from its first one.
        start: what was in the sandbox before.

    Attributes:
        touched: the footprint of each step.
    """

    def __init__(self, steps: Sequence[RawStep], start: Start | None = None) -> None:
        self._actors = [step[0] for step in steps]
        self._places = {name: place for place, name in enumerate(sorted(set(self._actors)))}
        self.touched: list[Footprint] = footprints(steps, start)
        self._clocks: list[Clock] = list(clocks(self._actors, self.touched))

    def leads_to(self, first: int, second: int) -> bool:
        """Whether `second` depends on `first`, directly or through others, or is the same."""
        who = self._places[self._actors[first]]
        return self._clocks[first][who] <= self._clocks[second][who]

    def reversals(self) -> list[Reversal]:
        """All of them, by their second step, of these the latest first step first."""
        found: list[Reversal] = []
        latest: dict[_Touch, int] = {}
        before: dict[str, int] = {}
        for place, (actor, footprint) in enumerate(zip(self._actors, self.touched, strict=True)):
            found += self._pairs_with(place, before.get(actor), self._met_by(place, latest, before))
            before[actor] = place
            for key, kind in footprint.items():
                latest[key, kind, actor] = place
        return found

    def _met_by(self, place: int, latest: dict[_Touch, int], before: dict[str, int]) -> set[int]:
        """Of each other actor, for each key of a step, the latest step before it that conflicts with it there."""
        footprint, actor = self.touched[place], self._actors[place]
        others = [name for name in self._places if name != actor]
        if EVERYTHING in footprint:
            return {before[name] for name in others if name in before}
        touches = [(EVERYTHING, WRITE), *((key, kind) for key, mine in footprint.items() for kind in AGAINST[mine])]
        return {latest[key, kind, name] for key, kind in touches for name in others if (key, kind, name) in latest}

    def _pairs_with(self, place: int, own: int | None, candidates: set[int]) -> list[Reversal]:
        free = [at for at in candidates if own is None or not self.leads_to(at, own)]
        return [
            Reversal(at, place)
            for at in sorted(free, reverse=True)
            if not any(other != at and self.leads_to(at, other) for other in free)
        ]

    def swapped(self, pair: Reversal) -> list[int]:
        """The run with the second step of a pair before the first: indices of its steps."""
        first, second = pair
        waiting = [at for at in range(first + 1, second) if self.leads_to(first, at)]
        passing = [at for at in range(first + 1, second) if not self.leads_to(first, at)]
        rest = range(second + 1, len(self._actors))
        return [*range(first), *passing, second, first, *waiting, *rest]

    def adjacent(self, pair: Reversal) -> list[int]:
        """The same run with the two steps of a pair side by side."""
        order = self.swapped(pair)
        at = order.index(pair.first)
        order[at - 1 : at + 1] = [pair.first, pair.second]
        return order
