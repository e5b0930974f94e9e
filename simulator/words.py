"""Numbers with their words. Imports nothing: `clean` starts with it."""

from __future__ import annotations

_BYTES_PER_UNIT = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


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
