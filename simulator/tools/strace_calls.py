"""What a line of strace (``-y``) says in the words of a trace: operation, place, target, mode, what it returned.

Guarantee: a call that is none of the kernel's operations (`cache_core.kernel`) is never taken for one. The C library
and Python choose between several calls for one operation (unlink and unlinkat, stat and newfstatat); to a trace they
are the same, as long as they are one call on one path. Cost: each different line is read once.
"""
# ruff: noqa: ARG001, ARG005 - all decoders are called alike

from __future__ import annotations

import ast
import functools
import os
import re
import stat
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.tools.strace_log import LogLine

_AT_EMPTY_PATH = 0x1000

_ARGUMENT = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<cut>\.\.\.)?'
    r"|(?P<fd>AT_FDCWD|\d+)<(?P<seen>(?:[^<>\\]|\\.)*)>(?:\(deleted\))?"
    r"|(?P<struct>\{[^}]*\}|\[[^]]*\])"
    r"|(?P<word>[^,\"{\[ ]+(?: /\* \d+ entries \*/)?(?: => [^,]+)?)",
    re.DOTALL,
)


class Descriptor(int):
    """The number of a descriptor; `path`: what was behind it."""

    path: str

    def __new__(cls, number: int, path: str) -> Self:
        """As `int`."""
        made = super().__new__(cls, number)
        made.path = path
        return made


class Place(NamedTuple):
    """A name looked up from a descriptor (None: absolute, or from the working directory).

    Where strace did not show what is behind a descriptor, it is a plain number.
    """

    fd: int | None
    name: str


class Call(NamedTuple):
    """One call. `detail`: what it returned that an actor could decide by, as in a step."""

    operation: str
    place: Place
    target: Place | str | None
    mode: int | None
    errno: str | None
    result: int
    detail: object
    text: str


class UnknownCallError(Exception):
    """A call that no operation of the kernel makes."""


# Operation, place, target, mode, detail.
_Told = tuple[str, Place, Place | str | None, int | None, object]
if TYPE_CHECKING:
    _Decoder = Callable[[LogLine, list[Any]], _Told]


@functools.cache
def call_of(line: LogLine) -> Call:
    """Put a line into the words of a trace.

    Raises:
        UnknownCallError: no operation of the kernel makes such a call.
    """
    decode = _DECODERS.get(line.name)
    if decode is None:
        raise UnknownCallError(line.text)
    operation, place, target, mode, detail = decode(line, _arguments(line.arguments))
    # A call that fails returns nothing to decide by but its errno.
    detail = None if line.errno else detail
    return Call(operation, place, target, mode, line.errno, line.result, detail, line.text)


def _arguments(text: str) -> list[Any]:
    """Descriptors as numbers (AT_FDCWD as None, as a path that is not given), strings decoded, all else as text."""
    found: list[Any] = []
    for match in _ARGUMENT.finditer(text):
        if match["fd"] is not None:
            found.append(None if match["fd"] == "AT_FDCWD" else Descriptor(int(match["fd"]), _text(match["seen"])))
        elif match["text"] is not None:
            # What was cut is only ever data.
            found.append(_text(match["text"]) + (match["cut"] or ""))
        else:
            word = match["struct"] or match["word"]
            found.append(None if word in {"AT_FDCWD", "NULL"} else word)
    return found


def _text(shown: str) -> str:
    """What strace shows with C's escapes, which are Python's."""
    escaped = shown.replace('\\"', '"').replace('"', '\\"')
    return os.fsdecode(ast.literal_eval(f'b"{escaped}"'))


def _flags(text: str) -> set[str]:
    return set(text.split("|"))


def _opened(place: Place, flags: set[str]) -> _Told:
    through = re.fullmatch(r"/proc/self/fdinfo/(\d+)", place.name)
    if through:
        return "mount-id", Place(int(through[1]), ""), None, None, None
    if {"O_CREAT", "O_EXCL"} <= flags:
        operation = "create-excl"
    elif "O_CREAT" in flags:
        operation = "create"
    else:
        operation = "opendir" if "O_DIRECTORY" in flags else "open"
    return operation, place, None, None, None


