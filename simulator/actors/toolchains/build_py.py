"""The build commands: build_py collects modules and package data in build/lib, build_scripts scripts beside it.

Guarantee: single modules first, each with the ``__init__`` of its package; then packages, as their directories are
listed at that moment; then, with `include_package_data`, the egg-info is written; then data, made writable; then
the files in which setuptools_scm keeps the version.
Not guaranteed: a Python script's first line is written anew in the real thing; here its copy has the same bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import BUILD_PY, BUILD_SCRIPTS, EGG_INFO, NOT_A_DIRECTORY, ToolchainError
from simulator.actors.toolchains.egg_info import write_egg_info
from simulator.actors.toolchains.stdlib import exists, isdir, isfile, path_mkdir, read_file, write_file
from simulator.likeness.manifest import content

if TYPE_CHECKING:
    from simulator.actors.toolchains.process import Process

_WRITABLE = 0o200
_PERMISSIONS = 0o7777
_RUNNABLE = 0o555
_INIT = "__init__.py"


def build_py(process: Process) -> bool:
    """Collect modules and data in build/lib; returns whether the egg-info was written on the way.

    Raises:
        ToolchainError: a sentence of distutils.
        OSError: anything else.
    """
    build = process.build
    process.enter_phase(BUILD_PY)
    for package, name in _single_modules(process):
        _copy_module(process, package, name)
    for package in build.packages:
        directory = _package_directory(process, package)
        for name in _modules(process, directory):
            _copy_module(process, package, name)
    if not build.packages and not build.py_modules:
        return False
    # Without a package too: the list of outputs asks for the data files of none.
    if build.include_package_data:
        process.enter_phase(EGG_INFO)
        write_egg_info(process)
    if build.package_data:
        process.enter_phase(BUILD_PY)
    for path in build.package_data:
        _copy_data(process, path)
    if build.version_files:
        process.enter_phase(BUILD_PY)
    for path in build.version_files:
        _write_version(process, path)
    return build.include_package_data


def _single_modules(process: Process) -> list[tuple[str, str]]:
    """(Package, file name) of the declared modules that are there, looked for before the first is copied."""
    found: list[tuple[str, str]] = []
    known: dict[str, str] = {}
    for module in process.build.py_modules:
        package, _, name = module.rpartition(".")
        if package not in known:
            known[package] = _package_directory(process, package)
            if package and isfile(process.kernel, f"{known[package]}/{_INIT}"):
                found.append((package, _INIT))
        if isfile(process.kernel, f"{known[package]}/{name}.py"):
            found.append((package, f"{name}.py"))
    return found


def _package_directory(process: Process, package: str) -> str:
    inside = process.build.directory_of(package)
    if not inside:
        # The root of the sources: the real one does not look whether it is there.
        return process.source
    directory = f"{process.source}/{inside}"
    if not exists(process.kernel, directory) or not isdir(process.kernel, directory):
        raise ToolchainError(NOT_A_DIRECTORY, directory)
    return directory


def _modules(process: Process, directory: str) -> list[str]:
    """What ``glob("*.py")`` finds: hidden files are left out, and so is a directory that cannot be listed."""
    isfile(process.kernel, f"{directory}/{_INIT}")
    try:
        names = process.kernel.listdir(directory)
    except OSError:
        return []
    return [name for name in names if name.endswith(".py") and not name.startswith(".")]


def _copy_module(process: Process, package: str, name: str) -> None:
    source = "/".join(part for part in (process.source, process.build.directory_of(package), name) if part)
    directory = "/".join(part for part in (process.lib, *package.split(".")) if part)
    process.distutils.mkpath(directory)
    process.distutils.copy_file(source, f"{directory}/{name}", preserve_mode=False)


def _copy_data(process: Process, path: str) -> None:
    target = f"{process.lib}/{process.build.installed_path(path)}"
    process.distutils.mkpath(os.path.dirname(target))
    process.distutils.copy_file(f"{process.source}/{path}", target, preserve_mode=True)
    process.kernel.chmod(target, process.kernel.stat(target).st_mode | _WRITABLE)


def _write_version(process: Process, path: str) -> None:
    """What setuptools_scm does when all is copied; its file is the one of the sources, which was made the same way."""
    package = process.request.package
    data = next(content(package.identifier, file) for file in package.files if file.path == path)
    target = f"{process.lib}/{process.build.installed_path(path)}"
    path_mkdir(process.kernel, os.path.dirname(target))
    write_file(process.kernel, target, data)


def build_scripts(process: Process) -> None:
    """Collect scripts, whatever their times say, and make them runnable.

    Raises:
        ToolchainError: a sentence of distutils.
        OSError: anything else.
    """
    build, kernel = process.build, process.kernel
    if not build.scripts:
        return
    process.enter_phase(BUILD_SCRIPTS)
    process.distutils.mkpath(process.scripts)
    copies = [f"{process.scripts}/{os.path.basename(path)}" for path in build.scripts]
    for path, copy in zip(build.scripts, copies, strict=True):
        data = read_file(kernel, f"{process.source}/{path}")
        if not data:
            continue  # Passed over with a warning; what follows then misses it.
        if path in build.python_scripts:
            write_file(kernel, copy, data)
        else:
            process.distutils.copy_file(f"{process.source}/{path}", copy, preserve_mode=True, force=True)
    for copy in copies:
        before = kernel.stat(copy).st_mode & _PERMISSIONS
        if before | _RUNNABLE != before:
            kernel.chmod(copy, before | _RUNNABLE)
