"""The class of a run: what is left of it when the order of steps that do not depend on each other is forgotten.

Two runs are of one class when one becomes the other by exchanging adjacent steps of different actors that do not
conflict, again and again: Mazurkiewicz's traces. A trace is the partial order that its steps leave, and each step's
place in that order is a clock: how many steps of each actor come before it, directly or through others. The digest is
taken over each step, by actor and in the actor's order, with its clock. So it is the same for two runs exactly when the
same steps with the same results are in the same partial order (or sixteen hexadecimal digits collide).

Foata's normal form (each step with the length of the longest chain that leads to it) says the same where dependence is
a relation on the letters. Here it is one on what happened, so two partial orders can have one set of lengths; clocks
tell them apart.

Source: A. Mazurkiewicz, "Concurrent program schemes and their interpretations" (1977); V. Diekert, G. Rozenberg (eds.),
"The Book of Traces" (1995), chapters 1 and 2; clocks: F. Mattern, "Virtual time and global states of distributed
systems" (1989). What differs: a key has adds beside reads and writes, and more (`simulator.exploration.keys`). So it
needs a clock for each way in which it was touched, and no step is compared with another.
Cost: steps x keys of a step x actors; no pairs. 10 to 30 us a step, besides the footprints.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from simulator.exploration.footprints import footprints
from simulator.exploration.keys import AGAINST, EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint, Key
    from simulator.exploration.start import Start

CLASS_CHARACTERS = 16

# For each actor, how many of its steps come before.
Clock = tuple[int, ...]


def trace_class(steps: Sequence[RawStep], start: Start | None = None) -> str:
    """Sixteen hexadecimal digits; arguments as `simulator.exploration.footprints.footprints`."""
    actors = [step[0] for step in steps]
    placed = zip(clocks(actors, footprints(steps, start)), steps, strict=True)
    # By actor, and each actor's in its order: sorting is stable.
    inside = sorted(placed, key=lambda item: item[1][0])
    return hashlib.sha256(ascii(inside).encode()).hexdigest()[:CLASS_CHARACTERS]


def clocks(actors: Sequence[str], touched: Sequence[Footprint]) -> Iterator[Clock]:
    """The clock of each step, itself included.

    Args:
        actors: who made each step.
        touched: the footprint of each step.
    """
    places = {name: place for place, name in enumerate(sorted(set(actors)))}
    nothing: Clock = (0,) * len(places)
    last = [nothing] * len(places)
    floor = nothing
    # Of each key: what comes before any step that touched it in one way, these included.
    touched_so_far: dict[Key, dict[str, Clock]] = {}
    for actor, footprint in zip(actors, touched, strict=True):
        place = places[actor]
        everything = EVERYTHING in footprint
        before = [last[place], floor, *(last if everything else ())]
        for key, kind in footprint.items():
            ways = touched_so_far.get(key)
            if ways is not None:
                before += [clock for way, clock in ways.items() if way in AGAINST[kind]]
        latest = list(map(max, *before))
        latest[place] += 1
        clock = last[place] = tuple(latest)
        if everything:
            floor = clock
        for key, kind in footprint.items():
            ways = touched_so_far.setdefault(key, {})
            ways[kind] = tuple(map(max, ways.get(kind, nothing), clock))
        yield clock
