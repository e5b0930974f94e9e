"""How paths are shown: relative to the cache, whatever sandbox it is in."""

from __future__ import annotations

OUTSIDE = "<outside>"


class Paths:
    """Turns absolute paths inside a sandbox into paths relative to the cache.

    Args:
        sandbox: absolute path of the run's directory.
        cache: name of the cache directory in it.
    """

    __slots__ = ("_cache", "_cache_prefix", "_sandbox", "_sandbox_prefix")

    def __init__(self, sandbox: str, cache: str) -> None:
        self._sandbox = sandbox
        self._sandbox_prefix = sandbox + "/"
        self._cache = f"{sandbox}/{cache}"
        self._cache_prefix = self._cache + "/"

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
