"""Plans: schedules that still mean something when a part of them is gone.

A recorded schedule says how many steps each actor makes before the next one moves. Leave one actor out, and the others
find another world: they make the directory that it would have made, they do not wait for its lock, and every number
after that is wrong. So a plan says *up to where* an actor goes on: up to before its n-th call of this kind on this path
(the step that must not come earlier), or up to so many steps of its own, or to its end. Whoever has already passed that
place is passed over. Leaving out a piece means that the actor makes these steps later, with its next piece; leaving out
all pieces of an actor, that it takes no part.

Guarantee: the plan of a run, followed, is that run with independent steps in another order
(`tests/unit/shrink/test_plan.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from simulator.engine.faults import BEFORE, KILL
from simulator.schedule import EXIT, injected_into, split_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.engine.trace import RawStep


class Call(NamedTuple):
    """A place on an actor's way: before its n-th call of this kind on this path, from 1."""

    operation: str
    path: str
    number: int


class Piece(NamedTuple):
    """An actor goes on.

    Attributes:
        actor: its name.
        until: before which call, after how many steps of its own, or (None) to its end.
    """

    actor: str
    until: Call | int | None


class Strike(NamedTuple):
    """Something is injected into an actor's step.

    Attributes:
        actor: its name.
        step: its own, from 1.
        action, when: as in `simulator.engine.faults.Fault`.
    """

    actor: str
    step: int
    action: str
    when: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Who moves up to where, in which order, and what is injected."""

    pieces: tuple[Piece, ...]
    strikes: tuple[Strike, ...] = ()

    @property
    def actors(self) -> tuple[str, ...]:
        """Who takes part, in order of appearance."""
        return tuple(dict.fromkeys(piece.actor for piece in self.pieces))

    def only(self, actors: Iterable[str]) -> Plan:
        """Without all others."""
        kept = set(actors)
        return Plan(
            tuple(piece for piece in self.pieces if piece.actor in kept),
            tuple(strike for strike in self.strikes if strike.actor in kept),
        )

    def without(self, first: int, last: int) -> Plan:
        """Without the pieces from `first` up to, not including, `last`."""
        pieces = _joined((*self.pieces[:first], *self.pieces[last:]))
        left = {piece.actor for piece in pieces}
        return Plan(pieces, tuple(strike for strike in self.strikes if strike.actor in left))

    def later(self, place: int) -> Plan:
        """With the steps of a piece made with its actor's next one, or at the end; everybody still takes part."""
        shorter = self.without(place, place + 1)
        actor = self.pieces[place].actor
        end = () if actor in shorter.actors else (Piece(actor, None),)
        return Plan((*shorter.pieces, *end), self.strikes)


def _joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Two pieces of one actor in a row are its second one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].actor == piece.actor:
            joined.pop()
        joined.append(piece)
    return tuple(joined)


def taking_part(steps: Sequence[RawStep], *, everybody: bool = False) -> list[RawStep]:
    """The steps of those who made more than the one of being killed before they began, or of everybody."""
    if everybody:
        return list(steps)
    begun = {step[0] for step in steps if step[2] != KILL}
    return [step for step in steps if step[0] in begun]


def plan_of(steps: Sequence[RawStep], order: Sequence[int] | None = None, *, counted: bool = False) -> Plan:
    """The plan of a run.

    Args:
        steps: of its storm, from the first one.
        order: in which they are to be made: indices of `steps`; each actor's stay in their order. None: as they are.
        counted: whether places are numbers of steps in any case, which hold under other names.
    """
    ways = _ways(steps)
    strikes = []
    made: Counter[str] = Counter()
    places: list[tuple[str, int]] = []
    for index in order if order is not None else range(len(steps)):
        actor = steps[index][0]
        made[actor] += 1
        action, when = _struck(steps[index])
        if action:
            strikes.append(Strike(actor, made[actor], action, when))
        if places and places[-1][0] == actor:
            places.pop()
        places.append((actor, made[actor]))
    pieces = [Piece(actor, _until(ways[actor], number, counted)) for actor, number in places]
    return Plan(tuple(pieces), tuple(strikes))


def before(steps: Sequence[RawStep], place: int) -> Piece:
    """The actor of a step goes on up to before it."""
    actor, _, operation, path, *_ = steps[place]
    if operation in {KILL, EXIT}:
        return Piece(actor, sum(step[0] == actor for step in steps[:place]))
    number = sum((step[0], step[2], step[3]) == (actor, operation, path) for step in steps[: place + 1])
    return Piece(actor, Call(operation, str(path), number))


def after(steps: Sequence[RawStep], place: int) -> Piece:
    """The actor of a step goes on up to behind it."""
    actor = steps[place][0]
    following = next((at for at in range(place + 1, len(steps)) if steps[at][0] == actor), None)
    return Piece(actor, None) if following is None else before(steps, following)


def _ways(steps: Iterable[RawStep]) -> dict[str, list[Call | None]]:
    """The calls of each actor, in its order; None for what is no call."""
    ways: dict[str, list[Call | None]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for actor, _, operation, path, *_ in steps:
        seen[actor, operation, path] += 1
        call = None if operation in {KILL, EXIT} else Call(operation, str(path), seen[actor, operation, path])
        ways.setdefault(actor, []).append(call)
    return ways


def _until(way: list[Call | None], made: int, counted: bool) -> Call | int | None:
    """Where an actor has come to after so many steps of its own."""
    if made == len(way):
        return None
    call = way[made]
    return made if counted or call is None else call


def _struck(step: RawStep) -> tuple[str, str]:
    if step[2] == KILL:
        return KILL, BEFORE
    return split_fault(injected_into(step))
