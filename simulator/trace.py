"""Steps: what happened, in order; their digest; their JSON lines.

The hot path appends plain tuples (`RawStep`); everything else is made from them once, at the end. What varies
between machines never gets in: no descriptor, inode, device, mount id, uid, pid, time, block count, directory
size, link count or sandbox path.
"""

from __future__ import annotations

from typing import NamedTuple

# Operations, as in the real traces that the toolchains are compared with: the four kinds of open(2) are told
# apart, since they matter differently to others.
OPEN = "open"  # for reading, or without creating
CREATE = "create"  # O_CREAT
CREATE_EXCL = "create-excl"  # O_CREAT | O_EXCL
OPENDIR = "opendir"  # O_DIRECTORY

# actor, phase, operation, path, target, mode, errno, detail, injected. `detail` is what the call returned that a
# caller could decide by: names of a listing, size and mode of a stat, bytes read or written.
RawStep = tuple[str, str, str, str, "str | None", "int | None", "int | None", object, bool]


class Step(NamedTuple):
    """One system call of one actor, with its result or errno (a number, None when it succeeded)."""

    actor: str
    phase: str
    operation: str
    path: str
    target: str | None
    mode: int | None
    errno: int | None
    detail: object
    injected: bool
