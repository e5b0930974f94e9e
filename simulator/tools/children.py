"""Real processes: one command in a group of its own, with an end to it.

Guarantees: when `run_child` returns or raises (cancelled, timed out, interrupted), no process of the command's group
is alive. Not guaranteed: a program that starts a session of its own is not in the group any more.
Costs: one fork and exec; what the command prints is held in memory.
Sources: setsid(2), kill(2).
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    Attributes:
        code: its exit code; minus the signal's number if a signal ended it; None when it was out of time.
        stdout, stderr: what it printed; bytes that are no UTF-8 are escaped.
    """

    code: int | None
    stdout: str
    stderr: str


async def run_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: str,
    keep_open: Sequence[int] = (),
    timeout_seconds: float = math.inf,
) -> Finished:
    """Run a command to its end; its input is empty.

    Args:
        command: the program's path and its arguments.
        environment: all of its environment variables.
        directory: its working directory.
        keep_open: descriptors that it gets, under their numbers.
        timeout_seconds: after which its whole group is killed.

    Raises:
        OSError: it cannot be started.
    """
    process = await trio.lowlevel.open_process(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=directory,
        pass_fds=tuple(keep_open),
        start_new_session=True,
    )
    printed: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    code: int | None = None
    try:
        with trio.move_on_after(timeout_seconds):
            async with trio.open_nursery() as nursery:
                for stream, taken in zip((process.stdout, process.stderr), printed, strict=True):
                    nursery.start_soon(_read, stream, taken)
                await process.wait()
            # After the streams have ended: what outlives the command and prints is a part of it.
            code = process.returncode
    finally:
        _kill_group(process.pid)
        with trio.CancelScope(shield=True):
            await process.wait()
    out, errors = (taken.decode(errors="backslashreplace") for taken in printed)
    return Finished(code, out, errors)


async def _read(stream: trio.abc.ReceiveStream | None, taken: bytearray) -> None:
    if stream is None:
        return
    async with stream:
        async for data in stream:
            taken += data


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        # All of it has ended.
        return
