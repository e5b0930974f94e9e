"""Why an actor failed: which of its steps, and whether a fault of the scenario or the race is to blame.

An error knows the step that raised it; one that was raised because of another leads there. What an actor's clean-up
ran into afterwards is not the reason.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, cast

from simulator.actors.toolchains.base import RetryTypeError, ToolchainError, error_kind
from simulator.engine.faults import BUILD_ERROR
from simulator.engine.step import STEP_OF_ERROR
from simulator.errors import BuildFailedError
from simulator.running.outcome import Failure

if TYPE_CHECKING:
    from simulator.engine.gate import Deadlock, Gate, Livelock
    from simulator.engine.trace import RawStep
    from simulator.hosts.base import Party

# Exceptions that lead to each other in a circle end here; real chains have two or three links.
_CHAIN_MAX = 32


def failure_of(party: Party, deadlock: Deadlock | None, livelock: Livelock | None = None) -> Failure | None:
    """The reason why a party failed; None when it did not.

    Args:
        party: it has ended, or was unwound where it stood.
        deadlock: of its run, if there was one.
        livelock: likewise.
    """
    error = party.error
    if error is None:
        return None if party.ended else _stuck(party, deadlock, livelock)
    kind = error_kind(error)
    if isinstance(error, BuildFailedError):
        return Failure(BUILD_ERROR, kind, None, None, None, str(error), injected=True)
    name = "TypeError" if isinstance(error, RetryTypeError) else type(error).__name__
    step = _step_of(error) or _step_behind(error, party.actor.last_failure)
    if step is None:
        return Failure(name, kind, getattr(error, "errno", None), None, None, str(error), injected=False)
    _, _, operation, path, _, _, number, _, injected = step
    return Failure(name, kind, number, operation, path, str(error), injected=injected is not None)


def in_doubt(party: Party, gate: Gate) -> bool:
    """Whether a fault that struck a build without ending it may be why it failed in the end."""
    faults = party.actor.faults
    if faults is None or not faults.fired or party.actor.killed:
        return False
    failure = failure_of(party, gate.deadlock, gate.livelock)
    return failure is not None and not failure.injected


def _step_behind(error: Exception, last: RawStep | None) -> RawStep | None:
    """The step behind an error that no failing call raised, if it can be told.

    A copied tree collects the texts of its errors: the last of them is the actor's last failure. A back end that finds
    a file missing says so in its own words: the look at that very file is its last failure.
    """
    if last is None:
        return None
    about_it = isinstance(error, ToolchainError) and error.path.endswith("/" + last[3])
    return last if about_it or isinstance(error, shutil.Error) else None


def _stuck(party: Party, deadlock: Deadlock | None, livelock: Livelock | None) -> Failure:
    if livelock is not None:
        return Failure("Livelock", None, None, None, None, "does not come to an end", injected=False)
    waits = {actor: lock for actor, lock, _ in deadlock.waiting} if deadlock else {}
    lock = waits.get(party.actor.name)
    return Failure("Deadlock", None, None, "flock", lock, f"waits for {lock} for ever", injected=False)


def _step_of(error: BaseException) -> RawStep | None:
    link: BaseException | None = error
    for _ in range(_CHAIN_MAX):
        if link is None:
            break
        step = link.__dict__.get(STEP_OF_ERROR)
        if step is not None:
            return cast("RawStep", step)
        link = link.__cause__ or link.__context__
    return None
