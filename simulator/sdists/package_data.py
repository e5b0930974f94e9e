"""Which files are copied beside the modules of packages: declared patterns, and with `include_package_data` the list.

Guarantee: the files that `build_py` of setuptools 69.5.1 and 84.2.1 copies, in its order, once for each package that
has them. Where setup.py computes the patterns, the sdist tells: its SOURCES.txt lists what they matched when it was
made, and what of it MANIFEST.in does not explain can only have come from them.
Not guaranteed: files that appear only while it is built.

Source: setuptools' documentation, "Data Files Support", and its `build_py`, `egg_info` and `sdist` commands.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from typing import TYPE_CHECKING, Any

from simulator.sdists.layout import directory_of
from simulator.sdists.template import apply_template
from simulator.sdists.told import text_of
from simulator.sdists.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.sdists.discovery import Layout
    from simulator.sdists.evidence import Evidence

_ALWAYS = ("*.pyi", "py.typed")
_READMES = ("README", "README.rst", "README.txt", "README.md")
# What every sdist has beside its modules, whatever MANIFEST.in says.
_STANDARD = (*_READMES, "setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in")
_PRUNED = re.compile(r"(^|/)(RCS|CVS|\.svn)/")


def package_data(evidence: Evidence, layout: Layout, extra: Iterable[str]) -> tuple[str, ...]:
    """The data files of all packages, as paths in the archive.

    Args:
        evidence: of the sdist; what nothing tells is added to `evidence.missing`.
        layout: its packages.
        extra: licenses, scripts and data files, which are in the list of files as well.
    """
    told = evidence.told
    patterns, excluded = told["package_data"], told["exclude_package_data"]
    included = told["include_package_data"]
    in_manifest = _manifest(evidence, layout, extra) if included is not None and included is not False else frozenset()
    if UNKNOWN in (included, patterns, excluded) and not (included is True and excluded is not UNKNOWN):
        return _computed(evidence, layout, extra)
    by_package = _by_package(layout, in_manifest)
    found: list[str] = []
    for package in layout.packages:
        place = directory_of(package, layout.package_dir)
        files = list(by_package.get(package, ()))
        for pattern in (*_ALWAYS, *_of(patterns, ""), *_of(patterns, package)):
            matched = evidence.tree.glob(posixpath.join(place, posixpath.normpath(pattern)))
            files += [path for path in matched if evidence.tree.is_file(path)]
        for pattern in (*_of(excluded, ""), *_of(excluded, package)):
            whole = posixpath.join(place, pattern)
            files = [path for path in files if not fnmatch.fnmatchcase(path, whole)]
        found += _inside(evidence, package, place, dict.fromkeys(files))
    return tuple(found)


def _of(patterns: Any, package: str) -> list[str]:
    given = patterns.get(package, ()) if isinstance(patterns, dict) else ()
    return [given] if isinstance(given, str) else [str(pattern) for pattern in given or ()]


def _inside(evidence: Evidence, package: str, place: str, files: Iterable[str]) -> list[str]:
    kept = []
    for path in files:
        normal = evidence.tree.normal(path) or ""
        if place and not normal.startswith(f"{place}/"):
            evidence.notes.append(f"'{normal}', which {package} has as data and which lies outside of it, is left out")
        else:
            kept.append(normal)
    return kept


def _computed(evidence: Evidence, layout: Layout, extra: Iterable[str]) -> tuple[str, ...]:
    """Data where setup.py computes what is data: as SOURCES.txt has it, or a wheel."""
    if evidence.wheel is not None:
        return evidence.wheel.package_data(evidence.tree.files, layout)
    places = {directory_of(package, layout.package_dir) for package in layout.packages}
    listed = evidence.metadata.sources
    if listed is None:
        listed = evidence.tree.files
        explained: frozenset[str] | set[str] = listed
    else:
        explained = _manifest(evidence, layout, extra, listed=False)
    data = [path for path in sorted(listed) if _is_data(path, places)]
    if any(path in explained and not _is_certain(path, places) for path in data):
        computed = ("include_package_data", "package_data", "exclude_package_data")
        evidence.missing.update(name for name in computed if evidence.told[name] is UNKNOWN)
    return tuple(data)


def _is_data(path: str, places: set[str]) -> bool:
    """Whether a file lies in a package and is no module of it."""
    above = posixpath.dirname(path)
    if above in places and path.endswith(".py"):
        return False
    while above and above not in places:
        above = posixpath.dirname(above)
    return above in places and not ("" in places and "/" not in path)


def _is_certain(path: str, places: set[str]) -> bool:
    """Whether a file is data whatever is declared."""
    return posixpath.dirname(path) in places and any(
        fnmatch.fnmatchcase(posixpath.basename(path), pattern) for pattern in _ALWAYS
    )


def _manifest(evidence: Evidence, layout: Layout, extra: Iterable[str], *, listed: bool = True) -> frozenset[str]:
    """The list of files that `egg_info` makes before data is looked for in it.

    Args:
        evidence: of the sdist.
        layout: its packages.
        extra: licenses, scripts and data files.
        listed: whether the SOURCES.txt that is there already is taken over.
    """
    tree, metadata = evidence.tree, evidence.metadata
    files = {path for path in (*_STANDARD, *extra) if path in tree.files}
    files.update(path for path in tree.glob("test/test*.py") if tree.is_file(path))
    for package in layout.packages:
        place = directory_of(package, layout.package_dir)
        files.update(path for path in tree.glob(posixpath.join(place, "*.py")) if tree.is_file(path))
        patterns = evidence.told["package_data"]
        if patterns is not UNKNOWN:
            wanted = (*_ALWAYS, *_of(patterns, ""), *_of(patterns, package))
            found = (
                path for pattern in wanted for path in tree.glob(posixpath.join(place, posixpath.normpath(pattern)))
            )
            files.update(path for path in found if path in tree.files)
    if listed and metadata.sources is not None:
        files |= metadata.sources
    if metadata.egg_info:
        files.update(tree.below(metadata.egg_info))
    apply_template(text_of(evidence.path, evidence.archive, "MANIFEST.in"), files, tree)
    files.update(path for path in extra if path in tree.files)
    return frozenset(path for path in files if not path.startswith("build/") and not _PRUNED.search(path))


def _by_package(layout: Layout, files: Iterable[str]) -> dict[str, list[str]]:
    """Files of the list that lie in a package, by the innermost one; its own modules are none."""
    owners = {
        directory_of(package, layout.package_dir): package
        for package in layout.packages
        if package not in layout.dotted
    }
    found: dict[str, list[str]] = {}
    for path in sorted(files, key=posixpath.split):
        above = posixpath.dirname(path)
        own = above
        while above and above not in owners:
            above = posixpath.dirname(above)
        if above not in owners:
            continue
        name = posixpath.basename(path)
        if above == own and name.endswith(".py") and name.removesuffix(".py").isidentifier():
            continue
        found.setdefault(owners[above], []).append(path)
    return found
