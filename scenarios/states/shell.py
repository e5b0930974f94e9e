"""Paths as a shell reads them: plain where they are plain, quoted where not, escaped where no quotes help."""

from __future__ import annotations

import os
import shlex

from scenarios.states.place import ABOVE, CACHE

_PRINTABLE = frozenset(range(0x20, 0x7F))


def quoted(path: str) -> str:
    r"""One word of a command for bash (or any shell that knows `$'\\x..'`, as POSIX has it since 2024)."""
    raw = os.fsencode(path)
    word = path
    if not _PRINTABLE.issuperset(raw):
        escaped = "".join(
            chr(byte) if byte in _PRINTABLE and chr(byte) not in "'\\" else f"\\x{byte:02x}" for byte in raw
        )
        return f"$'{escaped}'"
    return shlex.quote(word)


def in_cache(path: str) -> str:
    """The word for a path in the cache; "" is the cache itself, ".." the directory that holds it."""
    if path == ABOVE:
        return "."
    return quoted(f"{CACHE}/{path}" if path else CACHE)
