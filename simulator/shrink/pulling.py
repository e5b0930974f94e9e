"""Pull each actor's steps together across those of others that do not depend on them: the same run, fewer switches.

Steps that are independent can change places, so a run stands for all orders that keep dependent steps as they are, and
one with few switches is the easiest to read. In such an order it never hurts to let whoever moves go on for as long as
it can, so what is to be decided is only who comes next. That is searched breadth first over how far everybody is,
keeping those that are furthest: a beam.

Source: N. Jalbert, K. Sen, "A trace simplification technique for effective debugging of concurrent programs" (2010),
which runs its candidates; J. Huang, C. Zhang, "An efficient static trace simplification technique for debugging
concurrent programs" (2011), which does not, as here. How we differ: the relation is on what happened
(`simulator.exploration.footprints`), and a beam takes the place of a greedy choice.
Guarantees: dependent steps keep their order, each actor's too; never more switches than before; the same for the same.
Cost: the footprints, 10 to 25 us a step; then actors squared times the beam for each switch.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from simulator.exploration.classes import clocks
from simulator.exploration.footprints import footprints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.start import Start

# How many ways to get equally far are looked at beside each other.
BEAM = 32

# How many steps each actor has made.
_Done = tuple[int, ...]


def pulled_together(steps: Sequence[RawStep], start: Start | None = None) -> list[int]:
    """An order of few switches: indices of `steps`.

    Args:
        steps: of a storm, from its first one.
        start: what was in the sandbox before.
    """
    actors = [step[0] for step in steps]
    names = sorted(set(actors))
    mine = {name: [place for place, actor in enumerate(actors) if actor == name] for name in names}
    needs = _needs(actors, names, list(clocks(actors, footprints(steps, start))))
    turns = _fewest_turns(needs, tuple(len(mine[name]) for name in names))
    order = [place for who, first, last in turns for place in mine[names[who]][first:last]]
    return order if len(turns) <= turns_of(actors) else list(range(len(steps)))


def turns_of(actors: Sequence[str]) -> int:
    """How often somebody begins to move, in a sequence of movers."""
    return sum(place == 0 or actors[place - 1] != actor for place, actor in enumerate(actors))


def _needs(actors: Sequence[str], names: Sequence[str], times: Sequence[tuple[int, ...]]) -> list[list[list[int]]]:
    """For each actor and each other one: how far that one has to be, before each step of the first; it only grows."""
    needs: list[list[list[int]]] = [[[] for _ in names] for _ in names]
    places = {name: place for place, name in enumerate(names)}
    for actor, clock in zip(actors, times, strict=True):
        for other, needed in enumerate(clock):
            needs[places[actor]][other].append(needed)
    return needs


def _fewest_turns(needs: list[list[list[int]]], ends: _Done) -> list[tuple[int, int, int]]:
    """Who moves, from which of its steps up to which, turn after turn."""
    start = (0,) * len(ends)
    came_from: dict[_Done, tuple[_Done, int] | None] = {start: None}
    level = [start]
    while ends not in came_from:
        reached: dict[_Done, tuple[_Done, int]] = {}
        for done in level:
            for who in range(len(ends)):
                far = _as_far_as_it_goes(needs[who], done, who)
                if far > done[who]:
                    reached.setdefault((*done[:who], far, *done[who + 1 :]), (done, who))
        new = [done for done in reached if done not in came_from]
        level = sorted(new, key=lambda done: (-sum(done), done))[:BEAM]
        came_from.update((done, reached[done]) for done in level)
    turns = []
    done = ends
    while (step := came_from[done]) is not None:
        before, who = step
        turns.append((who, before[who], done[who]))
        done = before
    return turns[::-1]


def _as_far_as_it_goes(needs: list[list[int]], done: _Done, who: int) -> int:
    """How many steps of its own an actor can have made before it needs somebody to be further than now."""
    return min(
        (bisect_right(needed, done[other]) for other, needed in enumerate(needs) if other != who),
        default=len(needs[who]),
    )
