"""The egg_info command of setuptools: PKG-INFO by temporary file and rename, the rest written in place.

Guarantee: every look and every change at the egg-info directory that another build can notice, in order: the
temporary file (O_EXCL, mode 0600, made readable, renamed), the flag file of zip safety, the writers in the order
of their entry points, SOURCES.txt read back and written again.
Not guaranteed: SOURCES.txt does not list what another build left in the directory (nobody reads it back), and the
many looks at the unpacked sources, which no build changes, are left out (`manifest_in` has those at the rest).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import COULD_NOT_TOUCH, ToolchainError
from simulator.actors.toolchains.manifest_in import read_template
from simulator.actors.toolchains.stdlib import (
    BUFFER_SIZE,
    exists,
    read_file,
    walk,
    write_all,
    write_file,
)
from simulator.likeness.manifest import FileSpec, content

if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.process import Process

# The writers' files in the order of setuptools' entry points; PKG-INFO and the flag come before them.
_WRITTEN = (
    "dependency_links.txt",
    "eager_resources.txt",
    "entry_points.txt",
    "namespace_packages.txt",
    "requires.txt",
    "top_level.txt",
)
_ALWAYS_WRITTEN = frozenset({"dependency_links.txt", "top_level.txt"})
_SOURCES = "SOURCES.txt"
_NATIVE_LIBS = "native_libs.txt"
# Empty but for a line break.
FLAGS = {"zip-safe": True, "not-zip-safe": False}

_TEMPORARY_PREFIX = "tmp"  # of tempfile.NamedTemporaryFile
_NEWFLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READABLE = stat.S_IRGRP | stat.S_IROTH


def write_egg_info(process: Process) -> None:
    """Bring the egg-info directory up to date.

    Raises:
        ToolchainError: distutils could not make or touch the directory.
        OSError: anything else.
    """
    kernel, request, directory = process.kernel, process.request, process.egg_info
    files = {file.path: file for file in request.package.build.egg_info_files}
    process.distutils.mkpath(directory)
    try:
        kernel.utime(directory)
    except OSError as error:
        raise ToolchainError(COULD_NOT_TOUCH, directory, error.errno) from error
    _write_pkg_info(kernel, directory, _bytes_of(request, files["PKG-INFO"]), request.identity)
    _write_flags(kernel, directory, request.package.build.zip_safe)
    for name in _WRITTEN:
        path = f"{directory}/{name}"
        if name in files:
            write_file(kernel, path, _bytes_of(request, files[name]))
        elif name not in _ALWAYS_WRITTEN and exists(kernel, path):
            kernel.unlink(path)
    if exists(kernel, f"{directory}/{_NATIVE_LIBS}"):
        kernel.unlink(f"{directory}/{_NATIVE_LIBS}")
    _write_sources(process, directory, files.get(_SOURCES))


def _bytes_of(request: BuildRequest, file: FileSpec) -> bytes:
    build = request.package.build
    return content(request.package.identifier, FileSpec(f"{build.egg_info}/{file.path}", file.size))


def _write_pkg_info(kernel: Kernel, directory: str, data: bytes, identity: str) -> None:
    temporary = f"{directory}/{_TEMPORARY_PREFIX}{identity}"
    fd = kernel.open(temporary, _NEWFLAGS, 0o600)
    try:
        try:
            for start in range(0, len(data), BUFFER_SIZE):
                write_all(kernel, fd, data[start : start + BUFFER_SIZE])
        finally:
            kernel.close(fd)
        mode = stat.S_IMODE(kernel.lstat(temporary).st_mode)
        kernel.chmod(temporary, mode | _READABLE)
        kernel.rename(temporary, f"{directory}/PKG-INFO")
    finally:
        if exists(kernel, temporary):
            kernel.unlink(temporary)


def _write_flags(kernel: Kernel, directory: str, zip_safe: bool | None) -> None:
    for name, flag in FLAGS.items():
        path = f"{directory}/{name}"
        if exists(kernel, path):
            if zip_safe is not flag:
                kernel.unlink(path)
        elif zip_safe is flag:
            write_file(kernel, path, b"\n")


def _write_sources(process: Process, directory: str, file: FileSpec | None) -> None:
    kernel, path = process.kernel, f"{directory}/{_SOURCES}"
    data = _bytes_of(process.request, file) if file is not None else b""
    if process.build.keeps_sources and exists(kernel, path):
        read_file(kernel, path)
        return
    if not exists(kernel, path):
        write_file(kernel, path, b"")
    if exists(kernel, path):
        read_file(kernel, path)
    for _ in walk(kernel, directory):
        pass  # The listing is a step; which names it gives ends up in SOURCES.txt alone.
    read_template(process)
    write_file(kernel, path, data)
