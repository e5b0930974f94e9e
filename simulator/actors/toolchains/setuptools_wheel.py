"""`setuptools.build_meta.build_wheel` of setuptools 69.5.1 with wheel 0.43.0 under CPython 3.11.

Source: read in the two wheels and in CPython 3.11.7, and compared with traces of real builds
(tests/data/traces). Order: modules are copied to build/lib; the staging tree build/bdist.*/wheel is filled from
there; egg-info is written, copied and converted; the tree is zipped; the tree is removed; the wheel is renamed
out of its temporary directory. With `include_package_data` the egg-info is written while modules are copied,
without it before it is copied.

Guarantee: one build alone makes the calls of the real one, as far as they change something or look at what a
build changes. Two builds in one directory fail in the ways of the real ones; nothing here knows of a second.
Nothing but the removal handler (`chmod_and_retry`) ever sets mode 0200.
Not guaranteed: docs/reference/toolchains.md has the list. Cost: some 50 calls a module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import (
    BUILD_PY,
    DIST_INFO,
    EGG_INFO,
    INSTALL_EGG_INFO,
    INSTALL_LIB,
    NO_DISTRIBUTION,
    NOT_A_DIRECTORY,
    PREPARE,
    PUBLISH,
    RMTREE,
    ZIP,
    ToolchainError,
)
from simulator.actors.toolchains.dist_info import dist_info_bytes, egg_info_to_dist_info, install_egg_info
from simulator.actors.toolchains.distutils import Distutils
from simulator.actors.toolchains.egg_info import write_egg_info
from simulator.actors.toolchains.rmtree import ResetPermissions, chmod_and_retry, reraise, rmtree
from simulator.actors.toolchains.stdlib import exists, isdir, isfile, makedirs, write_file
from simulator.actors.toolchains.wheelfile import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest

_WRITABLE = 0o200


class SetuptoolsWithWheel:
    """A setuptools whose bdist_wheel is the wheel project's.

    Args:
        name: as users write it.
        revision: of this emulation.
        platform: as sysconfig says it; part of the staging tree's path.
        python_tag: what egg-info names carry, e.g. ``py3.11``.
        chmod_handler: False takes the handler of the removal out, which no real release has done: for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        revision: int = 1,
        platform: str = "linux-x86_64",
        python_tag: str = "py3.11",
        chmod_handler: bool = True,
    ) -> None:
        self.name = name
        self.revision = revision
        self._platform = platform
        self._python_tag = python_tag
        self._handler = chmod_and_retry if chmod_handler else reraise

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """As `Toolchain.build_wheel`."""
        enter_phase(PREPARE)
        makedirs(kernel, request.output, exist_ok=True)
        temporary = f"{request.output}/.tmp-{request.identity}"
        kernel.mkdir(temporary, 0o700)
        try:
            self._bdist_wheel(kernel, request, enter_phase, temporary)
            enter_phase(PUBLISH)
            wheels = [name for name in kernel.listdir(temporary) if name.endswith(".whl")]
            if len(wheels) != 1:
                raise ToolchainError(NO_DISTRIBUTION, temporary)
            result = f"{request.output}/{wheels[0]}"
            if exists(kernel, result):
                kernel.unlink(result)
            kernel.rename(f"{temporary}/{wheels[0]}", result)
        finally:
            rmtree(kernel, temporary, ResetPermissions(temporary))
        return wheels[0]

    def _bdist_wheel(
        self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None], temporary: str
    ) -> None:
        build = request.package.build
        distutils = Distutils(kernel, request.source)
        lib = f"{request.source}/build/lib"
        tree = f"{request.source}/build/bdist.{self._platform}/wheel"
        egg_info_done = _build_py(kernel, distutils, request, enter_phase, lib)
        enter_phase(INSTALL_LIB)
        if isdir(kernel, lib):
            distutils.copy_tree(lib, tree)
        if not egg_info_done:
            enter_phase(EGG_INFO)
            write_egg_info(kernel, distutils, request)
        enter_phase(INSTALL_EGG_INFO)
        egg_info = f"{tree}/{build.stem}-{self._python_tag}.egg-info"
        install_egg_info(kernel, distutils, f"{request.source}/{build.egg_info}", egg_info)
        enter_phase(DIST_INFO)
        dist_info = f"{tree}/{build.dist_info}"
        egg_info_to_dist_info(kernel, request, egg_info, dist_info)
        write_file(kernel, f"{dist_info}/WHEEL", dist_info_bytes(request, "WHEEL"))
        enter_phase(ZIP)
        if not exists(kernel, temporary):
            makedirs(kernel, temporary)
        write_wheel(kernel, tree, f"{temporary}/{build.wheel}", build.dist_info)
        enter_phase(RMTREE)
        rmtree(kernel, tree, self._handler)


def _build_py(
    kernel: Kernel, distutils: Distutils, request: BuildRequest, enter_phase: Callable[[str], None], lib: str
) -> bool:
    """Copy modules and data to build/lib; returns whether the egg-info was written on the way."""
    build = request.package.build
    enter_phase(BUILD_PY)
    for module in build.py_modules:
        package, _, name = module.rpartition(".")
        _copy_module(distutils, request, lib, package, f"{name}.py")
    for package in build.packages:
        directory = _package_directory(kernel, request, package)
        for name in _modules(kernel, directory):
            _copy_module(distutils, request, lib, package, name)
    if not build.packages:
        return False
    if build.include_package_data:
        enter_phase(EGG_INFO)
        write_egg_info(kernel, distutils, request)
    if build.package_data:
        enter_phase(BUILD_PY)
    for path in build.package_data:
        _copy_data(kernel, distutils, request, lib, path)
    return build.include_package_data


def _package_directory(kernel: Kernel, request: BuildRequest, package: str) -> str:
    directory = f"{request.source}/{request.package.build.directory_of(package)}"
    if not exists(kernel, directory) or not isdir(kernel, directory):
        raise ToolchainError(NOT_A_DIRECTORY, directory)
    isfile(kernel, f"{directory}/__init__.py")
    return directory


def _modules(kernel: Kernel, directory: str) -> list[str]:
    """What ``glob("*.py")`` finds: hidden files are left out, and so is a directory that cannot be listed."""
    try:
        names = kernel.listdir(directory)
    except OSError:
        return []
    return [name for name in names if name.endswith(".py") and not name.startswith(".")]


def _copy_module(distutils: Distutils, request: BuildRequest, lib: str, package: str, name: str) -> None:
    source = "/".join(part for part in (request.source, request.package.build.directory_of(package), name) if part)
    directory = "/".join(part for part in (lib, *package.split(".")) if part)
    distutils.mkpath(directory)
    distutils.copy_file(source, f"{directory}/{name}", preserve_mode=False)


def _copy_data(kernel: Kernel, distutils: Distutils, request: BuildRequest, lib: str, path: str) -> None:
    target = f"{lib}/{request.package.build.installed_path(path)}"
    distutils.mkpath(target.rpartition("/")[0])
    distutils.copy_file(f"{request.source}/{path}", target, preserve_mode=True)
    kernel.chmod(target, kernel.stat(target).st_mode | _WRITABLE)
