"""The stage of one round: a fresh cache, a private environment for each build, and neighbours that nobody may touch.

The harness makes it and reads it with the plain calls; no actor is running then.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache_core import layout
from cache_core.kernel import REAL
from simulator.likeness.manifest import content

if TYPE_CHECKING:
    from simulator.likeness.manifest import SdistManifest

CACHE = "cache"
ENVIRONMENTS = "environments"
NEIGHBOURS = "neighbours"

# A read-only file, one in a directory, and a link between them: what a careless cleaner reaches.
_NEIGHBOUR_FILES = {"kept.txt": 0o444, "folder/also-kept.txt": 0o644}

# 2017: any time that no run takes for now.
_ARCHIVE_SECONDS = 1_500_000_000
_FRACTION_SECONDS = 0.25


def place_source(package: SdistManifest, directory: str) -> None:
    """Unpack a source distribution, with the modes that its files have, and times that are whole seconds or not."""
    seconds = _ARCHIVE_SECONDS + (_FRACTION_SECONDS if package.build.fractional_times else 0)
    for file in package.files:
        path = f"{directory}/{file.path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content(package.identifier, file))
        REAL.chmod(path, file.mode)
        os.utime(path, (seconds, seconds))


def _state(path: str) -> tuple[object, ...]:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return (status.st_mode, os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode, status.st_uid, tuple(sorted(os.listdir(path))))
    with open(path, "rb") as file:
        return (status.st_mode, status.st_uid, status.st_nlink, file.read())


@dataclass(slots=True)
class Stage:
    """Where one round happens.

    Attributes:
        root: absolute path of the round's directory.
    """

    root: str
    _neighbours: dict[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def cache(self) -> str:
        """Absolute path of the cache."""
        return f"{self.root}/{CACHE}"

    def environment(self, actor: str) -> str:
        """Absolute path of a build's private environment."""
        return f"{self.root}/{ENVIRONMENTS}/{actor}"

    def set(self, builds: list[str]) -> None:
        """Make everything that is there before the first step."""
        for directory in (CACHE, ENVIRONMENTS, NEIGHBOURS, f"{NEIGHBOURS}/folder"):
            REAL.mkdir(f"{self.root}/{directory}")
        fd = os.open(self.cache, os.O_RDONLY | os.O_DIRECTORY)
        try:
            layout.mark(fd)
        finally:
            os.close(fd)
        for build in builds:
            REAL.mkdir(self.environment(build))
        for name, mode in _NEIGHBOUR_FILES.items():
            path = f"{self.root}/{NEIGHBOURS}/{name}"
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{name}: nobody may change this\n")
            REAL.chmod(path, mode)
        REAL.symlink("folder", f"{self.root}/{NEIGHBOURS}/link")
        self._neighbours = self._look()

    def changed_neighbours(self) -> list[str]:
        """Names of neighbours that are not what they were."""
        now = self._look()
        return sorted(
            name for name in self._neighbours.keys() | now.keys() if self._neighbours.get(name) != now.get(name)
        )

    def left_in_cache(self) -> list[str]:
        """What the cache holds that an empty one does not; nothing if it is gone. The judge's own look.

        An empty cache holds nothing but the tag, the ignore file and the lock, each a regular file of at most 4 KiB.
        """
        try:
            names = sorted(os.listdir(self.cache))
        except FileNotFoundError:
            return []
        except OSError as error:
            return [f". ({error.strerror})"]
        return [name for name in names if not self._may_stay(name)]

    def _may_stay(self, name: str) -> bool:
        status = os.lstat(f"{self.cache}/{name}")
        small = stat.S_ISREG(status.st_mode) and status.st_size <= layout.KEPT_BYTES_MAX
        return small and name in layout.KEPT_NAMES

    def _look(self) -> dict[str, tuple[object, ...]]:
        top = f"{self.root}/{NEIGHBOURS}"
        found = {NEIGHBOURS: _state(top), ".": tuple(sorted(set(os.listdir(self.root)) - {CACHE}))}
        for directory, directories, files in os.walk(top):
            for name in directories + files:
                path = f"{directory}/{name}"
                found[path[len(self.root) + 1 :]] = _state(path)
        return found
