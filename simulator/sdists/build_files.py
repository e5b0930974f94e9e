"""Scripts, data files, headers and licenses: files of an sdist that are named one by one.

Guarantee: what is named and not there is refused, as a build would fail for it. Where setup.py computes them, a wheel
tells; without one they are asked for by name, unless the sdist has nothing that they could be.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from simulator.sdists.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.sdists.evidence import Evidence

_LICENSES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
# What build_scripts takes for the first line of a Python script.
_PYTHON_LINE = re.compile(rb"^#!.*python[0-9.]*([ \t].*)?$")
_SCRIPT_FOLDERS = frozenset({"bin", "script", "scripts", "tools"})


def scripts(evidence: Evidence) -> tuple[str, ...]:
    """Files that become scripts of the wheel."""
    given = evidence.told["scripts"]
    if given is not UNKNOWN:
        return _files(evidence, given or (), "script")
    if evidence.wheel is not None:
        names = evidence.wheel.of_scheme("scripts")
        return tuple(_by_name(evidence, name) for name in names)
    if evidence.told.all_named or any(_is_like_a_script(evidence, path) for path in evidence.tree.files):
        evidence.missing.add("scripts")
    return ()


def python_scripts(evidence: Evidence, chosen: Iterable[str]) -> tuple[str, ...]:
    """Those whose first line is written anew."""
    lines = evidence.archive.first_lines
    return tuple(path for path in chosen if _PYTHON_LINE.match(lines.get(path, b"").rstrip(b"\r")))


def data_files(evidence: Evidence) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(directory, files) pairs that go to the data of the wheel."""
    given = evidence.told["data_files"]
    if given is UNKNOWN:
        if evidence.wheel is not None:
            found = evidence.wheel.of_scheme("data")
            return tuple((posixpath.dirname(path), (_by_name(evidence, path),)) for path in found)
        # Arguments that cannot be named may hold any; one that is named is computed.
        if evidence.told.all_named:
            evidence.missing.add("data_files")
        return ()
    pairs: list[tuple[str, tuple[str, ...]]] = []
    for item in given or ():
        match item:
            case str():
                pairs.append(("", _files(evidence, [item], "data file")))
            case [str(directory), names]:
                pairs.append((_plain(directory), _files(evidence, names or (), "data file")))
            case _:
                raise evidence.refused(f"has {item!r} among its data_files, which is no (directory, files)")
    return tuple(pairs)


def headers(evidence: Evidence) -> tuple[str, ...]:
    """Files that become headers of the wheel."""
    given = evidence.told["headers"]
    if given is not UNKNOWN:
        return _files(evidence, given or (), "header")
    if evidence.wheel is not None:
        return tuple(_by_name(evidence, name) for name in evidence.wheel.of_scheme("headers"))
    if evidence.told.all_named:
        evidence.missing.add("headers")
    return ()


def licenses(evidence: Evidence) -> tuple[str, ...]:
    """License files, by the declared patterns or the usual ones."""
    told, tree = evidence.told, evidence.tree
    patterns, single = told["license_files"], told["license_file"]
    if UNKNOWN in (patterns, single):
        named = evidence.metadata.headers.get("license-file", ())
        if named:
            return tuple(path for path in named if path in tree.files)
        patterns, single = None, None
    if patterns is None and single is None:
        patterns = _LICENSES
    chosen = [patterns] if isinstance(patterns, str) else list(patterns or ())
    if single and single not in chosen:
        chosen.append(single)
    found = [
        normal
        for pattern in chosen
        for path in sorted(tree.glob(str(pattern)))
        if (normal := tree.normal(path)) in tree.files and normal and not path.endswith("~")
    ]
    return tuple(dict.fromkeys(found))


def _files(evidence: Evidence, given: Any, kind: str) -> tuple[str, ...]:
    paths = []
    for path in [given] if isinstance(given, str) else list(given):
        normal = evidence.tree.normal(str(path))
        if normal is None or normal not in evidence.tree.files:
            raise evidence.refused(f"has no file '{path}', which is a {kind} of it: nothing builds it")
        paths.append(normal)
    return tuple(paths)


def _plain(directory: str) -> str:
    normal = posixpath.normpath(directory) if directory else ""
    return "" if normal == "." else normal


def _by_name(evidence: Evidence, path: str) -> str:
    """The file of the sdist that a wheel has under another path: the one of that name, the nearest to the top."""
    name = posixpath.basename(path)
    found = [file for file in evidence.tree.files if posixpath.basename(file) == name]
    if not found:
        raise evidence.refused(f"has no file '{name}', which its wheel has: they are of different builds")
    return min(found, key=lambda file: (file.count("/"), file))


def _is_like_a_script(evidence: Evidence, path: str) -> bool:
    return path.partition("/")[0] in _SCRIPT_FOLDERS and "/" in path and path in evidence.archive.first_lines
