"""Replay: follow a recorded schedule, segment by segment, strictly.

A segment's actor that is done, blocked or unknown means that the run is not the recorded one: the replay stops
there and says which step it was and why. When the segments are used up, the run goes on with whoever can move, in
order (a schedule may be cut off once it has shown what it is for). Where a segment ends with a kill, it is armed just
before that step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import ENABLED, STALLED
from simulator.engine.faults import KILL, ActorFaults, Fault
from simulator.errors import DivergenceError
from simulator.schedule import code_of, parse_segments
from simulator.strategies.base import FOR_EVER

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
        self._until = 0
        self._actors: dict[str, Actor] = {}
        self._steps: Sequence[RawStep] = ()
        self._before = 0

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; it can be followed any number of times."""
        del randomness
        self._actors = {code_of(actor.name): actor for actor in actors}
        self._steps = steps
        self._before = len(steps)
        self._place = -1
        self._next(len(steps))
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`.

        Raises:
            DivergenceError: the schedule names somebody who cannot move.
        """
        now = len(self._steps)
        while self._place < len(self._segments):
            segment = self._segments[self._place]
            actor = self._actors.get(segment.code)
            if now >= self._until:
                self._next(now)
            elif actor is not None and actor.status == ENABLED:
                if segment.killed and now == self._until - 1:
                    _doom(actor)
                return actor
            elif segment.length is None:
                self._next(now)
            elif actor is not None and actor.status == STALLED:
                # It was over by then; when it began, no step tells.
                return actor
            else:
                raise self._divergence(segment.code, actor)
        return current if current.status == ENABLED else enabled[0]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: the rest of the segment, but for a last step that is a kill."""
        killed = self._place < len(self._segments) and self._segments[self._place].killed
        return max(0, self._until - len(self._steps) - 1 - killed)

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _next(self, now: int) -> None:
        """The next segment begins; after the last one nothing changes any more."""
        self._place += 1
        length = self._segments[self._place].length if self._place < len(self._segments) else None
        self._until = FOR_EVER if length is None else now + length

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


def _doom(actor: Actor) -> None:
    """Its next call is not made: it is killed there."""
    if actor.faults is None:
        actor.faults = ActorFaults([])
    actor.faults.strike_next(Fault(actor.name, 0, "", 0, KILL))
