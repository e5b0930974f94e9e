"""Steps: what happened, in order; their digest; their JSON lines.

The hot path appends plain tuples (`RawStep`); everything else is made from them once, at the end. What varies
between machines never gets in: no descriptor, inode, device, mount id, uid, pid, time, block count, directory
size, link count or sandbox path.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from cache_core import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Operations are named as in `os`, with two distinctions that matter to others. The kinds of open(2):
OPEN = "open"  # for reading, or without creating
CREATE = "create"  # O_CREAT
CREATE_EXCL = "create-excl"  # O_CREAT | O_EXCL
OPENDIR = "opendir"  # O_DIRECTORY
# and the two ways to list a directory, by os.scandir or os.listdir alike:
LIST_PATH = "listdir"  # by path: the kernel resolves it
LIST_DESCRIPTOR = "scandir"  # by descriptor


class Creation(str):
    """`CREATE` or `CREATE_EXCL`, by somebody who said which mode a new file is to have.

    It looks like any other operation, as `simulator.engine.paths.Relative` looks like any other path. Lost when a trace
    is written to a file.

    Attributes:
        mode: as given, before the umask.
        kept: whether something was there, and was opened as it was; False where nothing was. None of a call that would
            have emptied it: that does not tell.
    """

    __slots__ = ("kept", "mode")

    kept: bool | None
    mode: int

    def __new__(cls, operation: str, mode: int, *, kept: bool | None = None) -> Self:
        """As the operation, with the mode."""
        creation = super().__new__(cls, operation)
        creation.mode, creation.kept = mode, kept
        return creation

    def __reduce__(self) -> tuple[Callable[[str, int, bool | None], Creation], tuple[str, int, bool | None]]:
        return _creation, (str(self), self.mode, self.kept)


def _creation(operation: str, mode: int, kept: bool | None) -> Creation:
    return Creation(operation, mode, kept=kept)


class _Creations(dict[tuple[str, int], Creation]):
    """Those of an operation and a mode, made once."""

    def __missing__(self, what: tuple[str, int]) -> Creation:
        creation = self[what] = Creation(*what)
        return creation


CREATIONS = _Creations()

# The detail of an `OPEN` that emptied a file.
TRUNCATED = "truncated"

# actor, phase, operation, path, target, mode, errno, detail, injected. `detail` is what the call returned that a
# caller could decide by: names of a listing, size and mode of a stat, bytes read or written; with an open that empties
# a file, that it did. `injected` says when a fault struck: before or after the effect, or a short write.
RawStep = tuple[str, str, str, str, "str | None", "int | None", "int | None", object, "str | None"]

DIGEST_CHARACTERS = 16
MARKS = 8
_MARK_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


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
    injected: str | None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether two runs are the same, and roughly where they part.

    Attributes:
        digest: 16 hexadecimal digits that two runs share only if they made the same steps with the same results.
        steps: how many.
        marks: one character for each eighth of the steps: the first that differs is where the runs part (two
            eighths that differ have the same character once in 32).
    """

    digest: str
    steps: int
    marks: str


def fingerprint(steps: Sequence[RawStep]) -> Fingerprint:
    """Of a run's steps, the storm counted once."""
    hashes = [_hash_of(steps[first:last]) for first, last in _eighths(len(steps))]
    whole = hashlib.sha256(b"".join(hashes)).hexdigest()[:DIGEST_CHARACTERS]
    return Fingerprint(whole, len(steps), "".join(map(_mark, hashes)))


def where_it_parts(steps: Sequence[RawStep], recorded: Fingerprint) -> tuple[int, int]:
    """The steps, from 1 and both included, between which a run leaves the one that was recorded."""
    eighths = _eighths(recorded.steps)
    for (first, last), mark in zip(eighths, recorded.marks, strict=True):
        if _mark(_hash_of(steps[first:last])) != mark:
            return first + 1, last
    return eighths[-1][1] + 1, max(len(steps), recorded.steps)


def _eighths(count: int) -> list[tuple[int, int]]:
    return [(count * part // MARKS, count * (part + 1) // MARKS) for part in range(MARKS)]


def _hash_of(steps: Sequence[RawStep]) -> bytes:
    state = hashlib.sha256()
    for place in range(0, len(steps), 4096):
        # `ascii`, not `repr`: which characters repr shows depends on the Unicode tables of the interpreter.
        state.update(ascii(steps[place : place + 4096]).encode())
    return state.digest()


def _mark(hashed: bytes) -> str:
    return _MARK_ALPHABET[hashed[0] % len(_MARK_ALPHABET)]


def errno_name(number: int | None) -> str | None:
    """``ENOTEMPTY`` for 39; None for None."""
    return None if number is None else errors.errno_name(number)


def path_fields(path: str, key: str = "path") -> dict[str, str]:
    """A path for JSON: as it is; if it is not UTF-8, escaped, with the exact bytes in hexadecimal beside it."""
    return {name.replace("path", key, 1): value for name, value in errors.path_fields(path).items()}


def mode_digits(mode: int) -> str:
    """Four octal digits: ``0200``."""
    return f"{mode & 0o7777:04o}"


def as_document(step: RawStep, number: int, round_number: int) -> dict[str, object]:
    """One line of a trace file.

    Args:
        step: what happened.
        number: its place in the run, from 1.
        round_number: which cleaner's round it belongs to, from 1.
    """
    actor, phase, operation, path, target, mode, error, _, injected = step
    document: dict[str, object] = {"step": number, "round": round_number, "actor": actor, "phase": phase}
    document["operation"] = operation
    document.update(path_fields(path))
    if operation == "flock":
        document.update({"target": None, "lock": target})
    else:
        document.update({"target": None} if target is None else path_fields(target, "target"))
    document["mode"] = None if mode is None else mode_digits(mode)
    document["errno"] = errno_name(error)
    if injected == "before":
        document["injected"] = True
    elif injected is not None:
        document["fault"] = injected
    return document


def json_lines(rounds: Sequence[Sequence[RawStep]]) -> Iterator[str]:
    """The trace file of a run, a line a step; `rounds` holds the steps of each round."""
    number = 0
    for round_number, steps in enumerate(rounds, 1):
        for step in steps:
            number += 1
            yield json.dumps(as_document(step, number, round_number))
