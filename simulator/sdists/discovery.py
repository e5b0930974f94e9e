"""Which packages and modules setuptools finds where it is told to look, or not told anything.

Guarantee: the same names as `find_packages`, `find_namespace_packages` and automatic discovery of setuptools 69.5.1
and 84.2.1, which agree. Not guaranteed: their order, which is that of a real listing; and directories that exist only
once a build has begun are not seen.

Source: setuptools' documentation, "Package Discovery and Namespace Packages", and its `discovery` module.
"""

from __future__ import annotations

import fnmatch
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulator.sdists.tree import SourceTree

_NEVER = ("ez_setup", "*__pycache__")

# Top-level names that are not taken for a distribution's own where nobody said what is.
_PACKAGE_NAMES = """
    ci bin debian doc docs documentation manpages news newsfragments changelog test tests unit_test unit_tests
    example examples scripts tools util utils python build dist venv env requirements tasks fabfile site_scons
    benchmark benchmarks exercise exercises htmlcov [._]*
"""
_MODULE_NAMES = """
    setup conftest test tests example examples build toxfile noxfile pavement dodo tasks fabfile [Ss][Cc]onstruct
    conanfile manage benchmark benchmarks exercise exercises [._]*
"""
_RESERVED_MODULES = tuple(_MODULE_NAMES.split())
_RESERVED = tuple(pattern for name in _PACKAGE_NAMES.split() for pattern in (name, f"{name}.*"))


@dataclass(frozen=True, slots=True)
class Layout:
    """What there is: dotted names, and where they lie.

    Attributes:
        packages: in no particular order.
        py_modules: single modules.
        package_dir: as the argument of `setup()`.
        dotted: packages that setuptools looks for in ``./name``: it finds them, but no file of a list of files in
            them, whose names do not begin like that.
    """

    packages: tuple[str, ...]
    py_modules: tuple[str, ...]
    package_dir: dict[str, str]
    dotted: frozenset[str] = frozenset()


class AmbiguousLayoutError(ValueError):
    """Several top-level names and nobody said which: setuptools refuses to build, and so do we."""


def find_packages(
    tree: SourceTree,
    where: str = ".",
    exclude: Iterable[str] = (),
    include: Iterable[str] = ("*",),
    *,
    namespaces: bool = False,
) -> list[str]:
    """The packages below a directory.

    Args:
        tree: of the sdist.
        where: the directory.
        exclude: patterns of dotted names.
        include: patterns of dotted names.
        namespaces: whether any directory is a package, or only one with an ``__init__.py``.
    """

    def looks(path: str, _: str) -> bool:
        return namespaces or tree.is_file(posixpath.join(path, "__init__.py"))

    return list(_packages(tree, where, (*_NEVER, *exclude), tuple(include), looks))


def _packages(
    tree: SourceTree, where: str, exclude: tuple[str, ...], include: tuple[str, ...], looks: Callable[[str, str], bool]
) -> Iterator[str]:
    top = tree.normal(where)
    if top is None:
        return
    for path, directories, _ in tree.walk(top):
        names, directories[:] = directories[:], []
        for name in names:
            inside = posixpath.join(path, name)
            package = inside[len(top) :].lstrip("/").replace("/", ".")
            if "." in name or not looks(inside, package):
                continue
            if _matches(package, include) and not _matches(package, exclude):
                yield package
            # A pattern that takes all below a name away ends the search there.
            if f"{package}*" not in exclude and f"{package}.*" not in exclude:
                directories.append(name)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def find_modules(tree: SourceTree, where: str, exclude: Iterable[str] = ()) -> list[str]:
    """The single modules in a directory."""
    stems = [name.removesuffix(".py") for name in tree.names(where) if name.endswith(".py")]
    return [stem for stem in stems if stem.isidentifier() and not _matches(stem, exclude)]


def automatic(tree: SourceTree, package_dir: dict[str, str]) -> Layout:
    """What is built when neither packages nor modules are declared.

    Raises:
        AmbiguousLayoutError: several top-level packages or modules lie side by side.
    """
    explicit = {name: place for name, place in package_dir.items() if name}
    if explicit:
        packages = [
            name
            for root, place in explicit.items()
            for name in (root, *(f"{root}.{inner}" for inner in find_packages(tree, place, namespaces=True)))
        ]
        return Layout(tuple(packages), (), package_dir)
    source = package_dir.get("", "src")
    if tree.is_directory(source):
        found = find_packages(tree, source, namespaces=True)
        return Layout(tuple(found), tuple(find_modules(tree, source)), {"": posixpath.basename(source), **package_dir})
    return _flat(tree, package_dir)


def _flat(tree: SourceTree, package_dir: dict[str, str]) -> Layout:
    packages = list(_packages(tree, ".", (*_NEVER, *_RESERVED), ("*",), _importable))
    roots = {name.partition(".")[0] for name in packages}
    roots = {name for name in roots if not name.endswith("-stubs")}
    if len(roots) > 1:
        raise AmbiguousLayoutError(f"several top-level packages ({', '.join(sorted(roots))})")
    if roots:
        return Layout(tuple(packages), (), package_dir)
    modules = find_modules(tree, ".", _RESERVED_MODULES)
    if len(modules) > 1:
        raise AmbiguousLayoutError(f"several top-level modules ({', '.join(modules)})")
    return Layout(tuple(packages), tuple(modules), package_dir)


def _importable(_: str, package: str) -> bool:
    root, *inner = package.split(".")
    return (root.isidentifier() or root.endswith("-stubs")) and all(name.isidentifier() for name in inner)
