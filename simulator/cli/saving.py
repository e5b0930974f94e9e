"""`--save FILE`: schedules in a file that `replay` takes, however long they are; a line of JSON each.

A line has `schema` (``cachestorm/schedule/1``), `scenario`, `signature` (of the outcome, or of the violation that the
run shows) and `token`. Costs: nothing.
"""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "cachestorm/schedule/1"


def open_save(path: str | None) -> IO[str] | None:
    """Open a file for schedules; None for none. To be called while we may still do all that the user may.

    Raises:
        BadInputError: It cannot be.
    """
    from simulator.errors import BadInputError  # noqa: PLC0415

    try:
        return None if path is None else open(path, "w", encoding="utf-8")
    except OSError as error:
        raise BadInputError("bad-save", path or "", f"--save '{path}' cannot be written: {error.strerror}") from error


def save_schedules(file: IO[str] | None, scenario: str, runs: Iterable[tuple[str, str]]) -> None:
    """Write schedules, and close the file; nothing if there is none.

    Args:
        file: where to.
        scenario: its name.
        runs: signature and token of each.

    Raises:
        MachineError: The disk is full, or the like.
    """
    from simulator.errors import MachineError  # noqa: PLC0415

    if file is None:
        return
    try:
        with file:
            for signature, token in runs:
                line = {"schema": SCHEMA, "scenario": scenario, "signature": signature, "token": token}
                file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise MachineError("save", file.name, f"--save '{file.name}' was not written: {error.strerror}") from error
