"""A cleaner as a process: without privileges, in a session of its own, with an end to its time and to its output.

Guarantees: a program that this module starts holds no capability and gains none; has no terminal (its input is empty,
its session new); is killed with its group when its time is up, and its group is killed when it has ended. What it
prints is read to the end, so that it is never stopped by a full pipe, and of very much the first and the last part is
kept. Not guaranteed: anything about a child that left the session; whoever calls ends orphans (`groups.no_orphans`).
Costs: a fork and an exec each. Sources: setsid(2), pidfd_open(2), setrlimit(2).
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.ground.confined import die_with_parent, hold_nothing
from simulator.tools.groups import GRACE_SECONDS, UMASK, signal_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Of what a program prints: enough to find a thousand paths in it.
HEAD_BYTES_MAX = 1 << 20
_TAIL_BYTES_MAX = 1 << 16
_READ_BYTES = 1 << 16
# What is in the pipe when a program has ended, or is still written to it by a child that left its group.
_REST_BYTES_MAX = 1 << 24

_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
# What select takes is bounded, and who looks now and then needs no more.
_WAIT_SECONDS_MAX = 3600.0
_LIMITS = {"nofile": resource.RLIMIT_NOFILE, "fsize": resource.RLIMIT_FSIZE}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a cleaner ended.

    Attributes:
        code: its exit code; minus the signal's number if a signal ended it.
        timed_out: whether its time was up.
        output: what it printed, errors included; of very much, the first and the last part.
        printed: how many bytes it printed.
        seconds: how long it ran.
    """

    code: int
    timed_out: bool
    output: bytes
    printed: int
    seconds: float


@dataclass(slots=True)
class _Output:
    """What a program printed, as far as it is kept."""

    head: bytearray = field(default_factory=bytearray)
    tail: deque[bytes] = field(default_factory=deque)
    printed: int = 0

    def take(self, data: bytes) -> None:
        self.printed += len(data)
        room = HEAD_BYTES_MAX - len(self.head)
        self.head += data[:room]
        if len(data) > room:
            self.tail.append(data[room:])
            while len(self.tail) > 1 and sum(map(len, self.tail)) - len(self.tail[0]) >= _TAIL_BYTES_MAX:
                self.tail.popleft()

    def kept(self) -> bytes:
        return bytes(self.head) + b"".join(self.tail)


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    started: float
    output: _Output = field(default_factory=_Output)
    timed_out: bool = False
    ended: float | None = None


def run_side_by_side(
    command: Sequence[str],
    *,
    copies: int,
    variables: Mapping[str, str],
    directory: str,
    limits: Mapping[str, int],
    timeout_seconds: float,
) -> list[Ended]:
    """Run a program to its end, or several of the same beside each other.

    Args:
        command: the program's path and its arguments.
        copies: how many are started at once.
        variables: all of their environment variables.
        directory: their working directory.
        limits: what they may use at most, by name: `nofile`, `fsize`.
        timeout_seconds: after which a group is asked to end, and killed a little later.

    Raises:
        OSError: it cannot be started.
    """

    def become() -> None:
        for name, most in limits.items():
            _, hard = resource.getrlimit(_LIMITS[name])
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(_LIMITS[name], (least, least))
        # A new program begins with signals as they are; whoever started us may have some ignored.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent(signal.SIGKILL)
        hold_nothing()

    running: list[_Running] = []
    try:
        for _ in range(copies):
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(variables),
                cwd=directory,
                umask=UMASK,
                start_new_session=True,
                preexec_fn=become,  # noqa: PLW1509 - the one who calls has one thread
                bufsize=0,
            )
            running.append(_Running(process, time.monotonic()))
        _watch(running, timeout_seconds)
    finally:
        for one in running:
            signal_group(one.process.pid, signal.SIGKILL)
            one.process.wait()
            if one.process.stdout is not None:
                one.process.stdout.close()
    return [
        Ended(
            one.process.returncode,
            one.timed_out,
            one.output.kept(),
            one.output.printed,
            (one.ended or time.monotonic()) - one.started,
        )
        for one in running
    ]


def _watch(running: list[_Running], timeout_seconds: float) -> None:
    """Until all have ended: read what they print, and end those whose time is up."""
    with selectors.DefaultSelector() as selector:
        pidfds = []
        try:
            for one in running:
                pidfd = os.pidfd_open(one.process.pid)
                pidfds.append(pidfd)
                selector.register(pidfd, selectors.EVENT_READ, (one, True))
                assert one.process.stdout is not None  # noqa: S101
                os.set_blocking(one.process.stdout.fileno(), False)
                selector.register(one.process.stdout, selectors.EVENT_READ, (one, False))
            while any(one.ended is None for one in running):
                for key, _ in selector.select(_wait_seconds(running, timeout_seconds)):
                    one, has_ended = key.data
                    if has_ended:
                        _end(one)
                        selector.unregister(key.fileobj)
                    elif not _read(one):
                        selector.unregister(key.fileobj)
                _end_late(running, timeout_seconds)
        finally:
            for pidfd in pidfds:
                os.close(pidfd)


def _wait_seconds(running: list[_Running], timeout_seconds: float) -> float:
    now = time.monotonic()
    waits = [
        one.started + timeout_seconds + (GRACE_SECONDS if one.timed_out else 0.0) - now
        for one in running
        if one.ended is None
    ]
    return max(0.0, min([*waits, _WAIT_SECONDS_MAX]))


def _end_late(running: list[_Running], timeout_seconds: float) -> None:
    now = time.monotonic()
    for one in running:
        if one.ended is None and now >= one.started + timeout_seconds:
            if not one.timed_out:
                one.timed_out = True
                signal_group(one.process.pid, signal.SIGTERM)
            elif now >= one.started + timeout_seconds + GRACE_SECONDS:
                signal_group(one.process.pid, signal.SIGKILL)


def _end(one: _Running) -> None:
    """It has ended: whatever it left of its group ends too, and what it printed last is read."""
    one.ended = time.monotonic()
    signal_group(one.process.pid, signal.SIGKILL)
    one.process.wait()
    most = one.output.printed + _REST_BYTES_MAX
    while one.output.printed < most and _read(one):
        # Until it would block, or nobody can write to it any more.
        continue


def _read(one: _Running) -> bool:
    """Read once; whether there may be more."""
    stream = one.process.stdout
    assert stream is not None  # noqa: S101
    try:
        data = os.read(stream.fileno(), _READ_BYTES)
    except BlockingIOError:
        return one.ended is None
    one.output.take(data)
    return bool(data)
