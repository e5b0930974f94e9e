"""An actor, as the gate, the kernel and the hosts see it: where it stands, what it holds, what it is about to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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


class Shown(Protocol):
    """What is shown of a party while it works; it changes under the eyes of who looks.

    Attributes:
        name: whose line it is.
        phase: where it is.
        status: one of the words above.
        killed: whether it was.
        progress: how far it came, for people.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def phase(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def killed(self) -> bool: ...  # noqa: D102
    @property
    def progress(self) -> str: ...  # noqa: D102


class Held:
    """A flock that is held: it belongs to an open file, and so to every copy of the descriptor that it was taken by.

    Attributes:
        path: the lock's, as it was opened by.
        kind: ``shared`` or ``exclusive``.
        taker: name of the actor that asked for it; others have it by a copy.
    """

    __slots__ = ("kind", "path", "taker")

    def __init__(self, path: str, kind: str, taker: str) -> None:
        self.path = path
        self.kind = kind
        self.taker = taker


class Actor:
    """One party of a run, as the gate, the kernel and the hosts see it.

    Attributes:
        name: as shown.
        index: its place among all actors.
        faults: what is still to happen to it.
        status: one of the constants above.
        dead: whether its calls do nothing any more.
        steps: how many it has made, up to when the gate saw it last.
        grant: a token for each step that it may make without coming to the gate: the phase it is in.
        settled: up to where the record was searched for its steps.
        pending: the call it waits with; only what the gate has seen, and None while it waits for an event.
        waits_for: the lock, when it is blocked.
        waited: places in the record where it got a lock that it had none of, by a call that waits, had it to or not.
        freed: places in the record where it gave up locks, with the path and kind of each.
        revived: places in the record where it went on after it had stood still until nobody else could move.
        vain: the place in the record of its last attempt at a lock, by a call that waits, while another had it.
        killed: whether a fault did that.
        last_failure: its last step that failed.
        descriptors: that are open, with the path each was opened by.
        locks: descriptors that hold a flock.
        kept: the locks that it had taken, and not given up, when it ended: they went with its process.
        copies: descriptors whose open file others have too, with everybody's (actor, descriptor) of it.
    """

    __slots__ = (
        "_phase", "copies", "dead", "descriptors", "faults", "freed", "grant", "index", "kept", "killed",
        "last_failure", "locks", "name", "pending", "revived", "settled", "status", "steps", "vain", "waited",
        "waits_for",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        index: int,
        faults: ActorFaults | None = None,
        *,
        status: str = STARTING,
        phase: str = "start",
        killed: bool = False,
    ) -> None:
        self.name = name
        self.index = index
        self.faults = faults
        self.status = status
        self.dead = False
        self.steps = 0
        self.settled = 0
        self.grant: list[str] = []
        self.pending: Call | None = None
        self.waits_for: str | None = None
        self.vain = -1
        self.waited: list[int] = []
        self.revived: list[int] = []
        self.freed: dict[int, dict[str, str]] = {}
        self.killed = killed
        self.last_failure: RawStep | None = None
        self.descriptors: dict[int, str] = {}
        self.locks: dict[int, Held] = {}
        self.kept: tuple[str, ...] = ()
        self.copies: dict[int, list[tuple[Actor, int]]] = {}
        self._phase = phase

    @property
    def progress(self) -> str:
        """How far it came, for people."""
        return f"{self.steps:,} steps"

    @property
    def phase(self) -> str:
        """What it is at. When that changes it comes to the gate, so that whoever watches the run sees it."""
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self._phase = phase
        self.grant.clear()

    def die(self) -> None:
        """From now on its calls do nothing."""
        self.dead = True
        self.grant.clear()
