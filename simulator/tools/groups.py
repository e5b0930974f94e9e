"""Real builds as process groups: each a group of its own, its output in a file, with an end to it.

All are in the session that we are in, as the jobs of a shell loop are: a kernel with autogroups gives each session a
share of the processors of its own, and builds that share none of them meet otherwise (sched(7)).

Guarantees: when `run_group` returns or raises (cancelled, timed out), no process of the group is alive. When the block
`no_orphans` is left, nothing that was started in it is alive, whatever session it went to: as a child subreaper this
process gets every orphan, kills and reaps it.
Not guaranteed: anything if this process itself is killed by SIGKILL; its builds then run to their ends, in a sandbox
that the next run sweeps away.
Costs: one fork and exec each; a scan of /proc at the end of the block.
Sources: setpgid(2), kill(2), prctl(2) (PR_SET_CHILD_SUBREAPER), proc(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from simulator.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_libc = ctypes.CDLL(None, use_errno=True)

UMASK = 0o022
# What a build gets to end by itself when its time is up: it may want to remove its temporary files.
GRACE_SECONDS = 2.0
# Each look finds the children of what the last one killed: a chain of daemons that long is no build.
_LOOKS_MAX = 1000
_LOOK_SECONDS = 0.005
# proc(5), of /proc/PID/stat after the name: state, parent, process group.
_STATE, _PARENT, _GROUP, _USER_TICKS, _SYSTEM_TICKS = 0, 1, 2, 11, 12


@dataclass(slots=True)
class Group:
    """A build's processes.

    Attributes:
        leader: process id of the first one, and so the number of the group; 0 before it is started.
        code: its exit code, minus the signal's number if a signal ended it; None while it runs.
        timed_out: whether its time was up.
        seconds: how long it ran.
        stopped: whether it stands still (SIGSTOP).
    """

    leader: int = 0
    code: int | None = None
    timed_out: bool = False
    seconds: float = 0.0
    stopped: bool = False
    _scope: trio.CancelScope | None = field(default=None, repr=False)
    _timeout_seconds: float = math.inf

    @property
    def runs(self) -> bool:
        """Whether its first process is alive."""
        return self.leader != 0 and self.code is None

    def kill(self) -> None:
        """All of it, at once."""
        signal_group(self.leader, signal.SIGKILL)

    def stop(self) -> None:
        """Make it stand still; its time does not run meanwhile."""
        self.stopped = True
        if self._scope is not None:
            self._scope.deadline = math.inf
        signal_group(self.leader, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again, with all its time."""
        self.stopped = False
        if self._scope is not None:
            self._scope.deadline = trio.current_time() + self._timeout_seconds
        signal_group(self.leader, signal.SIGCONT)


async def run_group(
    group: Group,
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    directory: str,
    output: str,
    timeout_seconds: float = math.inf,
) -> None:
    """Run a command to its end in a group of its own; its input is empty.

    Args:
        group: told how it goes.
        command: the program's path and its arguments.
        variables: all of its environment variables.
        directory: its working directory.
        output: path of a new file for what it prints, errors included.
        timeout_seconds: after which the group is asked to end (SIGTERM), and killed `GRACE_SECONDS` later.

    Raises:
        OSError: it cannot be started.
    """
    start = time.monotonic()
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        process = await trio.lowlevel.open_process(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=subprocess.STDOUT,
            env=dict(variables),
            cwd=directory,
            process_group=0,
            umask=UMASK,
        )
    finally:
        os.close(fd)
    group.leader = process.pid
    try:
        with trio.move_on_after(timeout_seconds) as scope:
            group._scope, group._timeout_seconds = scope, timeout_seconds  # noqa: SLF001 - the one who runs it
            await process.wait()
        if process.returncode is None:
            group.timed_out = True
            signal_group(process.pid, signal.SIGTERM)
            with trio.move_on_after(GRACE_SECONDS):
                await process.wait()
    finally:
        # Also after a good end: what a build leaves running is no part of its result.
        group.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await _reap_group(process.pid)
        group.code = process.returncode
        group.seconds = time.monotonic() - start


def read_output(path: str) -> str:
    """What a command printed; bytes that are no UTF-8 are escaped."""
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        return file.read()


def signal_group(leader: int, number: int) -> None:
    """Send a signal to all of a group, if any of it is there."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        # All of it has ended.
        return


async def _reap_group(leader: int) -> None:
    """Wait until nobody is left in a group that was killed."""
    for _ in range(_LOOKS_MAX):
        _reap(leader)
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        await trio.sleep(_LOOK_SECONDS)
    raise InternalError("unkillable", str(leader), f"process group {leader} is there after SIGKILL")


def _reap(leader: int) -> None:
    """Take the ends of those orphans of the group that became our children."""
    while True:
        try:
            found, _ = os.waitpid(-leader, os.WNOHANG)
        except ChildProcessError:
            return
        if found == 0:
            return


@contextlib.contextmanager
def no_orphans() -> Iterator[None]:
    """A block after which nothing that was started in it is alive.

    Nobody else may start processes in this one meanwhile: they would be taken for orphans.
    """
    before = _children()
    flag = ctypes.c_int(0)
    _libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(flag), 0, 0, 0)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        _end_orphans(before)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, flag.value, 0, 0, 0)


def _end_orphans(before: set[int]) -> None:
    for _ in range(_LOOKS_MAX):
        orphans = _children() - before
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and somebody reaped it
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # likewise
                os.waitpid(pid, 0)
    raise InternalError("unkillable", str(sorted(_children() - before)), "processes are there after SIGKILL")


def _children() -> set[int]:
    """Process ids of our children."""
    own = os.getpid()
    return {pid for pid, fields in _processes() if int(fields[_PARENT]) == own}


def members(leaders: Callable[[int], bool]) -> list[tuple[int, int, int]]:
    """Process id, group and processor time (in ticks) of every live process whose group `leaders` says yes to."""
    return [
        (pid, int(fields[_GROUP]), int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS]))
        for pid, fields in _processes()
        if fields[_STATE] != "Z" and leaders(int(fields[_GROUP]))
    ]


def _processes() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            # It ended while we looked.
            continue
        # The name of the program, in parentheses, may hold anything.
        yield int(name), text.rpartition(")")[2].split()
