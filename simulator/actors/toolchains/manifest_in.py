"""Where the egg_info command looks for MANIFEST.in, as far as builds write there.

The command collects the names of a source distribution's files, and some lines (``recursive-include *``, ``graft .``,
``global-include``) make it go through all directories: build/, the output directory and the egg-info too.

Guarantee: every listing of these directories that a line causes, in its order (setuptools' own glob tries to list
files as well), of what is there at that moment.
Not guaranteed: looks at single files, and at the sources, whose names are taken from the manifest instead. What is
found ends up in SOURCES.txt alone, so it is not kept.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from typing import TYPE_CHECKING

from simulator.actors.toolchains.stdlib import isdir, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.actors.toolchains.process import Process

_MAGIC = re.compile("[*?[]")
_ANY_DEPTH = "**"
_TOP = "."
# pkg_resources makes its working set, empties it, and makes it once more.
_SCANS = 2


def read_template(process: Process) -> None:
    """Follow the lines of MANIFEST.in."""
    names = _Names(process)
    found_all = False
    for line in process.build.manifest_in:
        action, *words = line.split()
        match action, words:
            case "include", patterns:
                for pattern in patterns:
                    _exhaust(_glob(names, pattern, recursive=False))
            case "recursive-include", [directory, *patterns]:
                for pattern in patterns:
                    _exhaust(_glob(names, posixpath.join(directory, _ANY_DEPTH, pattern), recursive=True))
            case "global-include", [_, *_] if not found_all:
                found_all = True
                names.walk(_TOP)
            case "graft", [pattern]:
                for match in list(_glob(names, pattern.rstrip("/"), recursive=False)):
                    names.walk(match)
            case _:
                continue  # What is excluded is not looked for, and a line that says nothing is passed over.


def look_for_packages(process: Process) -> None:
    """Search the root for packages, any directory being one: as far as builds write there."""
    if not process.build.finds_in_root:
        return
    for top in _Names(process).written:
        if "." in top or "/" in top or not isdir(process.kernel, f"{process.source}/{top}"):
            continue
        for _, directories, _ in walk(process.kernel, f"{process.source}/{top}"):
            directories[:] = [name for name in directories if "." not in name]


def scan_distributions(process: Process) -> None:
    """Look for distributions in the root of the sources, as the import of pkg_resources does: twice."""
    if process.release.scanning.isdisjoint(process.build.setup_imports) or "/" in process.build.egg_info:
        return
    for _ in range(_SCANS):
        if isdir(process.kernel, process.egg_info):
            process.kernel.listdir(process.egg_info)


def _exhaust(paths: Iterator[str]) -> None:
    for _ in paths:
        pass


class _Names:
    """The names below a source directory: asked for where builds write, known from the manifest elsewhere.

    Attributes:
        written: directories where builds write, relative to the sources.
    """

    def __init__(self, process: Process) -> None:
        self._kernel = process.kernel
        self._source = process.source
        output = posixpath.relpath(process.request.output, process.source)
        outside = output == ".." or output.startswith("../")
        self.written = ("build", *(() if outside else (output,)), process.build.egg_info)
        self._children: dict[str, set[str]] = {}
        for path in (*(file.path for file in process.request.package.files), process.build.egg_info):
            name = path
            while name:
                head, tail = posixpath.split(name)
                self._children.setdefault(head, set()).add(tail)
                name = head

    def of(self, directory: str) -> list[str]:
        """Names in a directory; none in what is no directory."""
        place = _normal(directory)
        if place and not self._is_written(place):
            return sorted(self._children.get(place, ()))
        try:
            return self._kernel.listdir(self._passed(directory) if place else self._source)
        except OSError:
            return []

    def has(self, path: str) -> bool:
        """Whether there is such a path: an lstat where builds write."""
        place = _normal(path)
        if self._is_written(place):
            try:
                self._kernel.lstat(self._passed(path))
            except OSError:
                return False
            return True
        head, tail = posixpath.split(place)
        return not place or tail in self._children.get(head, ())

    def walk(self, top: str) -> None:
        """Walk what builds write below a directory, or above it."""
        place = _normal(top)
        if self._is_written(place):
            _exhaust(name for name, _, _ in walk(self._kernel, self._passed(top)))
            return
        for written in self.written:
            inside = posixpath.relpath(written, place or _TOP)
            if not inside.startswith("../") and self.has(written):
                _exhaust(name for name, _, _ in walk(self._kernel, self._passed(f"{top}/{inside}")))

    def _passed(self, path: str) -> str:
        """As rows tell a path: without the dot that it begins with, and the slash that it ends with."""
        return f"{self._source}/{path.removeprefix('./').rstrip('/')}"

    def _is_written(self, place: str) -> bool:
        return any(place == written or place.startswith(f"{written}/") for written in self.written)


def _normal(path: str) -> str:
    """Without dots; empty for the root of the sources."""
    place = posixpath.normpath(path)
    return "" if place == _TOP else place


def _glob(names: _Names, pattern: str, *, recursive: bool) -> Iterator[str]:
    """setuptools.glob: any name matches ``*``, hidden ones too, and whatever matches may be a directory."""
    head, tail = posixpath.split(pattern)
    if not _MAGIC.search(pattern):
        if names.has(pattern if tail else head):
            yield pattern
        return
    directories = _glob(names, head, recursive=recursive) if _MAGIC.search(head) else iter([head])
    for directory in directories:
        for name in _inside(names, directory, tail, recursive=recursive):
            yield posixpath.join(directory, name)


def _inside(names: _Names, directory: str, pattern: str, *, recursive: bool) -> Iterator[str]:
    if recursive and pattern == _ANY_DEPTH:
        yield ""
        yield from _below(names, directory)
    elif _MAGIC.search(pattern):
        yield from fnmatch.filter(names.of(directory), pattern)
    elif names.has(posixpath.join(directory, pattern)):
        yield pattern


def _below(names: _Names, directory: str) -> Iterator[str]:
    for name in names.of(directory):
        yield name
        for inside in _below(names, posixpath.join(directory, name)):
            yield posixpath.join(name, inside)
