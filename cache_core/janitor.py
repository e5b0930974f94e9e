"""The janitor: a process that can do one thing, remove one empty directory by its name.

A process behind a fence around a directory can remove all that is in it, but not the directory, whose name is in its
parent, outside. So before it goes behind the fence it forks this one, which stays outside.

Guarantees: the janitor makes no call that changes a file system but `rmdir` of the one name, in the one directory, that
it was started with, as often as it is told. It holds the directory and two pipes and no other descriptor, so it keeps
no lock, and no reader of our output waiting. It is deaf to every signal that can be blocked, so that a Ctrl-C meant for
us is ours to handle. It ends with the process that started it, killed or not, and `close` reaps it.

Not guaranteed: that it outlives somebody who kills it; `remove` then says ESRCH. For the process that started it only:
what that forks later inherits the pipes and must leave them alone.
Cost: some 2 to 4 ms to fork it and to see it ready, 1 ms to reap it, and the memory of a process that touches nothing.
Sources: prctl(2) (PR_SET_PDEATHSIG), close_range(2), pipe(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from cache_core.kernel import REAL, let_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_PR_SET_PDEATHSIG = 1
# Linux 5.9; the same number on every architecture but alpha. Older kernels have no Landlock to need a janitor for.
_SYS_CLOSE_RANGE = 436
_DESCRIPTOR_MAX = 0xFFFF_FFFF

_REMOVE: Final = b"r"
_END: Final = b"e"
# An answer is an errno, 0 for none. One byte is too few: some file systems let numbers of the kernel's own out (524).
_ANSWER_BYTES = 2

_libc = ctypes.CDLL(None, use_errno=True)
_syscall: Callable[..., int] = _libc.syscall
_libc.syscall.restype = ctypes.c_long
_prctl: Callable[..., int] = _libc.prctl


class Janitor:
    """A running janitor, as `start_janitor` gives it.

    Attributes:
        pid: Its process.
    """

    __slots__ = ("_answers", "_name", "_orders", "pid")

    def __init__(self, pid: int, orders: int, answers: int, name: str) -> None:
        self.pid = pid
        self._orders = orders
        self._answers = answers
        self._name = name

    def remove(self) -> None:
        """Have the directory removed.

        An exception that a signal handler raises meanwhile leaves the answer unread: only `close` is possible then.

        Raises:
            OSError: As rmdir(2): ENOTEMPTY, ENOENT, EACCES and more; ESRCH when there is no janitor any more.
        """
        self._wake()
        try:
            REAL.write(self._orders, _REMOVE)
        except BrokenPipeError:
            raise _gone(self._name) from None
        self.await_answer()

    def _wake(self) -> None:
        """Somebody may have stopped it; it would hold us up, and nobody would know what we wait for."""
        try:
            os.kill(self.pid, signal.SIGCONT)
        except OSError:
            # It has ended: what is asked of it next says so.
            return

    def await_answer(self) -> None:
        """Wait for its next answer; raises as `remove`."""
        answer = REAL.read(self._answers, _ANSWER_BYTES)
        if len(answer) != _ANSWER_BYTES:
            raise _gone(self._name)
        number = int.from_bytes(answer)
        if number:
            raise OSError(number, os.strerror(number), self._name)

    def close(self) -> None:
        """End and reap it."""
        self._wake()
        # It is told, for the end of the pipe alone would be no sign while workers of ours have inherited it.
        try:
            REAL.write(self._orders, _END)
        except BrokenPipeError:
            # Somebody killed it. It is still to be reaped.
            pass
        finally:
            let_go(REAL, self._orders)
            let_go(REAL, self._answers)
            _reap(self.pid)


def start_janitor(parent_fd: int, name: str) -> Janitor:
    """Fork a janitor that can remove the directory `name` in `parent_fd`.

    Call it in a process with one thread. When it returns, the janitor holds nothing but what it needs.

    Raises:
        OSError: EAGAIN, ENOMEM (no process to be had), EMFILE, or another reason why there is none.
    """
    orders_end, orders = os.pipe()
    try:
        answers, answers_end = os.pipe()
    except OSError:
        let_go(REAL, orders_end)
        let_go(REAL, orders)
        raise
    pid = 0
    ready = False
    try:
        try:
            pid = _fork(lambda parent: _serve(parent, orders_end, answers_end, parent_fd, name))
        finally:
            # With our copies open, its end would never show.
            let_go(REAL, orders_end)
            let_go(REAL, answers_end)
        janitor = Janitor(pid, orders, answers, name)
        janitor.await_answer()
        ready = True
    finally:
        if not ready:
            let_go(REAL, orders)
            let_go(REAL, answers)
            if pid:
                _reap(pid)
    return janitor


def _fork(work: Callable[[int], None]) -> int:
    """Fork a process that does `work`, deaf to signals, and ends. Returns its number."""
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Before the fork, so that there is no moment at which a signal could end the child, or run our handlers in it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        child = os.fork()
        if child == 0:
            try:
                work(parent)
            finally:
                # Nothing of the parent's (buffers, exit handlers, its own `finally`) may happen twice.
                os._exit(0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _serve(parent: int, orders: int, answers: int, parent_fd: int, name: str) -> None:
    """What the janitor does, until it is told to end or nobody is left to tell it."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        # It ended before we asked to be told.
        return
    _close_all_but(sorted({orders, answers, parent_fd}))
    number = 0
    while True:
        REAL.write(answers, number.to_bytes(_ANSWER_BYTES))
        if REAL.read(orders, 1) != _REMOVE:
            return
        try:
            REAL.rmdir(name, dir_fd=parent_fd)
            number = 0
        except OSError as error:
            number = error.errno or errno.EIO


def _close_all_but(kept: list[int]) -> None:
    """Close every descriptor but those in the sorted list `kept`."""
    first = 0
    for last in (*(fd - 1 for fd in kept), _DESCRIPTOR_MAX):
        if first <= last and _syscall(_SYS_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        first = last + 2


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        # Reaped already: by whoever waits for any child, or by the system, where SIGCHLD is ignored.
        return


def _gone(name: str) -> OSError:
    return OSError(errno.ESRCH, "the process that was to remove it has ended", name)
