"""The log of ``strace -f -y``, as far as that is alike for all calls: whole calls, taken apart.

Guarantee: a call that another thread's interrupted is one call, at the place where it began; a line that does not look
like a call is an error, not passed over. Cost: linear; holds what is unfinished. Source: strace(1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)", re.DOTALL)
_CALL = re.compile(
    r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|0x[0-9a-f]+|\?)(?:<.*>(?:\(deleted\))?)?"
    r"(?: (?P<errno>E[A-Z0-9]+) \(.*\))?(?: \(.*\))?",
    re.DOTALL,
)


class LogLine(NamedTuple):
    """One call, taken apart as far as that is alike for all calls."""

    name: str
    arguments: str
    result: int
    errno: str | None
    text: str


class LogError(Exception):
    """A line of a log is not as strace writes it; the message is the line."""


def whole_calls(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Process id and call, one for each call, those that were interrupted by another's in one piece, where they began.

    Raises:
        LogError: a line is not as strace writes it.
    """
    begun: dict[str, list[str]] = {}
    waiting: list[tuple[str, list[str]]] = []
    for line in lines:
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            raise LogError(line)
        pid, text = found.group("pid", "rest")
        if text.startswith(("+++", "---")):
            continue
        resumed = _RESUMED.fullmatch(text)
        if resumed and pid in begun:
            begun.pop(pid).append(resumed["rest"])
        elif text.endswith(_UNFINISHED):
            begun[pid] = [text.removesuffix(_UNFINISHED)]
            waiting.append((pid, begun[pid]))
        else:
            waiting.append((pid, [text]))
        if not begun:
            yield from _joined(waiting)
            waiting.clear()
    yield from _joined(waiting)


def _joined(waiting: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[int, str]]:
    return ((int(pid), "".join(pieces)) for pid, pieces in waiting)


def log_line(text: str) -> LogLine:
    """Take a call apart.

    Raises:
        LogError: it does not look like one.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise LogError(text)
    result = match["result"]
    return LogLine(match["name"], match["arguments"], -1 if result == "?" else int(result, 0), match["errno"], text)
