"""install_egg_info of setuptools 69.5.1 and egg2dist of wheel 0.43.0: egg-info to staging tree to dist-info.

Guarantee: the copy of whatever the egg-info directory lists at that moment (another build's temporary file
included), the conversion by copytree, the removals on the way, and each failure in the words of the real one.
Not guaranteed: METADATA is not computed from headers. It has the size that the real one has, less what is
missing of the PKG-INFO that was read; a PKG-INFO that was read empty fails as the real parser does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import BAD_METADATA, NO_EGG_INFO, NOT_A_DIRECTORY, ToolchainError
from simulator.actors.toolchains.copytree import copy, copyfile, copystat, copytree
from simulator.actors.toolchains.rmtree import rmtree
from simulator.actors.toolchains.stdlib import exists, isdir, isfile, islink, makedirs, read_file, walk, write_file
from simulator.manifest import FileSpec, content

if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.distutils import Distutils

# Egg metadata that a wheel has no use for.
LEFT_OUT = frozenset({"PKG-INFO", "requires.txt", "SOURCES.txt", "not-zip-safe"})


def install_egg_info(kernel: Kernel, distutils: Distutils, source: str, target: str) -> None:
    """Copy the egg-info directory into the staging tree.

    Raises:
        OSError: a listed file is gone, the staging tree is gone or closed.
        ToolchainError: NOT_A_DIRECTORY when there is no egg-info directory.
    """
    if isdir(kernel, target) and not islink(kernel, target):
        distutils.remove_tree(target)
    elif exists(kernel, target):
        kernel.unlink(target)
    makedirs(kernel, os.path.dirname(target), exist_ok=True)
    if not isdir(kernel, source):
        raise ToolchainError(NOT_A_DIRECTORY, source)
    for base, _, names in walk(kernel, source):
        inside = target + base[len(source) :]
        for name in names:
            makedirs(kernel, inside, exist_ok=True)
            copyfile(kernel, f"{base}/{name}", f"{inside}/{name}")
            copystat(kernel, f"{base}/{name}", f"{inside}/{name}")


def egg_info_to_dist_info(kernel: Kernel, request: BuildRequest, egg_info: str, dist_info: str) -> None:
    """Turn the copied egg-info directory into the wheel's dist-info directory, and remove it.

    Raises:
        ToolchainError: NO_EGG_INFO, BAD_METADATA.
        shutil.Error: copytree collected errors.
        OSError: anything else; FileExistsError when another build has made the dist-info meanwhile.
    """
    _remove(kernel, dist_info)
    if not exists(kernel, egg_info):
        _look_for_alternatives(kernel, os.path.dirname(egg_info))
        raise ToolchainError(NO_EGG_INFO, egg_info)
    if isfile(kernel, egg_info):
        metadata = _metadata(kernel, request, egg_info, egg_info)
        kernel.mkdir(dist_info)
    else:
        metadata = _metadata(kernel, request, egg_info, f"{egg_info}/PKG-INFO")
        copytree(kernel, egg_info, dist_info, LEFT_OUT)
        links = f"{dist_info}/dependency_links.txt"
        if not read_file(kernel, links).strip():
            _remove(kernel, links)
    write_file(kernel, f"{dist_info}/METADATA", metadata)
    for path in request.package.build.license_files:
        copy(kernel, f"{request.source}/{path}", f"{dist_info}/{os.path.basename(path)}")
    _remove(kernel, egg_info)


def _metadata(kernel: Kernel, request: BuildRequest, egg_info: str, pkg_info: str) -> bytes:
    build = request.package.build
    read = read_file(kernel, pkg_info)
    if not read:
        raise ToolchainError(BAD_METADATA, pkg_info)
    requires = f"{egg_info}/requires.txt"
    if exists(kernel, requires):
        read += read_file(kernel, requires)
    sizes = {file.path: file.size for file in build.egg_info_files}
    missing = max(0, sizes["PKG-INFO"] + sizes.get("requires.txt", 0) - len(read))
    whole = dist_info_bytes(request, "METADATA")
    return whole[: max(0, len(whole) - missing)]


def dist_info_bytes(request: BuildRequest, name: str) -> bytes:
    """The bytes of a file that the conversion writes itself: METADATA or WHEEL."""
    build = request.package.build
    for file in build.dist_info_files:
        if file.path == name:
            return content(request.package.identifier, FileSpec(f"{build.dist_info}/{name}", file.size))
    return b""


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