def _found(pattern: str, text: str) -> str:
    """What `pattern` has in its parentheses; strace never leaves it out."""
    match = re.search(pattern, text)
    if match is None:
        raise UnknownCallError(text)
    return match[1]


def _open(line: LogLine, arguments: list[Any]) -> _Told:
    return _opened(Place(None, arguments[0]), _flags(arguments[1]))


def _openat(line: LogLine, arguments: list[Any]) -> _Told:
    return _opened(Place(arguments[0], arguments[1]), _flags(arguments[2]))


def _openat2(line: LogLine, arguments: list[Any]) -> _Told:
    return _opened(Place(arguments[0], arguments[1]), _flags(_found(r"flags=([A-Z_|]+)", arguments[2])))


def _with_length(operation: str) -> _Decoder:
    return lambda line, arguments: (operation, Place(arguments[0], ""), None, None, line.result)


def _by_descriptor(operation: str) -> _Decoder:
    return lambda line, arguments: (operation, Place(arguments[0], ""), None, None, None)


def _fcntl(line: LogLine, arguments: list[Any]) -> _Told:
    return arguments[1], Place(arguments[0], ""), None, None, None


def _getdents64(line: LogLine, arguments: list[Any]) -> _Told:
    entries = re.search(r"/\* (\d+) entries", line.text)
    return "getdents64", Place(arguments[0], ""), None, None, int(entries[1]) if entries else None


def _lseek(line: LogLine, arguments: list[Any]) -> _Told:
    return "lseek", Place(arguments[0], ""), None, None, None


def _by_path(operation: str) -> _Decoder:
    return lambda line, arguments: (operation, Place(None, arguments[0]), None, None, None)


def _mkdir(line: LogLine, arguments: list[Any]) -> _Told:
    return "mkdir", Place(None, arguments[0]), None, int(arguments[1], 8), None


def _mkdirat(line: LogLine, arguments: list[Any]) -> _Told:
    return "mkdir", Place(*arguments[:2]), None, int(arguments[2], 8), None


def _unlinkat(line: LogLine, arguments: list[Any]) -> _Told:
    return ("rmdir" if arguments[2] == "AT_REMOVEDIR" else "unlink"), Place(*arguments[:2]), None, None, None


def _two_paths(operation: str) -> _Decoder:
    return lambda line, arguments: (operation, Place(None, arguments[0]), Place(None, arguments[1]), None, None)


def _two_places(operation: str) -> _Decoder:
    return lambda line, arguments: (operation, Place(*arguments[:2]), Place(*arguments[2:4]), None, None)


def _symlink(line: LogLine, arguments: list[Any]) -> _Told:
    return "symlink", Place(None, arguments[1]), arguments[0], None, None


def _symlinkat(line: LogLine, arguments: list[Any]) -> _Told:
    return "symlink", Place(*arguments[1:3]), arguments[0], None, None


def _readlink(line: LogLine, arguments: list[Any]) -> _Told:
    return "readlink", Place(None, arguments[0]), None, None, arguments[1]


def _readlinkat(line: LogLine, arguments: list[Any]) -> _Told:
    return "readlink", Place(*arguments[:2]), None, None, arguments[2]


def _status(text: str) -> list[int]:
    """(mode, size; 0 unless it is a regular file) of ``{st_mode=S_IFREG|0644, st_size=5, ...}``."""
    words = _found(r"st_mode=([^,]+)", text).split("|")
    mode = sum(getattr(stat, word) if word.startswith("S_") else int(word, 8) for word in words)
    return [mode, int(_found(r"st_size=(\d+)", text)) if stat.S_ISREG(mode) else 0]


