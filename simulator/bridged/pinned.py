"""What differs between two runs of one schedule, pinned for an actor: who it is, what time it is, what chance says.

All actors are one process; as processes of their own they would have numbers of their own, and code makes unique
names of them. So each actor has its own process number, its own random bytes and numbers (seeded by its place, the same
in every run), and its own names of temporary files.

Time is told by the steps: `time.time` agrees with the modification times that files have under the gate (a second for
each step of anybody); `time.monotonic` and `time.perf_counter` go on by a millisecond for each. To sleep takes no time
and is no step; it lets the monotonic clocks of this actor go on. Who has slept ten times waits, from then on, until
nobody else can move: a loop that waits for another one ends. Who looks at a clock is noted (`clocks.py`): every step of
anybody moves it.

Not pinned: `datetime.now`, `threading.get_ident`, `id`, `uuid.uuid1`, `random.Random()` without a seed, what C
extensions draw. An actor that shows them in a name or a size is not the same in two runs, and is found out. Nor the
hash of a string, which is the same in all runs of a process: that is found out when a token is replayed in another.
"""

from __future__ import annotations

import random
import tempfile
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.bridged import clocks
from simulator.engine.clock import LOGICAL_EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.bridged.bridge import Bridge

FIRST_PID = 1001

# A look at the clock takes that long: a loop that looks at nothing else comes to an end.
LOOK_SECONDS = 0.001
STEP_SECONDS = 0.001

# A few short sleeps are how code says "by now it must be there", which is the bug; many are a wait.
SLEEPS_MAX = 10

_NAME_CHARACTERS = 8


class Pinned:
    """Of one actor, in one run.

    Args:
        index: the actor's place, from 0.
        steps: of the run, as they come.
    """

    def __init__(self, index: int, steps: Sequence[object]) -> None:
        self.pid = FIRST_PID + index
        self.names: Iterator[str] = self._names()
        self.sleeps = 0
        self._index = index
        self._steps = steps
        self._looks = 0
        self._slept = 0.0

    # Seeding takes as long as a few steps, and few actors ask.

    @cached_property
    def drawn(self) -> random.Random:
        """What stands for the generator that a process has of its own."""
        return random.Random(f"actor {self._index}")

    @cached_property
    def _bytes(self) -> random.Random:
        return random.Random(f"bytes of actor {self._index}")

    def random_bytes(self, size: int) -> bytes:
        """As many of them."""
        return self._bytes.randbytes(size)

    def now(self) -> float:
        """Seconds, on the clock that files are stamped by."""
        self._looks += 1
        return LOGICAL_EPOCH + len(self._steps) + 0.5 + self._looks * LOOK_SECONDS

    def monotonic(self) -> float:
        """Seconds since the run began."""
        self._looks += 1
        return self._slept + len(self._steps) * STEP_SECONDS + self._looks * LOOK_SECONDS

    def sleep(self, seconds: float) -> None:
        """Take no time."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.sleeps += 1
        self._slept += seconds

    def _names(self) -> Iterator[str]:
        number = 0
        while True:
            yield f"{chr(ord('a') + self._index % 26)}{number:0{_NAME_CHARACTERS - 1}}"
            number += 1


def _sleep(bridge: Bridge, real: Callable[..., Any], seconds: float, /) -> None:
    del real
    bridge.pinned.sleep(seconds)
    if bridge.pinned.sleeps > SLEEPS_MAX:
        bridge.kernel.stand_still()


def _told(what: Callable[[Pinned], Any]) -> Callable[..., Any]:
    def call(bridge: Bridge, real: Callable[..., Any]) -> Any:
        del real
        return what(bridge.pinned)

    return call


def _clock(name: str, what: Callable[[Pinned], Any]) -> Callable[..., Any]:
    def call(bridge: Bridge, real: Callable[..., Any]) -> Any:
        del real
        clocks.note(bridge.watch, bridge.actor.name, f"time.{name}")
        return what(bridge.pinned)

    return call


def _random_bytes(bridge: Bridge, real: Callable[..., Any], size: int, /, flags: int = 0) -> bytes:
    del real, flags
    return bridge.pinned.random_bytes(size)


def _drawn(name: str) -> Callable[..., Any]:
    def call(bridge: Bridge, real: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        del real
        return getattr(bridge.pinned.drawn, name)(*arguments, **keywords)

    return call


OS_NAMES: dict[str, Callable[..., Any]] = {
    "getpid": _told(lambda pinned: pinned.pid),
    "urandom": _random_bytes,
    "getrandom": _random_bytes,
}
TIME_NAMES: dict[str, Callable[..., Any]] = {
    "time": _clock("time", lambda pinned: pinned.now()),
    "time_ns": _clock("time_ns", lambda pinned: round(pinned.now() * 1e9)),
    "monotonic": _clock("monotonic", lambda pinned: pinned.monotonic()),
    "monotonic_ns": _clock("monotonic_ns", lambda pinned: round(pinned.monotonic() * 1e9)),
    "perf_counter": _clock("perf_counter", lambda pinned: pinned.monotonic()),
    "perf_counter_ns": _clock("perf_counter_ns", lambda pinned: round(pinned.monotonic() * 1e9)),
    "sleep": _sleep,
}
# The module's functions are methods of one generator, which everybody shares.
RANDOM_NAMES: dict[str, Callable[..., Any]] = {
    name: _drawn(name)
    for name, value in vars(random).items()
    if isinstance(getattr(value, "__self__", None), random.Random)
}
TEMPFILE_NAMES: dict[str, Callable[..., Any]] = {
    "_get_candidate_names": _told(lambda pinned: pinned.names),
}

MODULES = ((time, TIME_NAMES), (random, RANDOM_NAMES), (tempfile, TEMPFILE_NAMES))
