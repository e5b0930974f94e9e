"""Where output goes: documents and reports to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTES_PER_UNIT = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def print_document(document: Mapping[str, object]) -> None:
    """One JSON document on one line, at once."""
    print(json.dumps(document), flush=True)


def note(text: str) -> None:
    """A line for the person at the terminal."""
    print(f"cachestorm: {text}", file=sys.stderr, flush=True)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """``1 file``, ``1,234 files``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def files_and_directories(files: int, directories: int) -> str:
    """``127 files and 37 directories``."""
    return f"{counted(files, 'file')} and {counted(directories, 'directory', 'directories')}"


def size(number: int) -> str:
    """A number of bytes with a unit."""
    value, unit = float(number), _UNITS[0]
    for name in _UNITS[1:]:
        if value < _BYTES_PER_UNIT:
            break
        value, unit = value / _BYTES_PER_UNIT, name
    return f"{value:,.0f} {unit}" if unit == _UNITS[0] else f"{value:,.1f} {unit}"
