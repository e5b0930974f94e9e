"""The install commands but install_egg_info: they fill the staging tree that becomes the wheel.

Guarantee: install_lib copies what build/lib lists at that moment, another build's files included; with declared
namespace packages it goes another way (os.walk, a mkdir before each file) and leaves their ``__init__`` out.
Scripts, headers and data files go to the wheel's data directory, data files of an absolute directory beside it.
Not guaranteed: byte-compilation, which a build of a wheel turns off.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import INSTALL_DATA, INSTALL_LIB, INSTALL_SCRIPTS
from simulator.actors.toolchains.stdlib import isdir
from simulator.actors.toolchains.unpack import unpack_directory

if TYPE_CHECKING:
    from simulator.actors.toolchains.process import Process
    from simulator.likeness.manifest import BuildSpec

_PERMISSIONS = 0o7777
_RUNNABLE = 0o555


def install_lib(process: Process) -> None:
    """Copy build/lib into the staging tree.

    Raises:
        ToolchainError: a sentence of distutils.
        OSError: anything else.
    """
    if not process.build.packages and not process.build.py_modules:
        return
    process.enter_phase(INSTALL_LIB)
    if not isdir(process.kernel, process.lib):
        return
    if process.build.namespace_packages:
        left_out = {f"{process.purelib}/{path}" for path in namespace_modules(process.build)}
        unpack_directory(process.kernel, process.lib, process.purelib, left_out)
    else:
        process.distutils.copy_tree(process.lib, process.purelib)


def namespaces(build: BuildSpec) -> list[str]:
    """Declared namespace packages and their parents, by name."""
    found: set[str] = set()
    for name in build.namespace_packages:
        parts = name.split(".")
        found.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return sorted(found)


def namespace_modules(build: BuildSpec) -> set[str]:
    """Paths in the wheel that a namespace package must not have."""
    return {f"{name.replace('.', '/')}/__init__.py" for name in namespaces(build)}


def install_headers(process: Process) -> None:
    """Copy headers; as `install_lib`."""
    if not process.build.headers:
        return
    process.enter_phase(INSTALL_DATA)
    directory = f"{process.data}/headers"
    process.distutils.mkpath(directory)
    for path in process.build.headers:
        process.distutils.copy_file(f"{process.source}/{path}", directory, preserve_mode=True)


def install_data(process: Process) -> None:
    """Copy data files; as `install_lib`."""
    if not process.build.data_files:
        return
    process.enter_phase(INSTALL_DATA)
    data = f"{process.data}/data"
    process.distutils.mkpath(data)
    for declared, paths in process.build.data_files:
        directory = process.distutils.native(declared)
        target = f"{process.tree}{directory}" if directory.startswith("/") else posixpath.join(data, directory)
        process.distutils.mkpath(target)
        for path in paths:
            process.distutils.copy_file(f"{process.source}/{path}", target, preserve_mode=True)


def data_directory(data: str, directory: str) -> str:
    """Where in the wheel the data files of a directory lie: an absolute one is taken from the wheel's root.

    Args:
        data: name of the wheel's data directory.
        directory: as the setup script has it.
    """
    return posixpath.normpath(posixpath.join(f"/{data}/data", directory)).lstrip("/")


def install_scripts(process: Process) -> None:
    """Copy the collected scripts, whoever collected them, and make them runnable; as `install_lib`."""
    if not process.build.scripts:
        return
    process.enter_phase(INSTALL_SCRIPTS)
    for path in process.distutils.copy_tree(process.scripts, f"{process.data}/scripts"):
        process.kernel.chmod(path, (process.kernel.stat(path).st_mode | _RUNNABLE) & _PERMISSIONS)
