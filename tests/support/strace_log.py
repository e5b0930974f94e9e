"""Reads what strace wrote: the calls that concern a sandbox, in order, and in which part of the run each was made.

A call concerns the sandbox when its path or the path behind one of its descriptors (`-y`) lies there, or when it goes
by way of /proc/self/fd. Of all others nothing is known or kept, but for those that strace cannot take apart and those
that work on files without showing which: they are kept, so that they cannot pass unseen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from simulator.tools.strace_log import LogLine, log_line, whole_calls

# Paths that do not exist; a stat of one says where in the run we are.
MARKER = "/cachestorm-marker"

_MARK = re.compile(rf'\w*stat\w*\(.*"{MARKER}/(?:begin|end/(?P<round>\d+)/(?P<steps>\d+))"')

# Calls that strace has no name for, and rings, whose entries are calls that it does not see at all.
_OPAQUE = re.compile(r"(?:syscall_0x[0-9a-f]+|io_uring_\w+)\(")
_THROUGH_PROC = re.compile(r'"/proc/(?:self|\d+)/fd(?:info)?/\d+')


@dataclass
class Part:
    """One stretch in which actors could move.

    Attributes:
        lines: calls that concern the sandbox.
        round: which round it belongs to, from 1.
        steps: how many steps there were at its end, in all rounds so far.
    """

    lines: list[LogLine] = field(default_factory=list)
    round: int = 0
    steps: int = 0


@dataclass
class Log:
    """A whole run.

    Attributes:
        sandbox: absolute path.
        parts: stretches in which actors could move, in order.
        gaps: calls of the harness on the sandbox: before each part, and after the last.
    """

    sandbox: str
    parts: list[Part]
    gaps: list[list[LogLine]]


def read_log(lines, sandbox):
    """Read the lines of ``strace -f -y``.

    Args:
        lines: as in the file.
        sandbox: absolute path of the sandbox.
    """
    parts, gaps = [], [[]]
    part = None
    name = sandbox.rpartition("/")[2]
    for _, text in whole_calls(lines):
        mark = _MARK.match(text)
        if mark and mark["round"]:
            part.round, part.steps = int(mark["round"]), int(mark["steps"])
            parts.append(part)
            gaps.append([])
            part = None
        elif mark:
            assert part is None, "a part begins within a part"
            part = Part()
        elif name in text or (part is not None and (_OPAQUE.match(text) or _THROUGH_PROC.search(text))):
            (gaps[-1] if part is None else part.lines).append(log_line(text))
    assert part is None, "the last part does not end"
    return Log(sandbox, parts, gaps)
