"""install_egg_info of setuptools and egg2dist of bdist_wheel: egg-info to staging tree to dist-info.

Guarantee: the copy of whatever the egg-info directory lists at that moment (another build's temporary file
included), the conversion by copytree, the removals on the way, and each failure in the words of the real one.
Not guaranteed: METADATA is not computed from headers where a release does that. It has the size that the real one
has, less what is missing of the PKG-INFO that was read; a PKG-INFO that was read empty fails as the real parser does.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import BAD_METADATA, NO_EGG_INFO, ToolchainError
from simulator.actors.toolchains.copytree import copy, copytree
from simulator.actors.toolchains.rmtree import rmtree
from simulator.actors.toolchains.stdlib import exists, isdir, isfile, islink, makedirs, read_file, write_file
from simulator.actors.toolchains.unpack import unpack_directory
from simulator.likeness.manifest import FileSpec, content

if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.names import WheelNames
    from simulator.actors.toolchains.process import Process
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import SdistManifest

# Egg metadata that a wheel has no use for.
LEFT_OUT = frozenset({"PKG-INFO", "requires.txt", "SOURCES.txt", "not-zip-safe"})
METADATA = "METADATA"
WHEEL = "WHEEL"

# What setuptools_scm (10.3) takes out of a wheel's metadata.
_SCM_FILES = ("scm_version.json", "scm_file_list.json")

# One line of code for each name.
_NAMESPACE_LINE_SIZE = 500


def install_egg_info(process: Process) -> None:
    """Copy the egg-info directory into the staging tree, and write the file for namespace packages if there are any.

    Raises:
        OSError: a listed file is gone, the staging tree is gone or closed.
        ToolchainError: NOT_A_DIRECTORY when there is no egg-info directory.
    """
    kernel, target = process.kernel, process.staged_egg_info
    if isdir(kernel, target) and not islink(kernel, target):
        process.distutils.remove_tree(target)
    elif exists(kernel, target):
        kernel.unlink(target)
    makedirs(kernel, os.path.dirname(target), exist_ok=True)
    unpack_directory(kernel, process.egg_info, target)
    if process.build.namespace_packages:
        data = namespaces_bytes(process.request.package, process.names)
        write_file(kernel, f"{process.purelib}/{process.names.namespaces}", data)


def egg_info_to_dist_info(process: Process) -> None:
    """Turn the copied egg-info directory into the wheel's dist-info directory, and remove it.

    Raises:
        ToolchainError: NO_EGG_INFO, BAD_METADATA.
        shutil.Error: copytree collected errors.
        OSError: anything else; FileExistsError when another build has made the dist-info meanwhile.
    """
    kernel, egg_info, dist_info = process.kernel, process.staged_egg_info, process.dist_info
    _remove(kernel, dist_info)
    if not exists(kernel, egg_info):
        _look_for_alternatives(kernel, os.path.dirname(egg_info))
        raise ToolchainError(NO_EGG_INFO, egg_info)
    if process.release.converts_metadata:
        _convert(process)
    else:
        _copy_metadata_files(kernel, egg_info, dist_info)
        copy(kernel, f"{egg_info}/PKG-INFO", f"{dist_info}/{METADATA}")
    for path in process.build.license_files:
        target = f"{dist_info}/{license_name(process.release, path)}"
        if process.release.licenses:
            makedirs(kernel, os.path.dirname(target), exist_ok=True)
        copy(kernel, f"{process.source}/{path}", target)
    _remove(kernel, egg_info)
    if process.build.scm_version and process.release.own_bdist_wheel:
        for name in _SCM_FILES:
            # It writes them where it knows a repository; an unpacked archive is none.
            with suppress(FileNotFoundError):
                kernel.unlink(f"{dist_info}/{name}")


def _convert(process: Process) -> None:
    kernel, egg_info, dist_info = process.kernel, process.staged_egg_info, process.dist_info
    if isfile(kernel, egg_info):
        metadata = _converted_metadata(process, egg_info)
        kernel.mkdir(dist_info)
    else:
        metadata = _converted_metadata(process, f"{egg_info}/PKG-INFO")
        _copy_metadata_files(kernel, egg_info, dist_info)
    write_file(kernel, f"{dist_info}/{METADATA}", metadata)


def _copy_metadata_files(kernel: Kernel, egg_info: str, dist_info: str) -> None:
    copytree(kernel, egg_info, dist_info, LEFT_OUT)
    links = f"{dist_info}/dependency_links.txt"
    if not read_file(kernel, links).strip():
        _remove(kernel, links)


def _converted_metadata(process: Process, pkg_info: str) -> bytes:
    kernel = process.kernel
    read = read_file(kernel, pkg_info)
    if not read:
        raise ToolchainError(BAD_METADATA, pkg_info)
    requires = f"{process.staged_egg_info}/requires.txt"
    if exists(kernel, requires):
        read += read_file(kernel, requires)
    sizes = {file.path: file.size for file in process.build.egg_info_files}
    missing = max(0, sizes["PKG-INFO"] + sizes.get("requires.txt", 0) - len(read))
    whole = metadata_bytes(process.request.package, process.release, process.names)
    return whole[: max(0, len(whole) - missing)]


def metadata_bytes(package: SdistManifest, release: Release, names: WheelNames) -> bytes:
    """What METADATA holds when nobody interferes."""
    build = package.build
    pkg_info = next(file for file in build.egg_info_files if file.path == "PKG-INFO")
    if not release.converts_metadata:
        return content(package.identifier, FileSpec(f"{build.egg_info}/PKG-INFO", pkg_info.size))
    told = [file.size for file in build.dist_info_files if file.path == METADATA]
    return content(package.identifier, FileSpec(f"{names.dist_info}/{METADATA}", (told or [pkg_info.size])[0]))


def wheel_file_bytes(package: SdistManifest, release: Release, names: WheelNames) -> bytes:
    """What WHEEL holds: as many bytes as its four headers take."""
    headers = ["Wheel-Version: 1.0", f"Generator: {release.generator}", "Root-Is-Purelib: true"]
    size = sum(len(line) + 1 for line in [*headers, *(f"Tag: {tag}" for tag in names.tags), ""])
    return content(package.identifier, FileSpec(f"{names.dist_info}/{WHEEL}", size))


def namespaces_bytes(package: SdistManifest, names: WheelNames) -> bytes:
    """What the file for namespace packages holds."""
    size = _NAMESPACE_LINE_SIZE * len(package.build.namespace_packages)
    return content(package.identifier, FileSpec(names.namespaces, size))


def license_name(release: Release, path: str) -> str:
    """Where in the dist-info a license file lies.

    Args:
        release: which setuptools.
        path: relative to the sources.
    """
    if not release.licenses:
        return posixpath.basename(path)
    normal = posixpath.normpath(path)
    return f"{release.licenses}/{posixpath.basename(normal) if '../' in normal else normal}"


def _look_for_alternatives(kernel: Kernel, directory: str) -> None:
    """The real one looks for a misnamed egg-info, for its message."""
    try:
        kernel.listdir(directory)
    except OSError:
        return


def _remove(kernel: Kernel, path: str) -> None:
    """Delete a directory, file or link; removing a directory has no handler here."""
    if exists(kernel, path) and not islink(kernel, path) and isdir(kernel, path):
        rmtree(kernel, path)
    elif exists(kernel, path):
        kernel.unlink(path)
