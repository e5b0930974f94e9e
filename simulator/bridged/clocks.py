"""Looks at a clock, noted: who, and by what.

Every clock that an actor can see is made of the steps of everybody (`simulator.bridged.pinned`,
`simulator.engine.clock`): `time.time`, `time.monotonic`, the time at which a step modified a file. A look at one is no
step and has no footprint, so two steps that count as independent can still be told apart by what it shows. Whoever says
that nothing is missing has to know of it.

Guarantee: each look at a clock of `time` that is pinned, and at a time of a file that a step of the run modified. A
look at other times of a file is none: they are the same in every run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from simulator.bridged.bridge import current_bridge
from simulator.bridged.refused import place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.bridged.bridge import Watch
    from simulator.engine.trace import RawStep


def note(watch: Watch, who: str, clock: str) -> None:
    """`who` looks at `clock`."""
    if who not in watch.clocks:
        watch.clocks[who] = f"{clock} at {place(sys._getframe(1))}"  # noqa: SLF001


def times_of_files(watch: Watch, steps: Sequence[RawStep]) -> Callable[[], None]:
    """What is called at each look at the time of a file that was modified in a step."""

    def looked() -> None:
        bridge = current_bridge()
        # A coroutine has no bridge; it runs from one of its steps to the next.
        note(watch, steps[-1][0] if bridge is None else bridge.actor.name, "the time of a file")

    return looked
