"""What setup.cfg says, in the words of `setup()`.

Source: setuptools' documentation, "Configuring setuptools using setup.cfg files". Values that are read from files or
modules (``file:``, ``attr:``) do not decide what is built, and are not followed.
"""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING, Any

from simulator.sdists.discovery import find_packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.sdists.tree import SourceTree

_FIND = "find:"
_FIND_NAMESPACE = "find_namespace:"
_TRUE = frozenset({"1", "true", "yes"})


def read_setup_cfg(text: str) -> dict[str, dict[str, str]]:
    """Sections to their options; names of options with underscores.

    Raises:
        ValueError: it is no such file; the message is one line.
    """
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as setuptools does: names keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(" ".join(str(error).split())) from error
    return {
        section: {
            key.replace("-", "_").lower() if not _keeps_keys(section) else key: value
            for key, value in parser.items(section)
        }
        for section in parser.sections()
    }


def _keeps_keys(section: str) -> bool:
    """Whether the keys are names of packages and paths."""
    return section in {"options.package_data", "options.exclude_package_data", "options.data_files"}


def options(sections: dict[str, dict[str, str]], tree: SourceTree) -> dict[str, Any]:
    """The arguments of `setup()` that setup.cfg gives; what it leaves out is left out.

    Where packages are searched for in a directory, the ``package_dir`` that follows is ``found_package_dir``.
    """
    given = sections.get("options", {})
    found: dict[str, Any] = {}
    for name, read in _OPTIONS.items():
        if name in given:
            found[name] = read(given[name])
    if "packages" in given:
        found |= _packages(given["packages"].strip(), sections.get("options.packages.find", {}), tree)
    for name in ("package_data", "exclude_package_data"):
        if f"options.{name}" in sections:
            table = {key: as_list(value) for key, value in sections[f"options.{name}"].items()}
            found[name] = everywhere(table)
    if "options.data_files" in sections:
        found["data_files"] = [
            (directory, expanded(as_list(value), tree)) for directory, value in sections["options.data_files"].items()
        ]
    metadata = sections.get("metadata", {})
    if "license_files" in metadata:
        found["license_files"] = as_list(metadata["license_files"])
    if "license_file" in metadata:
        found["license_file"] = metadata["license_file"].strip()
    return found


def pbr_options(sections: dict[str, dict[str, str]], tree: SourceTree) -> dict[str, Any]:
    """What pbr makes of setup.cfg, where it configures setuptools: its section ``[files]``.

    Source: pbr's documentation, "Using pbr", section "files".
    """
    files = sections.get("files", {})
    roots = as_list(files.get("packages", "")) or [sections.get("metadata", {}).get("name", "")]
    packages = [
        name
        for root in roots
        if tree.is_directory(root.replace(".", "/"))
        for name in (root, *(f"{root}.{inner}" for inner in find_packages(tree, root.replace(".", "/"))))
    ]
    found: dict[str, Any] = {"packages": packages, "include_package_data": True, "zip_safe": False}
    for key, name in (("modules", "py_modules"), ("scripts", "scripts")):
        if key in files:
            found[name] = as_list(files[key])
    pairs: list[tuple[str, list[str]]] = []
    for line in as_list(files.get("data_files", "")):
        directory, separator, rest = (part.strip(" '") for part in line.partition("="))
        if separator:
            pairs.append((directory, []))
        if (rest or not separator) and pairs:
            pairs[-1][1].extend(expanded([rest if separator else directory], tree))
    if pairs:
        found["data_files"] = pairs
    return found


def as_list(value: str) -> list[str]:
    """Items one a line, or separated by commas where there is one line."""
    parts = value.splitlines() if "\n" in value else value.split(",")
    return [part.strip() for part in parts if part.strip()]


def as_flag(value: str) -> bool:
    """Yes or no."""
    return value.strip().lower() in _TRUE


def everywhere(table: dict[str, Any]) -> dict[str, Any]:
    """``*`` stands for every package, which `setup()` writes as the empty name."""
    return {"" if key == "*" else key: value for key, value in table.items()}


def expanded(patterns: list[str], tree: SourceTree) -> list[str]:
    """Paths and patterns of paths, as paths."""
    return [
        path
        for pattern in patterns
        for path in (sorted(tree.glob(pattern)) if set(pattern) & set("*?[{") else [pattern])
    ]


def _as_table(value: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in as_list(value))
    return {key.strip(): place.strip() for key, _, place in pairs}


def _packages(directive: str, section: dict[str, str], tree: SourceTree) -> dict[str, Any]:
    if directive not in {_FIND, _FIND_NAMESPACE}:
        return {"packages": as_list(directive)}
    where = (as_list(section.get("where", "")) or ["."])[0]
    packages = find_packages(
        tree,
        where,
        as_list(section.get("exclude", "")),
        as_list(section.get("include", "")) or ("*",),
        namespaces=directive == _FIND_NAMESPACE,
    )
    return {"packages": packages, "found_package_dir": {} if tree.normal(where) == "" else {"": where}}


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "zip_safe": as_flag,
    "include_package_data": as_flag,
    "package_dir": _as_table,
    "scripts": as_list,
    "namespace_packages": as_list,
    "py_modules": as_list,
    "install_requires": as_list,
    "eager_resources": as_list,
    "entry_points": str,
}
