"""Mutants: schedules made from those that gave something new.

A run that showed an outcome nobody had seen stands where samplers seldom come; a schedule that differs little from its
own may show what lies beside. Coverage-guided fuzzers do so with inputs, and Wolff, Shi, Duck, Mathur, Roychoudhury,
"Greybox fuzzing for concurrency testing" (ASPLOS 2024), with constraints on schedules. Ours are turns: two
neighbours change places, a cut moves, somebody goes ahead in the middle of another's, or one schedule goes on
as another.

A mutant is played leniently (`simulator.strategies.lenient`): what cannot be followed is passed over. It has the seed
of the schedule that it was made from, and so its faults. No seed gives it back; its token holds the segments that it
really made.

Guarantees: what is drawn depends on the seed of the trial and on what was found before it, so an exploration that is
repeated makes the same mutants. Cost: the segments of a few schedules, kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from simulator.schedule import code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from simulator.engine.randomness import Randomness
    from simulator.search.subject import Trial

# The latest so many: what is found late is rare, and what is beside the early ones has been looked at.
POOL_MAX = 16
# So many changes are made at most; after each that changed something, a further one with a probability of one half.
CHANGES_MAX = 4


class Turn(NamedTuple):
    """Some steps of one actor; its code as in `simulator.schedule`."""

    code: str
    steps: int


@dataclass(frozen=True, slots=True)
class Parent:
    """A schedule that gave something new: the seed of its faults, and who moved."""

    seed: int
    turns: tuple[Turn, ...]


class Pool:
    """The latest schedules that gave something new: a new outcome, or merely a new class.

    Nearly every run is of a new class, so those would drive out the few that had a new outcome: they are kept apart.
    """

    def __init__(self) -> None:
        self._by_outcome: deque[Parent] = deque(maxlen=POOL_MAX)
        self._by_class: deque[Parent] = deque(maxlen=POOL_MAX)

    def __len__(self) -> int:
        return len(self._by_outcome) + len(self._by_class)

    def add(self, trial: Trial, *, outcome: bool) -> None:
        """`trial` was something new; `outcome` says whether in its outcome."""
        parents = self._by_outcome if outcome else self._by_class
        parents.append(Parent(trial.seed, joined(Turn(code_of(step[0]), 1) for step in trial.storm)))

    def mutant(self, randomness: Randomness) -> Parent:
        """A new schedule, of one of them. The pool must not be empty."""
        parents = randomness.choice([parents for parents in (self._by_outcome, self._by_class) if parents])
        parent = randomness.choice(parents)
        turns = parent.turns
        for _ in range(CHANGES_MAX):
            change = randomness.choice(CHANGES)
            turns = joined(change(turns, randomness.choice(parents).turns, randomness))
            if turns != parent.turns and randomness.draw() < 0.5:  # noqa: PLR2004 - a coin
                break
        return Parent(parent.seed, turns)


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The same schedule, with neither empty turns nor two of one actor in a row."""
    whole: list[Turn] = []
    for turn in turns:
        if whole and whole[-1].code == turn.code:
            whole[-1] = Turn(turn.code, whole[-1].steps + turn.steps)
        elif turn.steps:
            whole.append(turn)
    return tuple(whole)


# The changes: of a schedule, with another one at hand. Where nothing can change, it stays as it is.


def swap(turns: Sequence[Turn], other: Sequence[Turn], randomness: Randomness) -> Sequence[Turn]:
    """Two neighbours change places."""
    del other
    if len(turns) < 2:  # noqa: PLR2004 - a pair
        return turns
    place = randomness.below(len(turns) - 1)
    return [*turns[:place], turns[place + 1], turns[place], *turns[place + 2 :]]


def move_cut(turns: Sequence[Turn], other: Sequence[Turn], randomness: Randomness) -> Sequence[Turn]:
    """An actor stops earlier or later than it did, and makes up for it in its next turn."""
    del other
    cuts = [(place, after) for place in range(len(turns)) for after in _later(turns, place, turns[place].code)[:1]]
    if not cuts:
        return turns
    place, after = randomness.choice(cuts)
    both = turns[place].steps + turns[after].steps
    first = randomness.below(both + 1)
    changed = list(turns)
    changed[place] = Turn(turns[place].code, first)
    changed[after] = Turn(turns[after].code, both - first)
    return changed


def preempt(turns: Sequence[Turn], other: Sequence[Turn], randomness: Randomness) -> Sequence[Turn]:
    """In the middle of a turn, somebody goes ahead with a part of its own next one."""
    del other
    if not turns:
        return turns
    place = randomness.below(len(turns))
    code = turns[place].code
    others = sorted({turn.code for turn in turns[place + 1 :]} - {code})
    if not others:
        return turns
    comer = randomness.choice(others)
    after = _later(turns, place, comer)[0]
    before, ahead = randomness.below(turns[place].steps + 1), 1 + randomness.below(turns[after].steps)
    changed = list(turns)
    changed[after] = Turn(comer, turns[after].steps - ahead)
    changed[place : place + 1] = [Turn(code, before), Turn(comer, ahead), Turn(code, turns[place].steps - before)]
    return changed


def splice(turns: Sequence[Turn], other: Sequence[Turn], randomness: Randomness) -> Sequence[Turn]:
    """Up to some step this schedule, and from there on the other one."""
    here = randomness.below(_steps(turns) + 1)
    return [*_part(turns, 0, here), *_part(other, here, _steps(other))]


CHANGES: tuple[Callable[[Sequence[Turn], Sequence[Turn], Randomness], Sequence[Turn]], ...] = (
    swap,
    move_cut,
    preempt,
    splice,
)


def _steps(turns: Sequence[Turn]) -> int:
    return sum(turn.steps for turn in turns)


def _later(turns: Sequence[Turn], place: int, code: str) -> list[int]:
    """The turns of an actor after a given one."""
    return [after for after in range(place + 1, len(turns)) if turns[after].code == code]


def _part(turns: Sequence[Turn], first: int, last: int) -> list[Turn]:
    """The steps from `first`, counted from 0, up to but without `last`."""
    part, begin = [], 0
    for turn in turns:
        end = begin + turn.steps
        part.append(Turn(turn.code, max(0, min(end, last) - max(begin, first))))
        begin = end
    return part
