"""Replay: follow a recorded schedule, segment by segment, strictly.

A segment's actor that is done, blocked or unknown means that the run is not the recorded one: the replay stops
there and says which step it was and why. When the segments are used up, the run goes on with whoever can move, in
order (a schedule may be cut off once it has shown what it is for); where the schedule ends in ``-``, of those that it
names, and the others are killed where they stand, before their first step. Where a segment ends with a kill or another
fault, it is armed just before that step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import BLOCKED, ENABLED, STALLED
from simulator.engine.faults import KILL, ActorFaults, Fault, can_hit
from simulator.engine.trace import errno_name
from simulator.errors import DivergenceError
from simulator.schedule import NOBODY_ELSE, codes_of, parse_segments, split_fault
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.schedule import Segment


class Replay:
    """Follow `segments` (the text form of `simulator.schedule`)."""

    def __init__(self, segments: str) -> None:
        self._segments = parse_segments(segments) if segments else []
        self._alone = bool(self._segments) and self._segments[-1].code == NOBODY_ELSE
        if self._alone:
            self._segments.pop()
        self._named = {segment.code for segment in self._segments}
        self._place = 0
        self._until = 0
        self._actors: dict[str, Actor] = {}
        self._steps: Sequence[RawStep] = ()
        self._before = 0

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; it can be followed any number of times."""
        del randomness
        codes = codes_of([actor.name for actor in actors])
        self._actors = {codes[actor.name]: actor for actor in actors}
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
                if now == self._until - 1:
                    self._arm(actor, segment)
                return actor
            elif actor is not None and actor.status == STALLED:
                # It was over by then; when it began, no step tells.
                return actor
            elif segment.length is None:
                self._next(now)
            else:
                raise self._divergence(segment.code, actor, *([] if actor is None else [_told_of(actor)]))
        return self._afterwards(enabled, current)

    def _afterwards(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """Who moves when no segment says it."""
        if not self._alone:
            return current if current.status == ENABLED else enabled[0]
        taking_part = [actor for code, actor in self._actors.items() if code in self._named and actor in enabled]
        if not taking_part:
            strike(enabled[0], KILL)
            return enabled[0]
        return current if current in taking_part else taking_part[0]

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: the rest of the segment, but for a last step that is a fault's."""
        segment = self._segments[self._place] if self._place < len(self._segments) else None
        struck = segment is not None and (segment.killed or segment.fault != "")
        return max(0, self._until - len(self._steps) - 1 - struck)

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _next(self, now: int) -> None:
        """The next segment begins; after the last one nothing changes any more."""
        self._place += 1
        length = self._segments[self._place].length if self._place < len(self._segments) else None
        self._until = FOR_EVER if length is None else now + length

    def _arm(self, actor: Actor, segment: Segment) -> None:
        """Its next call meets what the segment ends with."""
        if segment.killed:
            strike(actor, KILL)
        elif segment.fault:
            action, when = split_fault(segment.fault)
            call = actor.pending[0] if actor.pending else ""
            if not can_hit(Fault(actor.name, 0, "", 0, action, when), call):
                raise self._divergence(
                    segment.code, actor, f"is about to {call}, which never fails with {segment.fault}"
                )
            strike(actor, action, when)

    def _divergence(self, code: str, actor: Actor | None, state: str = "is not in this run") -> DivergenceError:
        name = code if actor is None else actor.name
        made = len(self._steps) - self._before
        last = f"; step {made} was {_told(self._steps[-1])}" if made else ""
        return DivergenceError(
            "divergence",
            code,
            f"replay diverges at step {made + 1}: by segment {self._place + 1} of the schedule"
            f" ({self._segments[self._place]}) {name} moves, but it {state}{last}",
        )


def strike(actor: Actor, action: str, when: str = "before") -> None:
    """A fault of the schedule hits the next call of `actor` that it can hit."""
    if actor.faults is None:
        actor.faults = ActorFaults([])
    actor.faults.strike_next(Fault(actor.name, 0, "", 0, action, when))


def _told_of(actor: Actor) -> str:
    """Where it stands, and the call that it waits with."""
    waits = f" before its {actor.pending[0]} of {actor.pending[1]}" if actor.status == BLOCKED and actor.pending else ""
    return f"is {actor.status}{waits}"


def _told(step: RawStep) -> str:
    """A step for people."""
    return f"{step[0]} {step[2]} {step[3]} -> {errno_name(step[6]) or 'ok'}"
