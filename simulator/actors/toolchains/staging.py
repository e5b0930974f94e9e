"""The staging phase of a release, alone: the two commands between which the race lies, and nothing around them.

The modules lie in build/lib already; install_lib copies them into the staging tree, the tree is removed, and a wheel
without files says that the build came to its end. Everything that is made or removed is made and removed by the code
of the whole toolchain, so what two of these do to each other two whole builds can do to each other. Not guaranteed:
the reverse. For exploration: a build has some 40 steps where a whole one has hundreds. No real tool does only this, so
there is no trace to hold it against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import NOT_A_DIRECTORY, PUBLISH, RMTREE, ToolchainError
from simulator.actors.toolchains.install_commands import install_lib
from simulator.actors.toolchains.process import start
from simulator.actors.toolchains.rmtree import rmtree
from simulator.actors.toolchains.stdlib import isdir, write_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.releases import Release
    from simulator.manifest import SdistManifest

# A zip file without members: its end (APPNOTE.TXT, section 4.3.16), and nothing before it.
_EMPTY_WHEEL = b"PK\x05\x06" + bytes(18)


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
        return self.release.revision

    def expected_files(self, package: SdistManifest) -> dict[str, bytes]:
        """As `Toolchain.expected_files`: none."""
        del package
        return {}

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """As `Toolchain.build_wheel`."""
        process = start(kernel, request, self.release, enter_phase, platform="linux-x86_64", python="3.11")
        if not isdir(kernel, process.lib):
            raise ToolchainError(NOT_A_DIRECTORY, process.lib)
        install_lib(process)
        enter_phase(RMTREE)
        rmtree(kernel, process.tree, self.release.removal)
        enter_phase(PUBLISH)
        write_file(kernel, f"{request.output}/{process.names.wheel}", _EMPTY_WHEEL)
        return process.names.wheel
