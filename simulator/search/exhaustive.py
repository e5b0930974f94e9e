"""Exhaustive search: every schedule, one after another. To hold reductions against, in scopes that are small enough.

Depth first over who moves, with every actor that can. A call that waits for a lock is disabled while another has it,
as in `simulator.search.dpor`.

Guarantee: each schedule once. Cost: as many runs as there are schedules, which is more than anybody has time for once
two actors make a dozen steps each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.search.transitions import Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start


class Exhaustive:
    """The search; used as `simulator.search.dpor.Dpor` is."""

    def __init__(self, start: Start) -> None:
        self.transitions: Transitions
        self._start = start
        self._actors: Sequence[Actor] = ()
        # At each place of the path who is still to move, the one who moves last.
        self._path: list[list[int]] = []
        # Places of the path at which somebody could.
        self._moved: set[int] = set()
        self._last_choice: tuple[int, int | None] = (-1, None)

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`."""
        del randomness
        self._actors = actors
        self.transitions = Transitions(actors, steps, self._start)
        self._last_choice = (-1, None)
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """As `Strategy.choose`."""
        del current
        at = self.transitions.catch_up()
        if at == len(self._path):
            self._path.append([actor.index for actor in enabled])
        waiting = self._path[at]
        again = waiting and self._last_choice == (at, waiting[-1])
        # Whoever was woken from a lock that it waited for comes once more before it makes the step.
        if again and self._actors[waiting[-1]].status != ENABLED:
            # It has ended without a step, or waits for a lock.
            waiting.pop()
        if not waiting:
            # If all wait for each other the gate says so once it has asked each of them.
            return None if at in self._moved else enabled[0]
        self._last_choice = (at, waiting[-1])
        return self._actors[waiting[-1]]

    def end(self) -> None:
        """As `Strategy.end`."""
        self.transitions.catch_up()

    def advance(self) -> bool:
        """Go on to the next schedule; False when there is none left."""
        while self._path:
            if self._path[-1]:
                self._path[-1].pop()
                self._moved.add(len(self._path) - 1)
            if self._path[-1]:
                return True
            self._path.pop()
            self._moved.discard(len(self._path))
        return False
