"""The files of a source distribution as a tree to look into: exists, list, walk, glob, as a build would in its folder.

Guarantee: pure, on names alone; listings are sorted. Paths may be relative to the folder, or absolute below `ROOT`,
where a setup script believes itself to be. Not guaranteed: the order of a real listing, which no rule here depends on.
"""

from __future__ import annotations

import fnmatch
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# Where the folder is, to whoever asks for an absolute path. No real directory is meant.
ROOT = "/sdist"

_MAGIC = frozenset("*?[")
_ANY_DEPTH = "**"


class SourceTree:
    """Names of files, and of the directories that hold them.

    Args:
        files: paths relative to the folder.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = frozenset(files)
        self._children: dict[str, set[str]] = {"": set()}
        for path in self.files:
            while path and path not in self._children.setdefault(posixpath.dirname(path), set()):
                parent = posixpath.dirname(path)
                self._children[parent].add(path)
                path = parent  # noqa: PLW2901 - up, until somebody has been here

    @property
    def directories(self) -> Collection[str]:
        """All of them, relative to the folder, which is the empty one."""
        return self._children.keys()

    def normal(self, path: str) -> str | None:
        """A path relative to the folder; empty for the folder itself, None outside of it."""
        whole = posixpath.normpath(posixpath.join(ROOT, path))
        if whole == ROOT:
            return ""
        return whole[len(ROOT) + 1 :] if whole.startswith(f"{ROOT}/") else None

    def is_file(self, path: str) -> bool:
        """Whether there is a file."""
        return self.normal(path) in self.files

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory."""
        return self.normal(path) in self._children

    def exists(self, path: str) -> bool:
        """Whether there is either."""
        return self.is_file(path) or self.is_directory(path)

    def names(self, path: str) -> list[str]:
        """What a directory lists, sorted; nothing where there is none."""
        found = self.normal(path)
        return sorted(
            posixpath.basename(child) for child in self._children.get(found if found is not None else "..", ())
        )

    def walk(self, top: str) -> Iterator[tuple[str, list[str], list[str]]]:
        """As `os.walk`, top down: (path, directories, files); taking names out of `directories` prunes."""
        if not self.is_directory(top):
            return
        names = self.names(top)
        directories = [name for name in names if self.is_directory(posixpath.join(top, name))]
        yield top, directories, [name for name in names if name not in set(directories)]
        for name in directories:
            yield from self.walk(posixpath.join(top, name))

    def below(self, top: str) -> list[str]:
        """Every file of a directory and its directories, relative to the folder."""
        return [
            path
            for base, _, names in self.walk(top)
            for name in names
            if (path := self.normal(posixpath.join(base, name))) is not None
        ]

    def glob(self, pattern: str, *, recursive: bool = True, hidden: bool = False) -> list[str]:
        """Files and directories that match, as `glob.glob` finds them.

        Args:
            pattern: with ``*``, ``?``, ``[...]``.
            recursive: whether ``**`` stands for any number of directories.
            hidden: whether wildcards match what begins with a dot.
        """
        base, parts = ("/", pattern[1:].split("/")) if pattern.startswith("/") else ("", pattern.split("/"))
        found = self._matches(base, [part for part in parts if part], recursive=recursive, hidden=hidden)
        return list(dict.fromkeys(found))

    def _matches(self, base: str, parts: list[str], *, recursive: bool, hidden: bool) -> Iterator[str]:
        if not parts:
            yield base
            return
        head, rest = parts[0], parts[1:]
        if head == _ANY_DEPTH and recursive:
            yield from self._any_depth(base, parts, hidden=hidden)
            return
        if _MAGIC.isdisjoint(head):
            names = [head] if self.exists(posixpath.join(base, head)) or rest else []
        else:
            names = [
                name
                for name in self.names(base)
                if fnmatch.fnmatchcase(name, head) and (hidden or head.startswith(".") or not name.startswith("."))
            ]
        for name in names:
            path = posixpath.join(base, name)
            if not rest or self.is_directory(path) or ROOT.startswith(path):
                yield from self._matches(path, rest, recursive=recursive, hidden=hidden)

    def _any_depth(self, base: str, parts: list[str], *, hidden: bool) -> Iterator[str]:
        rest = parts[1:]
        for path, directories, files in self.walk(base):
            if not hidden:
                directories[:] = [name for name in directories if not name.startswith(".")]
            if rest:
                yield from self._matches(path, rest, recursive=True, hidden=hidden)
            else:
                if path:
                    yield path
                yield from (posixpath.join(path, name) for name in files if hidden or not name.startswith("."))
