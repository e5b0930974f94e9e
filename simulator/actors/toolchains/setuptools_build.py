"""`setuptools.build_meta.build_wheel` under CPython 3.11, of any release that `releases.py` has a row for.

Source: read in the wheels of the releases and in CPython 3.11.7, and compared with traces of real builds
(tests/data/traces). Order: modules are copied to build/lib; the staging tree build/bdist.*/wheel is filled from
there; egg-info is written, copied and converted; the tree is zipped; the tree is removed; the wheel is renamed
out of its temporary directory. With `include_package_data` the egg-info is written while modules are copied,
without it before it is copied.

Guarantee: one build alone makes the calls of the real one, as far as they change something or look at what a
build changes. Two builds in one directory fail in the ways of the real ones; nothing here knows of a second.
Nothing but the removal handler of a release (`chmod_and_retry`) ever sets mode 0200.
Not guaranteed: docs/reference/toolchains.md has the list. Cost: some 50 calls a module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import (
    DIST_INFO,
    EGG_INFO,
    INSTALL_EGG_INFO,
    NO_DISTRIBUTION,
    PREPARE,
    PUBLISH,
    RMTREE,
    ZIP,
    ToolchainError,
)
from simulator.actors.toolchains.build_py import build_py, build_scripts
from simulator.actors.toolchains.dist_info import egg_info_to_dist_info, install_egg_info, wheel_file_bytes
from simulator.actors.toolchains.egg_info import write_egg_info
from simulator.actors.toolchains.expected import expected_wheel_files
from simulator.actors.toolchains.install_commands import install_data, install_headers, install_lib, install_scripts
from simulator.actors.toolchains.manifest_in import look_for_packages, scan_distributions
from simulator.actors.toolchains.names import wheel_names
from simulator.actors.toolchains.process import start
from simulator.actors.toolchains.rmtree import ResetPermissions, rmtree
from simulator.actors.toolchains.stdlib import exists, makedirs, write_file
from simulator.actors.toolchains.wheelfile import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.process import Process
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import SdistManifest


class SetuptoolsBuild:
    """A release of setuptools as a toolchain.

    Args:
        release: which one.
        platform: as sysconfig says it; part of the staging tree's path.
        python: version of the interpreter; part of the names of an egg-info and of the scripts' directory.
    """

    def __init__(self, release: Release, *, platform: str = "linux-x86_64", python: str = "3.11") -> None:
        self.release = release
        self._platform = platform
        self._python = python

    @property
    def name(self) -> str:
        """As `Toolchain.name`."""
        return self.release.name

    @property
    def revision(self) -> int:
        """As `Toolchain.revision`."""
        return self.release.revision

    def expected_files(self, package: SdistManifest) -> dict[str, bytes]:
        """As `Toolchain.expected_files`."""
        names = wheel_names(package, self.release.written, f"py{self._python}")
        return expected_wheel_files(package, self.release, names)

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """As `Toolchain.build_wheel`."""
        process = start(kernel, request, self.release, enter_phase, platform=self._platform, python=self._python)
        enter_phase(PREPARE)
        makedirs(kernel, request.output, exist_ok=True)
        temporary = f"{request.output}/.tmp-{request.identity}"
        kernel.mkdir(temporary, 0o700)
        try:
            _bdist_wheel(process, temporary)
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


def _bdist_wheel(process: Process, temporary: str) -> None:
    kernel, enter_phase = process.kernel, process.enter_phase
    scan_distributions(process)
    look_for_packages(process)
    egg_info_done = build_py(process)
    build_scripts(process)
    install_lib(process)
    install_headers(process)
    install_data(process)
    if not egg_info_done:
        enter_phase(EGG_INFO)
        write_egg_info(process)
    enter_phase(INSTALL_EGG_INFO)
    install_egg_info(process)
    install_scripts(process)
    enter_phase(DIST_INFO)
    egg_info_to_dist_info(process)
    write_file(
        kernel, f"{process.dist_info}/WHEEL", wheel_file_bytes(process.request.package, process.release, process.names)
    )
    enter_phase(ZIP)
    if not exists(kernel, temporary):
        makedirs(kernel, temporary)
    write_wheel(kernel, process.tree, f"{temporary}/{process.names.wheel}", process.names.dist_info)
    enter_phase(RMTREE)
    rmtree(kernel, process.tree, process.release.removal)
