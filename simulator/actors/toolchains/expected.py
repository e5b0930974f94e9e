"""What a whole wheel holds: for the oracle that opens what a build has published.

Guarantee: derived from the manifest and the release alone, by the same rules as a build that meets nobody. A wheel
that differs (RECORD aside) is missing something, truncated, or carries something foreign.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.dist_info import (
    LEFT_OUT,
    METADATA,
    WHEEL,
    license_name,
    metadata_bytes,
    namespaces_bytes,
    wheel_file_bytes,
)
from simulator.actors.toolchains.egg_info import FLAGS
from simulator.actors.toolchains.install_commands import data_directory, namespace_modules
from simulator.likeness.manifest import FileSpec, content

if TYPE_CHECKING:
    from simulator.actors.toolchains.names import WheelNames
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import BuildSpec, SdistManifest, WheelManifest

# Written from what was read, so it is as wrong as the wheel is.
_RECORD = ".dist-info/RECORD"


def published_files(package: WheelManifest) -> dict[str, bytes]:
    """What a downloaded wheel holds: path in it to its bytes, RECORD left out."""
    return {file.path: content(package.identifier, file) for file in package.files if not file.path.endswith(_RECORD)}


def expected_wheel_files(package: SdistManifest, release: Release, names: WheelNames) -> dict[str, bytes]:
    """What a wheel that was built holds: path in it to its bytes, RECORD left out."""
    sources = {file.path: content(package.identifier, file) for file in package.files}
    places = {**_modules_and_data(package), **_beside_modules(package.build, names)}
    files = {place: sources[path] for place, path in places.items()}
    if package.build.namespace_packages:
        for place in namespace_modules(package.build):
            files.pop(place, None)
        files[names.namespaces] = namespaces_bytes(package, names)
    return {**files, **_dist_info(package, release, names, sources)}


def _modules_and_data(package: SdistManifest) -> dict[str, str]:
    """Path in the wheel to path in the sources."""
    build = package.build
    known = {file.path for file in package.files}
    places = {}
    for name in build.packages:
        inside = build.directory_of(name)
        for path in known:
            if os.path.dirname(path) == inside and _is_module(path):
                places["/".join((*name.split("."), os.path.basename(path)))] = path
    for module in build.py_modules:
        parent, _, name = module.rpartition(".")
        for file in (f"{name}.py", "__init__.py") if parent else (f"{name}.py",):
            path = "/".join(part for part in (build.directory_of(parent), file) if part)
            if path in known:
                places["/".join(part for part in (*parent.split("."), file) if part)] = path
    return places | {build.installed_path(path): path for path in build.package_data}


def _is_module(path: str) -> bool:
    return path.endswith(".py") and not os.path.basename(path).startswith(".")


def _beside_modules(build: BuildSpec, names: WheelNames) -> dict[str, str]:
    """Scripts, headers and data files: path in the wheel to path in the sources."""
    places = {f"{names.data}/scripts/{os.path.basename(path)}": path for path in build.scripts}
    places |= {f"{names.data}/headers/{os.path.basename(path)}": path for path in build.headers}
    for directory, paths in build.data_files:
        inside = data_directory(names.data, directory)
        places |= {f"{inside}/{os.path.basename(path)}": path for path in paths}
    return places


def _dist_info(
    package: SdistManifest, release: Release, names: WheelNames, sources: dict[str, bytes]
) -> dict[str, bytes]:
    build, identifier = package.build, package.identifier
    files: dict[str, bytes] = {}
    for file in build.egg_info_files:
        path = f"{build.egg_info}/{file.path}"
        is_new_flag = file.path in FLAGS and path not in sources
        data = b"\n" if is_new_flag else content(identifier, FileSpec(path, file.size))
        blank_links = file.path == "dependency_links.txt" and not data.strip()
        if os.path.basename(file.path) not in LEFT_OUT and not blank_links:
            files[file.path] = data
    files[METADATA] = metadata_bytes(package, release, names)
    files[WHEEL] = wheel_file_bytes(package, release, names)
    for path in build.license_files:
        files[license_name(release, path)] = sources[path]
    return {f"{names.dist_info}/{name}": data for name, data in files.items()}
