"""Where the packages and modules of an sdist lie: as it says, as setuptools finds them, or as its egg-info has it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from simulator.sdists.discovery import AmbiguousLayoutError, Layout, automatic
from simulator.sdists.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.sdists.evidence import Evidence
    from simulator.sdists.metadata import SdistMetadata
    from simulator.sdists.tree import SourceTree


def find_layout(evidence: Evidence) -> Layout:
    """The packages and modules; what nothing tells is added to `evidence.missing`.

    Raises:
        BadInputError: setuptools would refuse to build it.
    """
    told = evidence.told
    package_dir = _package_dir(evidence)
    packages, modules = told["packages"], told["py_modules"]
    if packages is None and modules is None:
        try:
            return automatic(evidence.tree, package_dir)
        except AmbiguousLayoutError as error:
            raise evidence.refused(f"has {error} and does not say which it is: setuptools refuses that") from error
    found = Layout((), (), package_dir)
    if UNKNOWN in (packages, modules):
        found = _computed(evidence, package_dir)
    chosen = found.packages if packages is UNKNOWN else _names(packages)
    layout = Layout(
        chosen,
        found.py_modules if modules is UNKNOWN else _names(modules),
        package_dir,
        frozenset(package for package in chosen if _is_dotted(package, told["package_dir"])),
    )
    for package in layout.packages:
        place = directory_of(package, layout.package_dir)
        if not evidence.tree.is_directory(place):
            raise evidence.refused(f"has no directory '{place}' for its package {package}: nothing builds it")
    return layout


def _computed(evidence: Evidence, package_dir: dict[str, str]) -> Layout:
    found = _by_top_level(evidence.tree, evidence.metadata, package_dir)
    if found is not None:
        return found
    if evidence.wheel is not None:
        return evidence.wheel.layout(package_dir)
    evidence.missing.update(name for name in ("packages", "py_modules") if evidence.told[name] is UNKNOWN)
    return Layout((), (), package_dir)


def directory_of(package: str, package_dir: dict[str, str]) -> str:
    """Where a package lies; empty for the folder itself.

    Source: setuptools' documentation of ``package_dir``.
    """
    head = package.split(".") if package else []
    tail: list[str] = []
    while head:
        mapped = package_dir.get(".".join(head))
        if mapped is not None:
            return posixpath.join(mapped, *tail) if mapped or tail else ""
        tail.insert(0, head.pop())
    return posixpath.join(package_dir.get("", ""), *tail)


def _package_dir(evidence: Evidence) -> dict[str, str]:
    told = evidence.told
    given, found = told["package_dir"], told.found_package_dir
    if given is UNKNOWN:
        if evidence.wheel is not None:
            return evidence.wheel.package_dir(evidence.tree)
        place = posixpath.dirname(evidence.metadata.egg_info)
        table = {"": place} if place else {}
        if _by_top_level(evidence.tree, evidence.metadata, table) is None:
            evidence.missing.add("package_dir")
        return table
    table = {**found, **(given or {})} if told.by_pyproject else (given or found)
    return {str(name): _plain(str(place)) for name, place in table.items()}


def _is_dotted(package: str, given: object) -> bool:
    """Whether a package is mapped to the folder itself by a dot, as it is written."""
    if not isinstance(given, dict):
        return False
    parts = package.split(".")
    roots = (".".join(parts[:count]) for count in range(len(parts), -1, -1))
    mapped = next((given[root] for root in roots if root in given), None)
    return mapped is not None and set(str(mapped).split("/")) == {"."}


def _plain(place: str) -> str:
    normal = posixpath.normpath(place)
    return "" if normal == "." else normal


def _names(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    return tuple(dict.fromkeys(str(name).strip() for name in given)) if isinstance(given, list | tuple | set) else ()


def _by_top_level(tree: SourceTree, metadata: SdistMetadata, package_dir: dict[str, str]) -> Layout | None:
    """The packages below the names in top_level.txt that the sdist has files of; None where that does not fit."""
    if metadata.top_level is None:
        return None
    listed = metadata.sources if metadata.sources is not None else tree.files
    packages: list[str] = []
    modules: list[str] = []
    for name in metadata.top_level or ():
        place = directory_of(name, package_dir)
        if tree.is_directory(place):
            packages += _below(name, place, listed)
        elif tree.is_file(f"{place}.py"):
            modules.append(name)
        else:
            return None
    return Layout(tuple(packages), tuple(modules), package_dir)


def _below(name: str, place: str, listed: Iterable[str]) -> list[str]:
    """A package and those in it; directories without an ``__init__.py`` count where the first one has none either."""
    scripts = {file for file in listed if file.endswith(".py") and file.startswith(f"{place}/")}
    regular = f"{place}/__init__.py" in scripts
    directories = {posixpath.dirname(file) for file in scripts if not regular or file.endswith("/__init__.py")}
    found = []
    for directory in sorted(directories | {place}):
        inside = directory[len(place) :].strip("/")
        parts = inside.split("/") if inside else []
        if all(part.isidentifier() for part in parts):
            found.append(".".join([name, *parts]))
    return found
