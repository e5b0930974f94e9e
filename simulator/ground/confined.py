"""Runs happen in a process that permission bits stop: as root, in a child that gave its privileges up.

Guarantees: after `confine` has returned None, this process holds no capability to pass over permission bits, and
whatever it executes gains none, whoever started it: its bounding set is empty or, where it may not empty that, it has
no_new_privs set, which takes no privilege. After `require_permission_bits` it is proved where the run will happen. The
child dies with its parent (it gets SIGTERM, so that it can clean up), and gets the signals that the parent gets. The
parent comes back with the child's exit status and has nothing else to do.
Not guaranteed: that the child cleans up after SIGKILL; the next run sweeps what it left.
Costs: one fork, as root only. With no_new_privs, set-user-ID programs do not work below us: no run needs one.
Sources: fork(2), prctl(2) (PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS), capabilities(7).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING

from cache_core.errors import PrivilegeError
from cache_core.privileges import (
    drop_all_capabilities,
    drop_override_capabilities,
    empty_bounding_set,
    holds_override_capabilities,
    permission_bits_stop_us,
)
from simulator.errors import MachineError

if TYPE_CHECKING:
    from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def confine() -> int | None:
    """Go on as a process that permission bits stop.

    Call it while the process has one thread and owns nothing that needs cleaning up: it returns twice if it forks.

    Returns:
        None in the process that goes on; in a parent, once its child has ended, the child's exit status (128 and the
        signal's number if a signal ended it).

    Raises:
        PrivilegeError: The process cannot be put under the permission bits.
    """
    if not holds_override_capabilities():
        # Nor may a program that we start: run by uid 0, it would get what is in our bounding set.
        _gain_nothing()
        return None
    # What is still buffered would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    # No signal may arrive before it is clear which process it is for.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    child = os.fork()
    if child:
        _forward_signals(child)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _exit_status(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    give_up_privileges()
    _die_with(parent)
    return None


def give_up_privileges() -> None:
    """Put this process, and whatever it executes, under the permission bits, for good.

    Raises:
        PrivilegeError: It has threads, or the system refuses.
    """
    drop_override_capabilities()
    _gain_nothing()


def hold_nothing() -> None:
    """Leave this process, and whatever it executes, no capability at all and no way to gain one, for good.

    Not even by a program with the set-user-ID bit. For a child that becomes somebody else's program.

    Raises:
        PrivilegeError: The system refuses.
    """
    _gain_nothing()
    drop_all_capabilities()
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise PrivilegeError("no_new_privs", "cannot be set", "run on Linux 3.5 or later")


def die_with_parent(number: signal.Signals) -> None:
    """Ask the system to send this process a signal when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def be_secret() -> None:
    """Keep other processes of the same user out of /proc/PID of this one: its descriptors above all."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def permission_bits_stop_children(directory: str) -> bool:
    """Prove in `directory` that permission bits stop a child that gives its privileges up; ours are kept.

    For a process with one thread. Costs a fork.
    """
    child = os.fork()
    if child == 0:
        works = False
        try:
            give_up_privileges()
            works = permission_bits_stop_us(directory)
        except PrivilegeError:
            works = False
        finally:
            # Nothing of the parent's (buffers, exit handlers) may happen twice.
            os._exit(0 if works else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def require_permission_bits(directory: str, *, children: bool = False) -> None:
    """Prove that permission bits stop this process in `directory`, or only its children, once they are confined.

    Raises:
        MachineError: They do not.
        PrivilegeError: The proof cannot be made there.
    """
    stops = permission_bits_stop_children(directory) if children else permission_bits_stop_us(directory)
    if not stops:
        raise MachineError(
            "privileges",
            directory,
            f"permission bits do not stop this process in '{directory}', so the race would not exist: run it as an"
            " ordinary user, or choose a file system that has modes with --sandbox",
        )


def _forward_signals(child: int) -> None:
    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        os.kill(child, number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)


def _exit_status(child: int) -> int:
    # Not reaped yet: until it is, a signal that is forwarded to its number hits nobody else.
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _gain_nothing() -> None:
    try:
        empty_bounding_set()
    except PrivilegeError:
        # It takes CAP_SETPCAP. Without it: an exec then grants nothing that the process has not already.
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise


def _die_with(parent: int) -> None:
    # A request that the system refuses costs only this: the child outlives a parent that is killed.
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
