"""What pyproject.toml says: which back end builds, and what it is told, in the words of `setup()`.

Source: PEP 517 and 518 for ``[build-system]``; setuptools' documentation, "Configuring setuptools using
pyproject.toml files", for the rest.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from simulator.sdists.discovery import find_packages
from simulator.sdists.setup_cfg import everywhere, expanded

if TYPE_CHECKING:
    from simulator.sdists.tree import SourceTree

LEGACY_BACK_END = "setuptools.build_meta:__legacy__"
SETUPTOOLS_BACK_ENDS = frozenset({"setuptools.build_meta", LEGACY_BACK_END})
# Patterns that keep a search out of the output directory, whatever is below it.
_NOT_THERE = frozenset({"dist*", "dist.*"})
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# As `[tool.setuptools]` calls them, and as `setup()` does.
_SAME_THING = {
    "zip-safe": "zip_safe",
    "py-modules": "py_modules",
    "package-dir": "package_dir",
    "script-files": "scripts",
    "namespace-packages": "namespace_packages",
    "eager-resources": "eager_resources",
    "license-files": "license_files",
    "include-package-data": "include_package_data",
    "ext-modules": "ext_modules",
}


def read_pyproject(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        ValueError: it is no TOML; the message is one line.
    """
    return tomllib.loads(text)


def table(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A table in the document; empty where there is none."""
    found: Any = document
    for key in keys:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def back_end(document: dict[str, Any]) -> str:
    """Who builds; ``in-tree`` in front where the sdist brings its own."""
    system = table(document, "build-system")
    name = str(system.get("build-backend", LEGACY_BACK_END))
    return f"in-tree {name}" if "backend-path" in system else name


def is_legacy(document: dict[str, Any]) -> bool:
    """Whether setup.py is run as a script would be, with the folder to import from."""
    return back_end(document) == LEGACY_BACK_END


def build_requirements(document: dict[str, Any]) -> frozenset[str]:
    """Lower-case names of what has to be there while it is built."""
    given = table(document, "build-system").get("requires", [])
    return frozenset(project_of(str(item)) for item in given if isinstance(given, list)) - {""}


def project_of(requirement: str) -> str:
    """The lower-case name that a requirement begins with; empty where it begins with none."""
    match = _REQUIREMENT_NAME.match(requirement.strip())
    return match[0].lower() if match is not None else ""


def tells_setuptools(document: dict[str, Any]) -> bool:
    """Whether setuptools takes the configuration from here."""
    return bool(table(document, "project") or table(document, "tool", "setuptools"))


def options(document: dict[str, Any], tree: SourceTree) -> dict[str, Any]:
    """The arguments of `setup()` that pyproject.toml gives; what it leaves out is left out.

    Where packages are searched for, the ``package_dir`` that follows is ``found_package_dir``.
    """
    given = table(document, "tool", "setuptools")
    found = {name: given[key] for key, name in _SAME_THING.items() if key in given}
    for key, name in (("package-data", "package_data"), ("exclude-package-data", "exclude_package_data")):
        if key in given:
            found[name] = everywhere(table(given, key))
    if "data-files" in given:
        pairs = table(given, "data-files").items()
        found["data_files"] = [(directory, expanded(list(names), tree)) for directory, names in pairs]
    packages = given.get("packages")
    if isinstance(packages, list):
        found["packages"] = packages
    elif isinstance(packages, dict):
        found |= _found(table(packages, "find"), tree)
    project = table(document, "project")
    if "license-files" in project:
        found["license_files"] = project["license-files"]
    for key, name in (("dependencies", "install_requires"), ("entry-points", "entry_points")):
        if key in project:
            found[name] = project[key]
    if project.get("scripts") or project.get("gui-scripts"):
        found["entry_points"] = True
    return found


def _found(find: dict[str, Any], tree: SourceTree) -> dict[str, Any]:
    where = find.get("where", ["."])
    search = list(dict.fromkeys([where] if isinstance(where, str) else where))
    package_dir: dict[str, str] = {}
    if len(search) == 1 and tree.normal(search[0]) != "":
        package_dir[""] = search[0]
    packages: list[str] = []
    for place in search:
        here = find_packages(
            tree,
            place,
            find.get("exclude", ()),
            find.get("include", ("*",)),
            namespaces=find.get("namespaces", True),
        )
        packages += here
        if package_dir.get("") != place and tree.normal(place) != "":
            package_dir |= {name: f"{place}/{name.replace('.', '/')}" for name in here}
    searched = find.get("namespaces", True) and any(tree.normal(place) == "" for place in search)
    return {
        "packages": packages,
        "found_package_dir": package_dir,
        # The search would go into the output directory, unless it is told not to.
        "finds_in_root": bool(searched) and not _NOT_THERE & set(find.get("exclude", ())),
    }
