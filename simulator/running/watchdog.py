"""The watchdog: an actor that computes for ever without a call is named, with the top of its stack, and ended.

Only one actor runs at a time, so one that never comes to the gate again stops everybody, and no strategy and no bound
of steps can notice: nothing is asked any more. A timer of the process can (setitimer(2), SIGALRM): a few times in the
allowed time its handler looks whether a step was made since. It knows who runs from the stack that it interrupts, so
the hot path knows nothing of it. It raises `ActorKilled` there, as if the actor had been killed, and the run ends.

Guarantees: a run in which a step is made at least so often, or whose host waits for something else (real time, a
process), is never stopped; a process that was stopped itself (SIGSTOP, a suspended machine) has its time again. Costs:
five calls a run, 9 us, and a look of some us every few seconds.

Not noticed: what runs in a call (a system call that hangs, a strategy that thinks); one long computation in C, until it
ends; anything outside the main thread, or where SIGALRM is somebody else's (another handler, another timer): these two
do not get a watchdog at all. Not ended: an actor that catches BaseException in an endless loop.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from typing import TYPE_CHECKING

from simulator import engine
from simulator.errors import ActorKilled
from simulator.hosts.base import Party

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Self

    from simulator.engine.gate import Gate

# Ten thousand times what an actor needs between two steps where it unpacks the largest file.
SECONDS = 10.0

# So often it looks in the allowed time. One look would take a process that was stopped for a stuck one.
_LOOKS = 4
# Of the stack of the actor, in the one line that is shown.
_FRAMES_SHOWN = 3
# A reason for a gate to stop.
STUCK = "stuck"

_BODIES = (Party.run_sync.__code__, Party.run_async.__code__)
_ENGINE = os.path.dirname(engine.__file__)


class Watchdog:
    """Watches one run. Use as a context manager, around the host's.

    Args:
        gate: of the run.
        seconds: how long an actor may compute without a step; 0 for as long as it likes.

    Attributes:
        stuck: the name of the actor that was ended.
        stack: where it was then, the innermost frame last, formatted as in a traceback.
        where: the innermost frames in a few words, the innermost first.
    """

    def __init__(self, gate: Gate, seconds: float) -> None:
        self.seconds = seconds
        self.stuck: str | None = None
        self.stack: tuple[str, ...] = ()
        self.where = ""
        self._gate = gate
        self._party: Party | None = None
        self._made = -1
        self._looks = 0
        self._armed = False

    def __enter__(self) -> Self:
        if self.seconds and threading.current_thread() is threading.main_thread() and _is_free():
            signal.signal(signal.SIGALRM, self._look)
            # System calls that it interrupts go on; those through ctypes would not by themselves.
            signal.siginterrupt(signal.SIGALRM, False)
            signal.setitimer(signal.ITIMER_REAL, self.seconds / _LOOKS, self.seconds / _LOOKS)
            self._armed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _look(self, number: int, frame: FrameType | None) -> None:
        del number
        party, frames = _who_computes(frame)
        made = len(self._gate.steps)
        if party is None or party is not self._party or made != self._made:
            self._party, self._made, self._looks = party, made, 0
            return
        self._looks += 1
        if self._looks < _LOOKS:
            return
        if self.stuck is None:
            self.stuck = party.actor.name
            self.stack = tuple(traceback.format_list(traceback.StackSummary.extract((f, f.f_lineno) for f in frames)))
            self.where = ", called at ".join(map(_shown, list(reversed(frames))[:_FRAMES_SHOWN]))
        party.actor.die()
        self._gate.halt(STUCK)
        raise ActorKilled(party.actor.name)


def _is_free() -> bool:
    return signal.getsignal(signal.SIGALRM) == signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def _who_computes(frame: FrameType | None) -> tuple[Party | None, list[FrameType]]:
    """Whose code was interrupted, and its frames, the innermost last; nobody's if it was ours, or was in a call."""
    frames: list[FrameType] = []
    while frame is not None:
        code = frame.f_code
        if code in _BODIES:
            party = frame.f_locals["self"]
            return (party if frames else None), frames[::-1]
        if os.path.dirname(code.co_filename) == _ENGINE:
            return None, []
        frames.append(frame)
        frame = frame.f_back
    return None, []


def _shown(frame: FrameType) -> str:
    directory, name = os.path.split(frame.f_code.co_filename)
    return f"{os.path.basename(directory)}/{name}:{frame.f_lineno} in {frame.f_code.co_name}"
