"""`--save FILE`: schedules in a file that `replay` takes, however long they are; a line of JSON each.

A line has `schema` (``cachestorm/schedule/1``), `scenario`, `signature` (of the outcome, or of the violation that the
run shows) and `token`. What is in the file already is there until something else can be written. Costs: nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

SCHEMA = "cachestorm/schedule/1"


class SaveFile:
    """A file for schedules, open for writing and as it was.

    Args:
        path: of it.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._is_new = not os.path.lexists(path)
        self._stream = open(path, "a", encoding="utf-8")  # noqa: SIM115 - open for as long as the runs take

    def write(self, text: str) -> None:
        """Let it hold this and nothing else.

        Raises:
            OSError: the disk is full, or the like.
        """
        self._is_new = False
        with self._stream as stream:
            if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                stream.truncate(0)
            stream.write(text)

    def leave(self) -> None:
        """Close it; one that was made for nothing goes."""
        from cache_core.kernel import REAL  # noqa: PLC0415

        self._stream.close()
        if self._is_new:
            with contextlib.suppress(OSError):
                REAL.unlink(self.path)


def open_save(path: str | None, cleanup: ExitStack) -> SaveFile | None:
    """Open a file for schedules; None for none. To be called while we may still do all that the user may.

    Args:
        path: of it.
        cleanup: closes it.

    Raises:
        BadInputError: It cannot be.
    """
    from simulator.errors import BadInputError  # noqa: PLC0415

    if path is None:
        return None
    try:
        file = SaveFile(path)
    except OSError as error:
        raise BadInputError("bad-save", path, f"--save '{path}' cannot be written: {error.strerror}") from error
    cleanup.callback(file.leave)
    return file


def save_schedules(file: SaveFile | None, scenario: str, runs: Sequence[tuple[str, str]]) -> None:
    """Write schedules; nothing if there is no file, or none of them.

    Args:
        file: where to.
        scenario: its name.
        runs: signature and token of each.

    Raises:
        MachineError: The disk is full, or the like.
    """
    from simulator.errors import MachineError  # noqa: PLC0415

    if file is None or not runs:
        return
    lines = [
        json.dumps({"schema": SCHEMA, "scenario": scenario, "signature": signature, "token": token})
        for signature, token in runs
    ]
    try:
        file.write("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise MachineError("save", file.path, f"--save '{file.path}' was not written: {error.strerror}") from error
