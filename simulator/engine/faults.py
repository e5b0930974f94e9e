"""Faults: failures injected into an actor, at its own steps.

A fault names an actor, a place on that actor's own axis (its n-th step, or a phase, `PHASE+N` for the N-th step
after the phase's first) and what happens there. The axis is local on purpose: a fault means the same under every
schedule. An errno waits for the next call that can fail with it in reality (ENOSPC never comes from a stat).
"""

from __future__ import annotations

import difflib
import errno
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.engine.randomness import Randomness

KILL = "kill"
BUILD_ERROR = "build-error"
STALL = "stall"

BEFORE = "before"
AFTER = "after"
SHORT = "short"

_MAKES_A_NAME = frozenset({"create", "create-excl", "mkdir", "symlink", "link", "rename"})
_OPENS = frozenset({"open", "opendir", "create", "create-excl", "scandir", "listdir"})
_BY_PATH = _MAKES_A_NAME | _OPENS | {"unlink", "rmdir", "chmod", "utime", "stat", "lstat", "readlink"}

# Which operations can fail with which errno (section ERRORS of their man pages). None with close: whatever it says, the
# descriptor is gone on Linux, and a call that never happened would keep it.
ERRNO_OPERATIONS: dict[str, frozenset[str]] = {
    "EIO": _BY_PATH | {"read", "write", "fstat", "fchmod", "fchown"},
    "ENOSPC": _MAKES_A_NAME | {"write"},
    "EACCES": _BY_PATH,
    "EMFILE": _OPENS,
    "ENOMEM": _BY_PATH - {"utime"} | {"fstat", "fchmod", "fchown"},
    "EBUSY": frozenset({"unlink", "rmdir", "rename"}),
    # open(2) while it waits (a slow device, a network), not getdents(2).
    "EINTR": _OPENS - {"scandir"} | {"read", "write", "flock"},
}
ACTIONS = (KILL, BUILD_ERROR, STALL, *ERRNO_OPERATIONS)

