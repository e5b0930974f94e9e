"""Where a hostile state is laid: a cache, and beside it what nobody may change.

Guarantees: everything is below one directory, but for the layers of an overlay, which are beside it (`privileged`);
what a link or a hard link of a state leads to is here, or nowhere.
Costs: a dozen small files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.layout import TAG_NAME, TAG_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Collection

CACHE = "cache"
OUTSIDE = "outside"
# As a path in the cache: the directory that holds it.
ABOVE = ".."
# What a state puts beside the two for its own purposes.
ASIDE = "aside"

# Files in `outside/twin`: `0`, `1`, ...
TWINS = 30

_LINK = "link"

# Directories first. Read-only ones and files are what tempts a cleaner to change a mode.
_DIRECTORIES = {"folder": 0o755, "folder/deep": 0o755, "twin": 0o755, "shut": 0o500}
_FILES = {
    "plain": 0o644,
    "read-only": 0o444,
    "secret": 0o600,
    "folder/kept": 0o644,
    "folder/deep/kept": 0o644,
    "folder/read-only": 0o444,
    "shut/kept": 0o400,
    # Names that files in the cache have as well: whoever acts on a path that has become another finds something there.
    **{f"twin/{number}": 0o644 for number in range(TWINS)},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Absolute paths.

    Attributes:
        root: an existing directory for all of it.
    """

    root: str

    @property
    def cache(self) -> str:
        """The cache."""
        return f"{self.root}/{CACHE}"

    @property
    def outside(self) -> str:
        """What must not change."""
        return f"{self.root}/{OUTSIDE}"

    @property
    def aside(self) -> str:
        """What a state has for its own purposes; nobody may change it either."""
        return f"{self.root}/{ASIDE}"

    def within(self, path: str) -> str:
        """Absolute path of something in the cache; "" is the cache itself, ".." the directory that holds it."""
        if path == ABOVE:
            return self.root
        return f"{self.cache}/{path}" if path else self.cache

    def make_outside(self) -> None:
        """Make what nobody may change."""
        _make(self.outside, 0o755)
        for name in _DIRECTORIES:
            _make(f"{self.outside}/{name}", 0o755)
        for name, mode in _FILES.items():
            _write(f"{self.outside}/{name}", _text(name).encode(), mode)
        _write(f"{self.outside}/{TAG_NAME}", TAG_SIGNATURE + b"\n", 0o644)
        os.symlink("folder", f"{self.outside}/{_LINK}")
        for name, mode in _DIRECTORIES.items():
            os.chmod(f"{self.outside}/{name}", mode)


def outside_commands(wanted: Collection[str]) -> list[str]:
    """The same for a shell, in the directory that holds the cache, as far as it is wanted.

    Args:
        wanted: Paths below `outside`; "" is all of it.
    """
    if any(name.split("/")[0] == _LINK for name in wanted):
        wanted = {*wanted, _LINK, "folder"}

    def belongs(path: str) -> bool:
        return any(not name or path == name or path.startswith(f"{name}/") for name in wanted)

    files = {name: mode for name, mode in _FILES.items() if belongs(name)}
    directories = {name: mode for name, mode in _DIRECTORIES.items() if belongs(name)}
    above = {os.path.dirname(name) for name in files} - {""}
    made = sorted({*directories, *above})
    told = [f"mkdir -p {' '.join([OUTSIDE, *(f'{OUTSIDE}/{name}' for name in made)])}"]
    twins = {name for name in files if name.startswith("twin/")}
    told += [f"echo '{_text(name).strip()}' > {OUTSIDE}/{name}" for name in files if name not in twins]
    if twins:
        told.append(f"seq -f {OUTSIDE}/twin/%.0f 0 {TWINS - 1} | xargs touch")
    if belongs(TAG_NAME):
        told.append(f"echo '{TAG_SIGNATURE.decode()}' > {OUTSIDE}/{TAG_NAME}")
    if belongs(_LINK):
        told.append(f"ln -s folder {OUTSIDE}/{_LINK}")
    modes = {**files, **directories}
    return told + [f"chmod {mode:04o} {OUTSIDE}/{name}" for name, mode in modes.items() if mode not in (0o755, 0o644)]


def _text(name: str) -> str:
    return "" if name.startswith("twin/") else f"{name}: nobody may change this\n"


def _make(path: str, mode: int) -> None:
    os.mkdir(path, mode)
    os.chmod(path, mode)


def _write(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.chmod(path, mode)
