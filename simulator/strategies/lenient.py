"""Lenient replay: follow a schedule as far as it can be followed, and pass over what cannot.

For schedules that were never recorded, but made up from recorded ones (`simulator.search.mutation`). A segment whose
actor cannot move is skipped, with what was left of it; after the last one the current actor goes on, else the first by
index. What was really executed is a schedule of its own, and is what a token of the run holds. A segment that ends in
a kill is one like any other: faults come from the run's seed, at places on each actor's own axis.

Guarantees: it never stops a run. Cost: nothing within a segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.schedule import code_of
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.schedule import Segment


class LenientReplay:
    """Follow `segments` where that is possible."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._actors: dict[str, Actor] = {}
        self._steps: Sequence[RawStep] = ()
        self._place = 0
        self._until = 0

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; it can be followed any number of times."""
        del randomness
        self._actors = {code_of(actor.name): actor for actor in actors}
        self._steps = steps
        self._place = -1
        self._next(len(steps))
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        now = len(self._steps)
        while self._place < len(self._segments):
            actor = self._actors.get(self._segments[self._place].code)
            if now < self._until and actor is not None and actor.status == ENABLED:
                return actor
            self._next(now)
        return current if current.status == ENABLED else enabled[0]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: the rest of the segment."""
        return max(0, self._until - len(self._steps) - 1)

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _next(self, now: int) -> None:
        self._place += 1
        length = self._segments[self._place].length if self._place < len(self._segments) else None
        self._until = FOR_EVER if length is None else now + length
