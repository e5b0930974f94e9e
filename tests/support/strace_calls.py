"""What a line of strace says in the words of a trace: operation, place, target, mode, what it returned.

The C library and Python choose between several calls for one operation (unlink and unlinkat, stat and newfstatat); to
a trace they are the same, as long as they are one call on one path.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import stat
from typing import NamedTuple

_AT_EMPTY_PATH = 0x1000

_ARGUMENT = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<cut>\.\.\.)?'
    r"|(?P<fd>AT_FDCWD|\d+)<(?P<seen>(?:[^<>\\]|\\.)*)>(?:\(deleted\))?"
    r"|(?P<struct>\{[^}]*\}|\[[^]]*\])"
    r"|(?P<word>[^,\"{\[ ]+(?: /\* \d+ entries \*/)?(?: => [^,]+)?)",
    re.DOTALL,
)


class Place(NamedTuple):
    """A name looked up from a descriptor (None: absolute, or from the working directory)."""

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


@functools.cache
def call_of(line):
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


def _arguments(text):
    """Descriptors as numbers (AT_FDCWD as None), strings decoded, all else as text."""
    found = []
    for match in _ARGUMENT.finditer(text):
        if match["fd"] is not None:
            found.append(None if match["fd"] == "AT_FDCWD" else int(match["fd"]))
        elif match["text"] is not None:
            # C's escapes are Python's; what was cut is only ever data.
            found.append(os.fsdecode(ast.literal_eval(f'b"{match["text"]}"')) + (match["cut"] or ""))
        else:
            word = match["struct"] or match["word"]
            found.append(None if word == "AT_FDCWD" else word)
    return found


def _flags(text):
    return set(text.split("|"))


def _opened(place, flags):
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


def _open(line, arguments):
    return _opened(Place(None, arguments[0]), _flags(arguments[1]))


def _openat(line, arguments):
    return _opened(Place(arguments[0], arguments[1]), _flags(arguments[2]))


def _openat2(line, arguments):
    return _opened(Place(arguments[0], arguments[1]), _flags(re.search(r"flags=([A-Z_|]+)", arguments[2])[1]))


def _with_length(operation):
    return lambda line, arguments: (operation, Place(arguments[0], ""), None, None, line.result)


def _by_descriptor(operation):
    return lambda line, arguments: (operation, Place(arguments[0], ""), None, None, None)


def _fcntl(line, arguments):
    return arguments[1], Place(arguments[0], ""), None, None, None


def _getdents64(line, arguments):
    entries = re.search(r"/\* (\d+) entries", line.text)
    return "getdents64", Place(arguments[0], ""), None, None, int(entries[1]) if entries else None


def _lseek(line, arguments):
    return "lseek", Place(arguments[0], ""), None, None, None


def _by_path(operation):
    return lambda line, arguments: (operation, Place(None, arguments[0]), None, None, None)


def _mkdir(line, arguments):
    return "mkdir", Place(None, arguments[0]), None, int(arguments[1], 8), None


def _mkdirat(line, arguments):
    return "mkdir", Place(*arguments[:2]), None, int(arguments[2], 8), None


def _unlinkat(line, arguments):
    return ("rmdir" if arguments[2] == "AT_REMOVEDIR" else "unlink"), Place(*arguments[:2]), None, None, None


def _two_paths(operation):
    return lambda line, arguments: (operation, Place(None, arguments[0]), Place(None, arguments[1]), None, None)


def _two_places(operation):
    return lambda line, arguments: (operation, Place(*arguments[:2]), Place(*arguments[2:4]), None, None)


def _symlink(line, arguments):
    return "symlink", Place(None, arguments[1]), arguments[0], None, None


def _symlinkat(line, arguments):
    return "symlink", Place(*arguments[1:3]), arguments[0], None, None


def _readlink(line, arguments):
    return "readlink", Place(None, arguments[0]), None, None, arguments[1]


def _readlinkat(line, arguments):
    return "readlink", Place(*arguments[:2]), None, None, arguments[2]


def _status(text):
    """(mode, size; 0 unless it is a regular file) of ``{st_mode=S_IFREG|0644, st_size=5, ...}``."""
    words = re.search(r"st_mode=([^,]+)", text)[1].split("|")
    mode = sum(getattr(stat, word) if word.startswith("S_") else int(word, 8) for word in words)
    return [mode, int(re.search(r"st_size=(\d+)", text)[1]) if stat.S_ISREG(mode) else 0]


def _newfstatat(line, arguments):
    fd, name, status, flags = arguments
    detail = None if line.errno else _status(status)
    if name == "" and "AT_EMPTY_PATH" in flags:
        return "fstat", Place(fd, ""), None, None, detail
    return ("lstat" if "AT_SYMLINK_NOFOLLOW" in flags else "stat"), Place(fd, name), None, None, detail


def _stat(operation):
    return lambda line, arguments: (
        operation, Place(None, arguments[0]), None, None, None if line.errno else _status(arguments[1])
    )  # fmt: skip


def _fstat(line, arguments):
    return "fstat", Place(arguments[0], ""), None, None, None if line.errno else _status(arguments[1])


def _chmod(line, arguments):
    through = re.fullmatch(r"/proc/self/fd/(\d+)", arguments[0])
    place = Place(int(through[1]), "") if through else Place(None, arguments[0])
    return "chmod", place, None, int(arguments[1], 8), None


def _fchmod(line, arguments):
    return "fchmod", Place(arguments[0], ""), None, int(arguments[1], 8), None


def _fchmodat(line, arguments):
    return "chmod", Place(*arguments[:2]), None, int(arguments[2], 8), None


def _fchmodat2_by_number(line, arguments):
    """fchmodat2(2), of Linux 6.6: a strace that does not know it shows plain words, the path as an address.

    The flag says that the path is the empty string.
    """
    fd, _, mode, flags = (int(word, 16) for word in arguments[:4])
    if flags != _AT_EMPTY_PATH:
        raise UnknownCallError(line.text)
    return "chmod", Place(fd, ""), None, mode, None


def _utimensat(line, arguments):
    return "utime", Place(*arguments[:2]), None, None, None


_LOCKS = {"LOCK_SH": "shared", "LOCK_EX": "exclusive", "LOCK_UN": "unlock"}


def _flock(line, arguments):
    flags = _flags(arguments[1])
    if "LOCK_NB" not in flags and "LOCK_UN" not in flags:
        # It would stop the whole program: the gate tries, and lets the actor wait.
        raise UnknownCallError(line.text)
    return "flock", Place(arguments[0], ""), next(_LOCKS[flag] for flag in flags if flag in _LOCKS), None, None


_DECODERS = {
    "open": _open, "openat": _openat, "openat2": _openat2,
    "read": _with_length("read"), "write": _with_length("write"), "close": _by_descriptor("close"),
    "fcntl": _fcntl, "getdents64": _getdents64, "lseek": _lseek,
    "mkdir": _mkdir, "mkdirat": _mkdirat, "rmdir": _by_path("rmdir"), "unlink": _by_path("unlink"),
    "unlinkat": _unlinkat, "rename": _two_paths("rename"), "renameat": _two_places("rename"),
    "renameat2": _two_places("rename"), "link": _two_paths("link"), "linkat": _two_places("link"),
    "symlink": _symlink, "symlinkat": _symlinkat, "readlink": _readlink, "readlinkat": _readlinkat,
    "stat": _stat("stat"), "lstat": _stat("lstat"), "fstat": _fstat, "newfstatat": _newfstatat,
    "chmod": _chmod, "fchmod": _fchmod, "fchmodat": _fchmodat, "fchmodat2": _fchmodat, "syscall_0x1c4":
    _fchmodat2_by_number, "utimensat": _utimensat, "flock": _flock,
}  # fmt: skip
