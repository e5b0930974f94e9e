"""The staging phase of a release, alone: what happens in the staging tree, and nothing around it.

The modules lie in build/lib already; install_lib copies them into the staging tree, the tree is zipped, the tree is
removed. Everything is made, read and removed by the code of the whole toolchain, so what two of these do to each other
two whole builds can do to each other. Not guaranteed: the reverse. For exploration: a build has some 60 steps where a
whole one has hundreds. No real tool does only this, so there is no trace to hold it against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import NOT_A_DIRECTORY, RMTREE, ZIP, ToolchainError
from simulator.actors.toolchains.install_commands import install_lib
from simulator.actors.toolchains.process import start
from simulator.actors.toolchains.rmtree import rmtree
from simulator.actors.toolchains.stdlib import isdir
from simulator.actors.toolchains.wheelfile import write_wheel
from simulator.likeness.manifest import content

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import SdistManifest

_COLLECTED = "build/lib/"
# Of what is said here; the commands have their release's. 2: the tree is zipped.
_REVISION = 2


class StagingAlone:
    """A toolchain that only fills and removes the staging tree.

    Args:
        release: whose commands.
    """

    def __init__(self, release: Release) -> None:
        self.release = release

    @property
    def name(self) -> str:
        """As `Toolchain.name`."""
        return f"{self.release.name}-staging"

    @property
    def revision(self) -> int:
        """As `Toolchain.revision`."""
        return self.release.revision + _REVISION - 1

    def expected_files(self, package: SdistManifest) -> dict[str, bytes]:
        """As `Toolchain.expected_files`: the modules."""
        modules = (file for file in package.files if file.path.startswith(_COLLECTED))
        return {file.path.removeprefix(_COLLECTED): content(package.identifier, file) for file in modules}

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """As `Toolchain.build_wheel`."""
        process = start(kernel, request, self.release, enter_phase, platform="linux-x86_64", python="3.11")
        if not isdir(kernel, process.lib):
            raise ToolchainError(NOT_A_DIRECTORY, process.lib)
        install_lib(process)
        enter_phase(ZIP)
        write_wheel(kernel, process.tree, f"{request.output}/{process.names.wheel}", process.names.dist_info)
        enter_phase(RMTREE)
        rmtree(kernel, process.tree, self.release.removal)
        return process.names.wheel
