"""The watchdog: an actor that computes for ever without a call, or waits in one, is named with its stack, and ended.

Only one actor runs at a time, so one that never comes to the gate again stops everybody, and no strategy and no bound
of steps can notice: nothing is asked any more. A timer of the process can (setitimer(2), SIGALRM): a few times in the
allowed time its handler looks whether a step was made since. It knows who runs from the stack that it interrupts, so
the hot path knows nothing of it. It raises `ActorKilled` there, as if the actor had been killed, and the run ends.

Guarantees: a run in which a step is made at least so often, or whose host waits for something else (real time, a
process), is never stopped; a process that was stopped itself (SIGSTOP, a suspended machine) has its time again. Costs:
five calls a run, 9 us, and a look of some us every few seconds.

Not noticed: a system call that hangs, unless it was asked for (`ends_calls`); a strategy that thinks; one long
computation in C, until it ends; anything outside the main thread, or where SIGALRM is somebody else's (another handler,
another timer): these two do not get a watchdog at all. Not ended: an actor that catches BaseException in an endless
loop.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from typing import TYPE_CHECKING

from cache_core import kernel
from simulator import bridged, engine
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
_CALLS = (_ENGINE, os.path.dirname(bridged.__file__))
_KERNEL = kernel.__file__


class Watchdog:
    """Watches one run. Use as a context manager, around the host's.

    Args:
        gate: of the run.
        seconds: how long an actor may compute without a step; 0 for as long as it likes.
        ends_calls: whether a system call that does not return is ended as well. Others that the signal interrupts go
            on, but for those that are made through ctypes.

    Attributes:
        stuck: the name of the actor that was ended.
        in_call: whether it was in a call of the kernel, or in one by a name that stands for another.
        stack: where it was then, the innermost frame last, formatted as in a traceback.
        where: the innermost frames in a few words, the innermost first.
    """

    def __init__(self, gate: Gate, seconds: float, *, ends_calls: bool = False) -> None:
        self.seconds = seconds
        self.stuck: str | None = None
        self.in_call = False
        self.stack: tuple[str, ...] = ()
        self.where = ""
        self._gate = gate
        self._ends_calls = ends_calls
        self._party: Party | None = None
        self._made = -1
        self._looks = 0
        self._armed = False

    def __enter__(self) -> Self:
        if self.seconds and threading.current_thread() is threading.main_thread() and _is_free():
            signal.signal(signal.SIGALRM, self._look)
            # Python goes on with a system call that was interrupted, once the handler had its look.
            signal.siginterrupt(signal.SIGALRM, self._ends_calls)
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
        party, frames, in_call = _who_computes(frame)
        made = len(self._gate.steps)
        if party is None or party is not self._party or made != self._made:
            self._party, self._made, self._looks = party, made, 0
            return
        self._looks += 1
        if self._looks < _LOOKS:
            return
        if self.stuck is None:
            self.stuck, self.in_call = party.actor.name, in_call
            self.stack = tuple(traceback.format_list(traceback.StackSummary.extract((f, f.f_lineno) for f in frames)))
            self.where = ", called at ".join(map(_shown, list(reversed(frames))[:_FRAMES_SHOWN]))
        party.actor.die()
        self._gate.halt(STUCK)
        raise ActorKilled(party.actor.name)


def _is_free() -> bool:
    return signal.getsignal(signal.SIGALRM) == signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def _who_computes(frame: FrameType | None) -> tuple[Party | None, list[FrameType], bool]:
    """Whose code was interrupted, its frames, the innermost last, and whether it was in a call.

    Nobody's if something of ours that the kernel asked was at it: a strategy.
    """
    frames: list[FrameType] = []
    in_call = frame is not None and _is_call(frame)
    while frame is not None:
        if frame.f_code in _BODIES:
            party = frame.f_locals["self"]
            return (party if frames else None), frames[::-1], in_call
        if not _is_call(frame):
            frames.append(frame)
        elif frames and os.path.dirname(frame.f_code.co_filename) == _ENGINE:
            return None, [], False
        frame = frame.f_back
    return None, [], False


def _is_call(frame: FrameType) -> bool:
    """Whether it is of what makes calls for an actor."""
    return frame.f_code.co_filename == _KERNEL or os.path.dirname(frame.f_code.co_filename) in _CALLS


def _shown(frame: FrameType) -> str:
    directory, name = os.path.split(frame.f_code.co_filename)
    return f"{os.path.basename(directory)}/{name}:{frame.f_lineno} in {frame.f_code.co_name}"
