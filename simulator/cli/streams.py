"""The three standard streams, whatever the program was started with.

Guarantees: after `settle` there are three streams, and no file that the program opens gets the number of one that was
closed (`>&-`): what nobody wants goes nowhere. What standard error cannot take is lost, and changes neither what the
program does nor its exit code; only a reader that went away ends it, as any program in a pipe. Who has written there
what was asked for can ask what was lost.
Not guaranteed: standard output. What was asked for and cannot be written is a failure.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

_STDERR = 2


def settle() -> None:
    """Make the streams usable. For the program's own process, before it opens anything."""
    for fd in range(_STDERR + 1):
        try:
            os.fstat(fd)
        except OSError:
            # EBADF: closed. The lowest free number is this one, for those below are in use.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    told = io.BufferedWriter(_Lossy(_STDERR, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(told, encoding=sys.stderr.encoding if sys.stderr else "utf-8", line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def lost(stream: TextIO) -> OSError | None:
    """Why a stream that is content with what it cannot write could not; None when it could, or is another stream."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, _Lossy) else None


def _nowhere(mode: str) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # type: ignore[return-value]


class _Lossy(io.FileIO):
    """A file that is content with what it cannot write; that its reader went away it says once."""

    failure: OSError | None = None
    _told = False

    def write(self, data: ReadableBuffer) -> int:
        """All of it, or nothing."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = self.failure or error
            if isinstance(error, BrokenPipeError) and not self._told:
                self._told = True
                raise
            return memoryview(data).nbytes
