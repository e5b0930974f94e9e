"""How long: ``20ms``, ``1.5s``, ``2m``, ``1h``; seconds when there is no unit.

Imports nothing: `clean` starts with it.
"""

from __future__ import annotations

# Longest first: "ms" ends in "s".
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def seconds_of(text: str) -> float | None:
    """The seconds that a duration has; None when it is none."""
    for unit, seconds in _SECONDS.items():
        if text.endswith(unit):
            number = text.removesuffix(unit)
            whole, point, part = number.partition(".")
            return float(number) * seconds if _is_digits(whole) and (_is_digits(part) or not point) else None
    return None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
