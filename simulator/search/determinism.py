"""Is a run the same when it is made again? Where two runs of one schedule part, something is not up to the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import RawStep


def first_difference(once: Sequence[RawStep], again: Sequence[RawStep]) -> tuple[str, str] | None:
    """The first step that differs: whose it is, and what it was both times; None when there is none.

    Args:
        once: the steps of a run.
        again: of another one.
    """
    for number, (was, now) in enumerate(zip(once, again, strict=False), 1):
        if was != now:
            return was[0], f"step {number} was '{told(was)}', and is '{told(now)}' the second time"
    if len(once) == len(again):
        return None
    longer, which = (once, "first") if len(once) > len(again) else (again, "second")
    number = min(len(once), len(again))
    return longer[number][0], f"step {number + 1}, '{told(longer[number])}', is made only the {which} time"


def told(step: RawStep) -> str:
    """A step in a few words: ``store-1: rename x to y -> ENOENT``."""
    actor, _, operation, path, target, _, number, detail, _ = step
    to = "" if target is None else f" {target}" if operation == "flock" else f" to {target}"
    result = errno_name(number) or ("" if detail is None else _short(detail))
    return f"{actor}: {operation} {path}{to}" + (f" -> {result}" if result else "")


def _short(detail: object) -> str:
    if isinstance(detail, tuple):
        return ", ".join(map(str, detail)) or "empty"
    return str(detail)
