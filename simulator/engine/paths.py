"""How paths are shown: relative to the cache, whatever sandbox it is in.

Each answer is kept: builds ask for the same few thousand paths again and again.
"""

from __future__ import annotations

import os
from typing import Self

OUTSIDE = "<outside>"


class Relative(str):
    """A path as it is shown that was not resolved from the top: it looks like any other, and remembers its beginning.

    Who only reads a trace sees no difference (equality, hash, `ascii`, JSON); who asks which objects a call went
    through must know it. Lost when a trace is written to a file.

    Attributes:
        directory: the path, as shown, by which the descriptor was opened that resolution started at; for where a
            symbolic link leads, the directory that the link is in.
        name: what was resolved from there; empty for the descriptor's own object.
    """

    __slots__ = ("directory", "name")

    directory: str
    name: str

    def __new__(cls, shown: str, directory: str, name: str) -> Self:
        """As any other path, and where it came from."""
        path = super().__new__(cls, shown)
        path.directory = directory
        path.name = name
        return path

    def __reduce__(self) -> tuple[type[Relative], tuple[str, str, str]]:
        return Relative, (str(self), self.directory, self.name)


class _Inside(dict[str, str]):
    """Names that are resolved from one directory, with what is shown for them; filled as they come."""

    __slots__ = ("_directory", "_paths")

    def __init__(self, paths: Paths, directory: str) -> None:
        super().__init__()
        self._paths = paths
        self._directory = directory

    def __missing__(self, name: str) -> str:
        decoded = os.fsdecode(name)
        shown = self._paths.below(self._directory, decoded)
        if not decoded.startswith("/"):
            shown = Relative(shown, self._directory, decoded)
        self[name] = shown
        return shown


class _Directories(dict[str, _Inside]):
    """Directories as they are shown, with what is known of the names in each."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Paths) -> None:
        super().__init__()
        self._paths = paths

    def __missing__(self, directory: str) -> _Inside:
        inside = self[directory] = _Inside(self._paths, directory)
        return inside


class Known(dict[str, str]):
    """Paths as they are given to a call, with what is shown for them; filled as they come.

    Raises (when asked):
        KeyError: a descriptor is no path.
    """

    __slots__ = ("_paths", "_prefix", "inside")

    def __init__(self, paths: Paths, prefix: str) -> None:
        super().__init__()
        self._paths = paths
        self._prefix = prefix
        self.inside = _Directories(paths)

    def __missing__(self, path: str) -> str:
        if path.__class__ is str:
            shown = path.removeprefix(self._prefix)
            if len(shown) == len(path):
                shown = self._paths.shown(path)
        elif isinstance(path, int):
            raise KeyError(path)
        else:
            shown = self._paths.shown(os.fsdecode(path))
        self[path] = shown
        return shown


class Paths:
    """Turns absolute paths inside a sandbox into paths relative to the cache.

    Args:
        sandbox: absolute path of the run's directory.
        cache: name of the cache directory in it.

    Attributes:
        known: a path, as an actor gives it, to the path as it is shown; `known.inside` has, for a directory as it is
            shown, names in it to the paths as they are shown.
    """

    __slots__ = ("_cache", "_cache_prefix", "_sandbox", "_sandbox_prefix", "known")

    def __init__(self, sandbox: str, cache: str) -> None:
        self._sandbox = sandbox
        self._sandbox_prefix = sandbox + "/"
        self._cache = f"{sandbox}/{cache}"
        self._cache_prefix = self._cache + "/"
        self.known = Known(self, self._cache_prefix)

    def shown(self, path: str) -> str:
        """`path` relative to the cache: ``.`` for itself, ``../`` before what lies beside it."""
        if path.startswith(self._cache_prefix):
            return path[len(self._cache_prefix) :]
        if path == self._cache:
            return "."
        if path.startswith(self._sandbox_prefix):
            return "../" + path[len(self._sandbox_prefix) :]
        if path == self._sandbox:
            return ".."
        return OUTSIDE if path.startswith("/") else path

    def below(self, directory: str, name: str) -> str:
        """The path of `name`, resolved from a directory that is shown as `directory`.

        Whoever comes down from the sandbox by descriptors meets the cache under the same name as everybody else: a
        lock is known by its path.
        """
        if name.startswith("/"):
            return self.shown(name)
        if name == ".":
            return directory
        if name == "..":
            return directory.rpartition("/")[0] or ("." if directory not in {".", ".."} else "..")
        if directory == "..":
            return self.shown(f"{self._sandbox}/{name}")
        return name if directory == "." else f"{directory}/{name}"
