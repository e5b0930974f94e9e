"""Names that a caller gave: known, or refused with the nearest known one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Collection

# How alike two names must be for one to be offered in place of the other (ratio of difflib).
_LIKENESS_MIN = 0.4


def unknown_message(kind: str, value: str, known: Collection[str], listed: Collection[str] = ()) -> str:
    """One line: what is unknown, and the nearest known name, or all of them.

    Args:
        kind: what it should be the name of.
        value: what was given.
        known: the names.
        listed: what to list in place of all of them, where they are many.
    """
    near = difflib.get_close_matches(value, known, 1, _LIKENESS_MIN)
    return f"unknown {kind} '{value}'; " + (f"nearest: {near[0]}" if near else f"known: {', '.join(listed or known)}")


def known_name(kind: str, value: str, known: Collection[str]) -> str:
    """`value`, if it is known.

    Raises:
        BadInputError: it is not.
    """
    if value not in known:
        raise BadInputError(f"unknown-{kind}", value, unknown_message(kind, value, known))
    return value
