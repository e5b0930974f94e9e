"""What a whole wheel holds: for the oracle that opens what a build has published.

Guarantee: derived from the manifest alone, by the same rules as a build that meets nobody. A wheel that differs
(RECORD aside) is missing something, truncated, or carries something foreign.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.dist_info import LEFT_OUT
from simulator.manifest import FileSpec, WheelManifest, content

if TYPE_CHECKING:
    from simulator.manifest import SdistManifest

# Written from what was read, so it is as wrong as the wheel is.
_RECORD = ".dist-info/RECORD"
_WRITTEN_BY_CONVERSION = ("METADATA", "WHEEL")


def expected_wheel_files(package: SdistManifest | WheelManifest) -> dict[str, bytes]:
    """Path in the wheel to its bytes, RECORD left out."""
    if isinstance(package, WheelManifest):
        return {
            file.path: content(package.identifier, file) for file in package.files if not file.path.endswith(_RECORD)
        }
    return {**_modules_and_data(package), **_dist_info(package)}


def _modules_and_data(package: SdistManifest) -> dict[str, bytes]:
    build = package.build
    directories = {build.directory_of(name) for name in build.packages}
    modules = {_module_path(package, module) for module in build.py_modules}
    return {
        build.installed_path(file.path): content(package.identifier, file)
        for file in package.files
        if file.path in build.package_data
        or file.path in modules
        or (_is_module(file.path) and os.path.dirname(file.path) in directories)
    }


def _module_path(package: SdistManifest, module: str) -> str:
    parent, _, name = module.rpartition(".")
    return "/".join(part for part in (package.build.directory_of(parent), f"{name}.py") if part)


def _is_module(path: str) -> bool:
    return path.endswith(".py") and not os.path.basename(path).startswith(".")


def _dist_info(package: SdistManifest) -> dict[str, bytes]:
    build, identifier = package.build, package.identifier
    files: dict[str, bytes] = {}
    for file in build.egg_info_files:
        data = content(identifier, FileSpec(f"{build.egg_info}/{file.path}", file.size))
        blank_links = file.path == "dependency_links.txt" and not data.strip()
        if file.path not in LEFT_OUT and not blank_links:
            files[file.path] = data
    for file in build.dist_info_files:
        if file.path in _WRITTEN_BY_CONVERSION:
            files[file.path] = content(identifier, FileSpec(f"{build.dist_info}/{file.path}", file.size))
    sizes = {file.path: file for file in package.files}
    for path in build.license_files:
        files[os.path.basename(path)] = content(identifier, sizes[path])
    return {f"{build.dist_info}/{name}": data for name, data in files.items()}