_SPEC = re.compile(
    r"(?P<actor>[^:]+):(?P<place>[^:]+):(?P<action>[A-Za-z-]+)(?::(?P<when>before|after|short))?", re.ASCII
)
_PLACE = re.compile(r"(?P<step>[1-9][0-9]*)|(?P<phase>[a-z][a-z_-]*)(?:\+(?P<offset>[0-9]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure.

    Attributes:
        actor: name of the actor.
        step: the actor's own step, from 1; 0 when `phase` is given.
        phase: name of a phase, empty when `step` is given.
        offset: steps after the first one of the phase.
        action: one of `ACTIONS`.
        when: ``before`` or ``after`` the effect, ``short`` for a write that takes half.
    """

    actor: str
    step: int
    phase: str
    offset: int
    action: str
    when: str = BEFORE

    def __str__(self) -> str:
        """The SPEC form, as the command line takes it."""
        place = str(self.step) if self.step else self.phase + (f"+{self.offset}" if self.offset else "")
        suffix = f":{self.when}" if self.action in ERRNO_OPERATIONS else ""
        return f"{self.actor}:{place}:{self.action}{suffix}"


def parse_fault(spec: str) -> Fault:
    """Read ``ACTOR:(STEP|PHASE[+N]):(kill|build-error|stall|ERRNO[:before|after|short])``.

    Raises:
        BadInputError: not of that form, or an unknown action.
    """
    match = _SPEC.fullmatch(spec)
    place = _PLACE.fullmatch(match["place"]) if match else None
    if match is None or place is None:
        raise BadInputError(
            "bad-fault",
            spec,
            f"fault '{spec}' is not ACTOR:(STEP|PHASE[+N]):ACTION[:before|after|short],"
            " e.g. build-3:install_lib:kill or build-2:120:ENOSPC:after",
        )
    action = match["action"]
    if action not in ACTIONS:
        near = difflib.get_close_matches(action, ACTIONS, 1, 0.4) or [", ".join(ACTIONS)]
        raise BadInputError("unknown-fault", action, f"fault '{spec}': unknown action '{action}'; nearest: {near[0]}")
    if match["when"] and action not in ERRNO_OPERATIONS:
        raise BadInputError("bad-fault", spec, f"fault '{spec}': '{match['when']}' goes with an errno, not '{action}'")
    if match["when"] == SHORT and "write" not in ERRNO_OPERATIONS[action]:
        raise BadInputError("bad-fault", spec, f"fault '{spec}': a short write is never {action}; use ENOSPC or EIO")
    return Fault(
        match["actor"],
        int(place["step"] or 0),
        place["phase"] or "",
        int(place["offset"] or 0),
        action,
        match["when"] or BEFORE,
    )


@dataclass(frozen=True, slots=True)
class RandomFaults:
    """Faults drawn from the seed.

    Attributes:
        action: one of `ACTIONS`.
        share: probability, in [0, 1], that a build gets one.
        first, last: the build's own steps between which it falls, both included.
    """

    action: str
    share: float
    first: int
    last: int

    def draw(self, actors: Iterable[str], randomness: Randomness) -> list[Fault]:
        """The faults of one run; every actor costs the same draws, so one never shifts another's."""
        drawn = []
        for actor in actors:
            chance, place = randomness.draw(), randomness.draw()
            if chance < self.share:
                step = self.first + int(place * (self.last - self.first + 1))
                drawn.append(Fault(actor, step, "", 0, self.action))
        return drawn


def is_in_swarm(randomness: Randomness) -> bool:
    """Whether a run has a kind of random faults at all: a coin for each kind.

    With all kinds in every run, some hide others: a build that is killed early meets no full disk. Runs that each lack
    some show more (Groce, Zhang, Eide, Chen, Regehr, "Swarm testing", ISSTA 2012).
    """
    return randomness.draw() < 0.5  # noqa: PLR2004 - a coin


@dataclass(slots=True)
class ActorFaults:
    """What is still to happen to one actor."""

    waiting: list[Fault]
    fired: list[Fault] = field(default_factory=list)
    _phase: str = ""
    _phase_start: int = 0
    _armed: list[Fault] = field(default_factory=list)
    _repeated: list[Fault] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        """Whether nothing is left to happen."""
        return not (self.waiting or self._armed)

    def strike_next(self, fault: Fault) -> None:
        """`fault` hits the next call that it can hit, wherever that is.

        One of the same kind that is due there as well is the same failure, not a second one.
        """
        self._armed.insert(0, fault)
        self._repeated.append(fault)

    def call_off(self) -> None:
        """Nothing more happens."""
        self.waiting.clear()
        self._armed.clear()

    def due(self, step: int, phase: str, operation: str) -> Fault | None:
        """The fault that hits this call, if any.

        Args:
            step: the actor's own step number, from 1.
            phase: the phase it is in.
            operation: what it is about to do.
        """
        if phase != self._phase:
            self._phase, self._phase_start = phase, step
        for fault in list(self.waiting):
            reached = (
                step >= fault.step
                if fault.step
                else (phase == fault.phase and step - self._phase_start >= fault.offset)
            )
            if reached:
                self.waiting.remove(fault)
                self._armed.append(fault)
        for fault in self._armed:
            if can_hit(fault, operation):
                self._strike(fault)
                return fault
        return None

    def _strike(self, fault: Fault) -> None:
        struck = [fault]
        if fault in self._repeated:
            # What a schedule repeats may be what the scenario, or the seed, has there anyhow.
            self._repeated.remove(fault)
            struck += [other for other in self._armed if other is not fault and _alike(other, fault)][:1]
        for one in struck:
            self._armed.remove(one)
        self.fired += struck


def _alike(one: Fault, other: Fault) -> bool:
    """Whether they do the same to a call; of a short write nobody knows which errno it stands for."""
    return one.when == other.when and (one.action == other.action or one.when == SHORT)


def can_hit(fault: Fault, operation: str) -> bool:
    """Whether a call of this kind can fail like that."""
    if fault.action not in ERRNO_OPERATIONS:
        return True
    if fault.when == SHORT:
        return operation == "write"
    return operation in ERRNO_OPERATIONS[fault.action]


def errno_of(fault: Fault) -> int:
    """The number of an errno fault."""
    return int(getattr(errno, fault.action))


def faults_by_actor(faults: Iterable[Fault]) -> dict[str, ActorFaults]:
    """Sort faults by the actor they hit."""
    by_actor: dict[str, ActorFaults] = {}
    for fault in faults:
        by_actor.setdefault(fault.actor, ActorFaults([])).waiting.append(fault)
    return by_actor
