"""An actor, as the gate, the kernel and the hosts see it: where it stands, what it holds, what it is about to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.faults import ActorFaults
    from simulator.engine.trace import RawStep

STARTING = "starting"
ENABLED = "enabled"
BLOCKED = "blocked"  # waits for a lock that somebody holds
STALLED = "stalled"  # a fault: waits until nobody else can move
DONE = "done"

# What an actor is about to do: operation, path as shown, target, mode, what to do with the result (None: as it is),
# the real call, its arguments, its keywords (None: none). A plain tuple: one is made for every step.
Call = tuple[
    str,
    str,
    "str | None",
    "int | None",
    "Callable[[str, str | None, tuple[Any, ...], Any], tuple[Any, object]] | None",
    "Callable[..., Any]",
    "tuple[Any, ...]",
    "dict[str, Any] | None",
]


@dataclass(slots=True, eq=False)
class Actor:
    """One party of a run, as the gate, the kernel and the hosts see it."""

    name: str
    index: int
    faults: ActorFaults | None = None
    status: str = STARTING
    dead: bool = False
    phase: str = "start"
    steps: int = 0
    pending: Call | None = None
    waits_for: str | None = None
    killed: bool = False
    last_failure: RawStep | None = None
    # Open descriptors, with the path each was opened by.
    descriptors: dict[int, str] = field(default_factory=dict)
    # Descriptors that hold a flock, with the lock's path.
    locks: dict[int, str] = field(default_factory=dict)