def _newfstatat(line: LogLine, arguments: list[Any]) -> _Told:
    fd, name, status, flags = arguments
    detail = None if line.errno else _status(status)
    if name == "" and "AT_EMPTY_PATH" in flags:
        return "fstat", Place(fd, ""), None, None, detail
    return ("lstat" if "AT_SYMLINK_NOFOLLOW" in flags else "stat"), Place(fd, name), None, None, detail


def _stat(operation: str) -> _Decoder:
    return lambda line, arguments: (
        operation, Place(None, arguments[0]), None, None, None if line.errno else _status(arguments[1])
    )  # fmt: skip


def _fstat(line: LogLine, arguments: list[Any]) -> _Told:
    return "fstat", Place(arguments[0], ""), None, None, None if line.errno else _status(arguments[1])


def _chmod(line: LogLine, arguments: list[Any]) -> _Told:
    through = re.fullmatch(r"/proc/self/fd/(\d+)", arguments[0])
    place = Place(int(through[1]), "") if through else Place(None, arguments[0])
    return "chmod", place, None, int(arguments[1], 8), None


def _fchmod(line: LogLine, arguments: list[Any]) -> _Told:
    return "fchmod", Place(arguments[0], ""), None, int(arguments[1], 8), None


def _fchmodat(line: LogLine, arguments: list[Any]) -> _Told:
    return "chmod", Place(*arguments[:2]), None, int(arguments[2], 8), None


def _fchmodat2_by_number(line: LogLine, arguments: list[Any]) -> _Told:
    """fchmodat2(2), of Linux 6.6: a strace that does not know it shows plain words, the path as an address.

    The flag says that the path is the empty string.
    """
    fd, _, mode, flags = (int(word, 16) for word in arguments[:4])
    if flags != _AT_EMPTY_PATH:
        raise UnknownCallError(line.text)
    return "chmod", Place(fd, ""), None, mode, None


def _utimensat(line: LogLine, arguments: list[Any]) -> _Told:
    # Without a path: the file behind the descriptor.
    return "utime", Place(arguments[0], arguments[1] or ""), None, None, None


_LOCKS = {"LOCK_SH": "shared", "LOCK_EX": "exclusive", "LOCK_UN": "unlock"}


def _flock(line: LogLine, arguments: list[Any]) -> _Told:
    flags = _flags(arguments[1])
    if "LOCK_NB" not in flags and "LOCK_UN" not in flags:
        # It would stop the whole program: the gate tries, and lets the actor wait.
        raise UnknownCallError(line.text)
    return "flock", Place(arguments[0], ""), next(_LOCKS[flag] for flag in flags if flag in _LOCKS), None, None


_DECODERS: dict[str, _Decoder] = {
    "open": _open, "openat": _openat, "openat2": _openat2,
    "read": _with_length("read"), "write": _with_length("write"), "close": _by_descriptor("close"),
    "fcntl": _fcntl, "getdents64": _getdents64, "lseek": _lseek,
    "mkdir": _mkdir, "mkdirat": _mkdirat, "rmdir": _by_path("rmdir"), "unlink": _by_path("unlink"),
    "unlinkat": _unlinkat, "rename": _two_paths("rename"), "renameat": _two_places("rename"),
    "renameat2": _two_places("rename"), "link": _two_paths("link"), "linkat": _two_places("link"),
    "symlink": _symlink, "symlinkat": _symlinkat, "readlink": _readlink, "readlinkat": _readlinkat,
    "stat": _stat("stat"), "lstat": _stat("lstat"), "fstat": _fstat, "newfstatat": _newfstatat,
    "chmod": _chmod, "fchmod": _fchmod, "fchmodat": _fchmodat, "fchmodat2": _fchmodat, "syscall_0x1c4":
    _fchmodat2_by_number, "fchown": _by_descriptor("fchown"), "utimensat": _utimensat,
    "flock": _flock,
}  # fmt: skip
