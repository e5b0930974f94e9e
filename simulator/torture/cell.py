"""One state and one cleaner, in a process of its own: laid, cleaned, judged.

The process of a cell keeps what privileges we have (to lay what takes them, and to look at what is left); the cleaner,
and who keeps it company, have none. Where a state needs mounts, the process is in a mount namespace of its own, and
they go with it. Guarantees: when `run_cell` returns or raises, no process that the cell started is alive, whatever
session it went to; what the cell leaves is below its directory. Costs: two forks and what the cleaner takes.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from cache_core.errors import shown
from cache_core.kernel import REAL
from scenarios.states.place import Place
from scenarios.states.privileged import MOUNTS
from scenarios.states.state import NEEDS
from simulator.errors import InternalError, MachineError
from simulator.ground.confined import be_secret, die_with_parent
from simulator.tools import enclosure
from simulator.tools.groups import no_orphans
from simulator.torture.child import run_side_by_side
from simulator.torture.company import CompanyAtWork
from simulator.torture.judge import Judge, Verdict
from simulator.torture.namespaces import enter_mount_namespace
from simulator.torture.verdicts import FAILED, HARMED, SKIPPED, TIMEOUT, Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenarios.states.state import State
    from simulator.torture.cleaners import Cleaner

STAGE = "stage"
_HOME = "home"
_UMASK = 0o022
# Laying and judging the largest state takes a second or two; a disk may take a hundred times as long.
_BESIDES_SECONDS_MAX = 600.0
_LOOK_SECONDS = 0.1
_READ_BYTES = 1 << 16
# What a system says when it does not let us make a state; anything else is a failure of ours or of the machine.
_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL,
                       errno.ENODEV, errno.EUSERS})  # fmt: skip
# What the parent makes of a failure.
_NO_ROOM = "space"
_BUG = "bug"


@dataclass(frozen=True, slots=True)
class Terms:
    """What every cell of a run has in common.

    Attributes:
        timeout_seconds: for a cleaner.
        variables: environment variables of the caller.
        interrupted: asked while a cell runs; True ends it.
    """

    timeout_seconds: float
    variables: Mapping[str, str]
    interrupted: Callable[[], bool]


def run_cell(state: State, cleaner: Cleaner | None, directory: str, terms: Terms) -> Cell | None:
    """Run one cell; without a cleaner the state is laid, and that is all.

    Args:
        state: what is laid.
        cleaner: who cleans it.
        directory: absolute path of an empty directory; what is left in it is the caller's to remove.
        terms: of the run.

    Returns:
        What came of it; None when it was interrupted.

    Raises:
        MachineError: There is no room for the state.
        InternalError: A bug of ours.
    """
    reading, writing = os.pipe()
    with no_orphans():
        child = os.fork()
        if child == 0:
            _be_a_cell(state, cleaner, directory, terms, writing)
        os.close(writing)
        try:
            told = _read(reading, child, terms)
        finally:
            os.close(reading)
            # It has nothing to do any more; what it started goes with the block.
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return None if told is None else _cell_of(state, cleaner, told)


def _read(reading: int, child: int, terms: Terms) -> dict[str, Any] | None:
    deadline = time.monotonic() + terms.timeout_seconds + _BESIDES_SECONDS_MAX
    text = b""
    while not terms.interrupted():
        if time.monotonic() > deadline:
            return {"failure": _BUG, "text": f"the process of the cell, {child}, does not end"}
        if _stands_still(child):
            return _told(Verdict(FAILED, "it stopped the process that watches it"), 0.0)
        if not select.select([reading], [], [], _LOOK_SECONDS)[0]:
            continue
        data = os.read(reading, _READ_BYTES)
        if not data:
            killed = _told(Verdict(FAILED, "it killed the process that watches it"), 0.0)
            return json.loads(text) if text else killed
        text += data
    return None


def _stands_still(child: int) -> bool:
    """Whether somebody has stopped it; nobody but what it runs has a reason to."""
    found = os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None and found.si_code == os.CLD_STOPPED


def _cell_of(state: State, cleaner: Cleaner | None, told: dict[str, Any]) -> Cell:
    name = "" if cleaner is None else cleaner.name
    failure = told.get("failure")
    if failure == _BUG:
        raise InternalError("torture", state.name, f"state '{state.name}', cleaner '{name}': {told['text']}")
    if failure is not None:
        raise MachineError(failure, state.name, f"state '{state.name}': {told['text']}")
    return Cell(state.name, name, told["verdict"], told["error"], told["seconds"], tuple(told["harm"]))


def _be_a_cell(state: State, cleaner: Cleaner | None, directory: str, terms: Terms, writing: int) -> NoReturn:
    """Do it, say what came of it, and end."""
    die_with_parent(signal.SIGKILL)
    # A terminal sends its signals to all of its processes; the parent decides what becomes of this one.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        told = _work(state, cleaner, directory, terms)
    except InternalError as error:
        told = {"failure": _BUG, "text": error.message}
    except OSError as error:
        kind = _NO_ROOM if error.errno == errno.ENOSPC else _BUG
        told = {"failure": kind, "text": f"{shown(str(error))} ({_last_line()})"}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent tells it
        told = {"failure": _BUG, "text": f"{type(error).__name__}: {error} ({_last_line()})"}
    try:
        data = json.dumps(told).encode(errors="backslashreplace")
        while data:
            data = data[os.write(writing, data) :]
    finally:
        # Nothing of the parent's (buffers, exit handlers) may happen twice.
        os._exit(0)


def _last_line() -> str:
    frame = traceback.extract_tb(sys.exc_info()[2])[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"


def _work(state: State, cleaner: Cleaner | None, directory: str, terms: Terms) -> dict[str, Any]:
    os.umask(_UMASK)
    place = Place(f"{directory}/{STAGE}")
    REAL.mkdir(place.root, 0o755)
    refused = _lay(state, place)
    if refused is not None:
        return _told(Verdict(SKIPPED, refused), 0.0)
    if cleaner is None:
        return _told(Verdict(SKIPPED, None), 0.0)
    home = enclosure.Place("cleaner", place.cache, f"{directory}/{_HOME}", f"{directory}/{_HOME}")
    home.make()
    judge = Judge(place, state, directory)
    be_secret()
    with no_orphans(), CompanyAtWork(state, place) as company:
        try:
            ended = run_side_by_side(
                cleaner.command(place.cache),
                copies=state.copies,
                variables={**enclosure.variables(home, terms.variables), **cleaner.variables},
                directory=home.home if state.inside is None else f"{place.cache}/{state.inside}",
                limits=state.limits,
                timeout_seconds=terms.timeout_seconds,
            )
        except OSError as error:
            return _told(Verdict(FAILED, f"it cannot be started: {error.strerror}"), 0.0)
    verdict = judge.judge(ended, terms.timeout_seconds)
    if company.was_ended and verdict.verdict not in (HARMED, TIMEOUT):
        verdict = Verdict(FAILED, "it ended the process that kept it company")
    return _told(verdict, max(one.seconds for one in ended))


def _told(verdict: Verdict, seconds: float) -> dict[str, Any]:
    return {"verdict": verdict.verdict, "error": verdict.error, "harm": verdict.harm, "seconds": seconds}


def _lay(state: State, place: Place) -> str | None:
    """Lay the state; why this machine cannot, if it cannot."""
    recipe = state.recipe()
    needs = recipe.needs
    try:
        if MOUNTS in needs:
            enter_mount_namespace()
        recipe.lay(place)
    except OSError as error:
        # A limit on namespaces is told as one on room.
        refused = error.errno in _REFUSALS or (MOUNTS in needs and error.errno == errno.ENOSPC)
        if not needs or not refused:
            raise
        wanted = "; ".join(NEEDS[need] for need in sorted(needs))
        return f"it takes {wanted}; this machine says: {error.strerror}"
    return None
