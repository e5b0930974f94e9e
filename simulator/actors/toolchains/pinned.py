"""The race in as few steps as it takes: a build of one directory and one empty file, its steps pinned.

Thirteen of them matter to somebody else: mkdir of bdist, of the wheel's tree and of the package (whoever finds one
there goes on), create, chmod and open of the file (the copy, and the look of the zip), then the removal: open and list
the tree, open and list the package, unlink, rmdir, rmdir, each failure answered by the handler of the release, mode
0200 and one retry. Beside them a build closes what it opened, and writes a wheel without files to where nobody else
comes.

What is left out of the staging phase (`staging`) decides nothing as long as nobody makes symbolic links: looks before
each call, utime, and the content of the file, which is empty as most `__init__.py` are. So what two of these do to each
other can happen to two whole builds. The reverse is not so: a build that succeeds with a wrong wheel is not in here,
since it takes os.walk. For exploration that comes to an end. No real tool does only this, so there is no trace to hold
it against.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import INSTALL_LIB, PUBLISH, RMTREE, ZIP
from simulator.actors.toolchains.process import start
from simulator.actors.toolchains.rmtree import rmtree
from simulator.actors.toolchains.stdlib import NEW_FILE_MODE, READ_FLAGS, WRITE_FLAGS, write_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import SdistManifest

# Whatever is built: what is in the package is of no account.
_PACKAGE = "package"
_FILE = "__init__.py"
_FILE_MODE = 0o644
# A zip file without members: its end (APPNOTE.TXT, section 4.3.16), and nothing before it.
_EMPTY_WHEEL = b"PK\x05\x06" + bytes(18)
_REVISION = 1


class PinnedSteps:
    """A toolchain that makes the steps of the race and no other.

    Args:
        release: whose handler answers what fails in the removal.
    """

    def __init__(self, release: Release) -> None:
        self.release = release

    @property
    def name(self) -> str:
        """As `Toolchain.name`."""
        return f"{self.release.name}-pinned"

    @property
    def revision(self) -> int:
        """As `Toolchain.revision`."""
        return _REVISION

    def expected_files(self, package: SdistManifest) -> dict[str, bytes]:
        """As `Toolchain.expected_files`: none."""
        del package
        return {}

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """As `Toolchain.build_wheel`; `build` has to be in the source."""
        process = start(kernel, request, self.release, enter_phase, platform="linux-x86_64", python="3.11")
        package = f"{process.tree}/{_PACKAGE}"
        enter_phase(INSTALL_LIB)
        for directory in (process.tree.rpartition("/")[0], process.tree, package):
            # Another build's, most likely: whose it is nobody asks.
            with suppress(FileExistsError):
                kernel.mkdir(directory)
        file = f"{package}/{_FILE}"
        kernel.close(kernel.open(file, WRITE_FLAGS, NEW_FILE_MODE))
        kernel.chmod(file, _FILE_MODE)
        enter_phase(ZIP)
        kernel.close(kernel.open(file, READ_FLAGS))
        enter_phase(RMTREE)
        rmtree(kernel, process.tree, self.release.removal, looks=False)
        enter_phase(PUBLISH)
        write_file(kernel, f"{request.output}/{process.names.wheel}", _EMPTY_WHEEL)
        return process.names.wheel
