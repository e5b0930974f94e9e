"""Replay: follow a recorded schedule, segment by segment, strictly.

A segment's actor that is done, blocked or unknown means that the run is not the recorded one: the replay stops
there and says which step it was and why. When the segments are used up, the run goes on with whoever can move, in
order (a schedule may be cut off once it has shown what it is for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED
from simulator.errors import DivergenceError
from simulator.schedule import code_of, parse_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep


class Replay:
    """Follow `segments` (the text form of `simulator.schedule`)."""

    def __init__(self, segments: str) -> None:
        self._segments = parse_segments(segments) if segments else []
        self._place = 0
        self._left: int | None = 0
        self._actors: dict[str, Actor] = {}
        self._steps: Sequence[RawStep] = ()
        self._before = 0

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; it can be followed any number of times."""
        del randomness
        self._actors = {code_of(actor.name): actor for actor in actors}
        self._steps = steps
        self._before = len(steps)
        self._place = 0
        self._left = self._segments[0].length if self._segments else 0
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`.

        Raises:
            DivergenceError: the schedule names somebody who cannot move.
        """
        while self._place < len(self._segments):
            segment = self._segments[self._place]
            actor = self._actors.get(segment.code)
            able = actor is not None and actor.status == ENABLED
            if self._left is None and not able:
                self._next()
                continue
            if self._left == 0:
                self._next()
                continue
            if actor is None or not able:
                raise self._divergence(segment.code, actor)
            if self._left is not None:
                self._left -= 1
            return actor
        return current if current.status == ENABLED else enabled[0]

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _next(self) -> None:
        self._place += 1
        if self._place < len(self._segments):
            self._left = self._segments[self._place].length

    def _divergence(self, code: str, actor: Actor | None) -> DivergenceError:
        state = "is not in this run" if actor is None else f"is {actor.status}"
        name = code if actor is None else actor.name
        step = len(self._steps) - self._before + 1
        return DivergenceError(
            "divergence",
            code,
            f"replay diverges at step {step}: by segment {self._place + 1} of the schedule {name} moves, but it"
            f" {state}",
        )
