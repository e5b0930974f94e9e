"""One step: the turn has come, so make the call on the real file system, once, and record it.

Here is also what a call changes in our own books (descriptors, locks, logical times), what of its result may be
recorded, and what a fault does in its place.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from cache_core.kernel import REAL
from simulator.engine.actor import Held
from simulator.engine.clock import Status
from simulator.engine.faults import AFTER, BEFORE, BUILD_ERROR, KILL, SHORT, STALL, errno_of
from simulator.engine.listing import GatedListing
from simulator.engine.quiet import KINDS
from simulator.engine.trace import CREATE, CREATE_EXCL, OPEN, OPENDIR
from simulator.errors import ActorKilled, BuildFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.actor import Actor, Call
    from simulator.engine.clock import LogicalTimes
    from simulator.engine.faults import Fault
    from simulator.engine.gate import Gate
    from simulator.engine.paths import Known, Paths
    from simulator.engine.trace import Creation, RawStep

    # The actor's name, how to take a token, paths as shown, its descriptors, how to record a step, how to record one
    # that failed, and the logical times.
    AtHand = tuple[
        str,
        Callable[[], str],
        Known,
        dict[int, str],
        Callable[[RawStep], None],
        Callable[[RawStep, OSError], None],
        LogicalTimes,
    ]

SHARED = "shared"
EXCLUSIVE = "exclusive"
UNLOCK = "unlock"

# Where an OSError that an actor gets keeps the step that it is from.
STEP_OF_ERROR = "_cachestorm_step"

# What the machine may run out of; with these a run would take its own limits for the race.
_OUT_OF_RESOURCES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENOMEM, errno.ENOLCK}
)
_OPENS = frozenset({OPEN, OPENDIR, CREATE, CREATE_EXCL})


class StallRequested(BaseException):
    """The fault `stall` is due: stand still, then make the call."""


class Stepper:
    """Makes the steps of one actor.

    Args:
        gate: the run's gate, which holds the record.
        actor: whose steps.
        paths: how paths are shown.
        times: the run's logical times.
    """

    def __init__(self, gate: Gate, actor: Actor, paths: Paths, times: LogicalTimes) -> None:
        self._gate = gate
        self._actor = actor
        self._paths = paths
        self._times = times
        self._record = gate.steps.append
        self._fresh = False
        self._lost = False

    def at_hand(self) -> AtHand:
        """What a quiet call works with."""
        actor = self._actor
        return (
            actor.name, actor.grant.pop, self._paths.known, actor.descriptors, self._record, self._failed, self._times
        )  # fmt: skip

    @property
    def steps(self) -> list[RawStep]:
        """The record."""
        return self._gate.steps

    @property
    def locks(self) -> dict[int, Held]:
        """The locks of the actor, as they change."""
        return self._actor.locks

    @property
    def copies(self) -> dict[int, list[tuple[Actor, int]]]:
        """The descriptors of the actor whose open files others have too, as they change."""
        return self._actor.copies

    def _perform(self, call: Call) -> Any:
        actor = self._actor
        if actor.dead:
            raise ActorKilled(actor.name)
        operation, path, target, mode, after, function, arguments, keywords = call
        if actor.faults is not None:
            fault = actor.faults.due(actor.steps + 1, actor.phase, operation)
            if fault is not None:
                return self._perform_with(fault, call)
        try:
            result = function(*arguments) if keywords is None else function(*arguments, **keywords)
        except OSError as error:
            self._note(call[:4], error.errno, None, error=error)
            raise
        detail = None
        if after is not None:
            result, detail = after(path, target, arguments, result)
        self._record((actor.name, actor.phase, operation, path, target, mode, None, detail, None))
        return result

    def _note(
        self,
        what: tuple[str, str, str | None, int | None],
        number: int | None,
        injected: str | None,
        *,
        detail: object = None,
        error: OSError | None = None,
    ) -> None:
        """Record a step that is not an ordinary success.

        Args:
            what: operation, path, target, mode.
            number: the errno.
            injected: when a fault struck.
            detail: as in `RawStep`.
            error: what the actor gets.
        """
        actor = self._actor
        step = (actor.name, actor.phase, *what, number, detail, injected)
        if error is None:
            self._record(step)
        else:
            self._failed(step, error)

    def _failed(self, step: RawStep, error: OSError) -> None:
        """Record a step that failed, and remember which error it raised."""
        self._record(step)
        self._actor.last_failure = step
        error.__dict__[STEP_OF_ERROR] = step
        if step[6] in _OUT_OF_RESOURCES and step[8] is None:
            self._gate.run_out(step)

    # Faults.

    def _perform_with(self, fault: Fault, call: Call) -> Any:
        actor = self._actor
        _, path, target, _, after, _, arguments, _ = call
        if fault.action == KILL:
            self.give_up(KILL)
            actor.killed = True
            actor.die()
            raise ActorKilled(actor.name)
        if fault.action == BUILD_ERROR:
            self._record((actor.name, actor.phase, BUILD_ERROR, path, None, None, None, None, BEFORE))
            raise BuildFailedError(f"injected at step {actor.steps + 1} in {actor.phase}")
        if fault.action == STALL:
            raise StallRequested
        if fault.when == SHORT and after is not None:
            fd, data = arguments
            result, detail = after(path, target, arguments, REAL.write(fd, data[: max(1, len(data) // 2)]))
            self._note(call[:4], None, SHORT, detail=detail)
            return result
        number = errno_of(fault)
        if fault.when == AFTER:
            self._let_it_happen(call)
        error = OSError(number, os.strerror(number), path)
        self._note(call[:4], number, fault.when, error=error)
        raise error

    def _let_it_happen(self, call: Call) -> None:
        """The effect of a call whose caller will be told that it failed."""
        operation, path, target, _, after, function, arguments, keywords = call
        try:
            result = function(*arguments, **(keywords or {}))
        except OSError as error:
            self._note(call[:4], error.errno, None, error=error)
            raise
        if after is not None:
            result, _ = after(path, target, arguments, result)
        if operation in _OPENS:
            # The caller never learns the descriptor; the kernel would not have handed one out.
            del self._actor.descriptors[result]
            REAL.close(result)

    def give_up(self, operation: str) -> None:
        """One step: every descriptor and lock of the actor goes, as at the end of a process.

        No step when the run was stopped: in which order a host unwinds those who stand is nobody's schedule.
        """
        actor = self._actor
        for fd in actor.descriptors:
            REAL.close(fd)
        locks = {held.path: held.kind for held in actor.locks.values()}
        end = (actor.name, actor.phase, operation, ".", None, None, None, len(actor.descriptors), None)
        if locks:
            actor.freed[len(self._gate.steps)] = locks
        if operation == KILL:
            self._record(end)
        elif actor.descriptors and self._gate.stopped is None:
            actor.kept = tuple(dict.fromkeys(held.path for held in actor.locks.values() if held.taker == actor.name))
            self._record(end)
            # What the end of a process does is no step of its own.
            actor.settled += 1
        actor.descriptors.clear()
        actor.locks.clear()
        for fd in list(actor.copies):
            self._forget_copy(fd)
        for lock in locks:
            self._gate.release(lock)

    # What a call changed in our books, and what of its result may be recorded.

    def _opened(self, path: str, target: str | None, arguments: tuple[Any, ...], fd: int) -> tuple[int, object]:
        del target
        self._actor.descriptors[fd] = path
        _, changes, detail = KINDS[arguments[1]]
        if changes:
            self._times.modified[path] = len(self._gate.steps)
        return fd, detail

    def _opened_or_made(
        self, creation: Creation, path: str, target: str | None, arguments: tuple[Any, ...], fd: int
    ) -> tuple[int, object]:
        if not creation.kept:
            return self._opened(path, target, arguments, fd)
        self._actor.descriptors[fd] = path
        return fd, None

    def _closed(self, path: str, target: str | None, arguments: tuple[Any, ...], result: None) -> tuple[None, object]:
        del path, target
        actor, fd = self._actor, arguments[0]
        actor.descriptors.pop(fd, None)
        if actor.copies:
            self._forget_copy(fd)
        if actor.locks:
            lock = actor.locks.pop(fd, None)
            if lock is not None:
                actor.freed[len(self._gate.steps)] = {lock.path: lock.kind}
                self._gate.release(lock.path)
        return result, None

    def _forget_copy(self, fd: int) -> None:
        everybody = self._actor.copies.pop(fd, None)
        if everybody is not None:
            everybody.remove((self._actor, fd))

    def _wrote(self, path: str, target: str | None, arguments: tuple[Any, ...], length: int) -> tuple[int, object]:
        del target, arguments
        self._times.modified[path] = len(self._gate.steps)
        return length, length

    def _timed(self, path: str, target: str | None, arguments: tuple[Any, ...], result: None) -> tuple[None, object]:
        del target, arguments
        self._times.modified[path] = len(self._gate.steps)
        return result, None

    def _renamed(self, path: str, target: str | None, arguments: tuple[Any, ...], result: None) -> tuple[None, object]:
        del arguments
        self._times.moved(path, target or "")
        return result, None

    def _read_link(self, path: str, target: str | None, arguments: tuple[Any, ...], led: str) -> tuple[str, object]:
        del path, target, arguments
        return led, self._paths.shown(led)

    def _status(
        self, path: str, target: str | None, arguments: tuple[Any, ...], status: os.stat_result
    ) -> tuple[Status, object]:
        del target, arguments
        mode = status.st_mode
        times = self._times
        shown = Status(mode, status, times, times.modified.get(path))
        return shown, (mode, status.st_size if stat.S_ISREG(mode) else 0)

    def _listed(
        self, path: str, target: str | None, arguments: tuple[Any, ...], entries: list[os.DirEntry[str]]
    ) -> tuple[GatedListing, object]:
        del path, target
        where = arguments[0]
        names = tuple(entry.name for entry in entries)
        return GatedListing(entries, self, where if isinstance(where, int) else None), names

    def _ask_for_lock(self, fd: int, operation: int) -> None:
        """The real call. To convert a lock the kernel first gives up what there is: refused, nothing is left of it."""
        try:
            REAL.flock(fd, operation)
        except BlockingIOError:
            held = self._actor.locks.get(fd)
            self._lost = held is not None
            if held is not None:
                self._actor.freed[len(self._gate.steps)] = {held.path: held.kind}
                self._gate.drop(held)
            raise

    def _waited(self) -> None:
        """The last step was an attempt at a lock that others have, by a call that goes on waiting for it."""
        if not self._lost:
            # It changed nothing. One that lost a lock did.
            self._actor.vain = len(self._gate.steps) - 1

    def _got(self) -> None:
        """The last step got a lock, by a call that waits for it. To convert one is never only to wait."""
        if self._fresh:
            self._actor.waited.append(len(self._gate.steps) - 1)

    def _locked(self, path: str, target: str | None, arguments: tuple[Any, ...], result: None) -> tuple[None, object]:
        fd = arguments[0]
        actor, kind = self._actor, target or ""
        held = actor.locks.get(fd)
        self._fresh = held is None
        if kind == UNLOCK:
            if held is not None:
                actor.freed[len(self._gate.steps)] = {held.path: held.kind}
                self._gate.drop(held)
            return result, None
        if held is None:
            self._gate.locks_taken[path] = None
            held = Held(path, kind, actor.name)
            for holder, number in actor.copies.get(fd, [(actor, fd)]):
                holder.locks[number] = held
        elif held.kind != kind:
            held.kind = kind
            if kind == SHARED:
                # Others may share it now.
                self._gate.release(path)
        return result, None
