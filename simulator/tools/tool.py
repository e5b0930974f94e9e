"""What a real tool is to a storm: something that installs a job's packages into a place, as one command.

A kind of tool is a file and a line in `kinds.KINDS`. Guarantee: making a tool ready needs the network at most once for
each version; installing never does.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.likeness.manifest import SdistManifest, WheelManifest
    from simulator.tools.enclosure import Place
    from simulator.tools.folder import Wanted

# Where a tool's installs go, in the environment.
SITE_PACKAGES = "site-packages"


@dataclass(frozen=True, slots=True)
class Job:
    """What every install of a storm does.

    Attributes:
        packages: what is installed, in order.
        toolchain: the build back end, pinned.
        protocol: name in `cache_core.protocols.PROTOCOLS`; of tools that have ways of their own, only whether the
            packages are local directories counts.
        cache_lock: whether installs hold the cache's lock, where the protocol is ours.
        links: absolute path of a folder with every archive, and nothing else.
        required: what the packages require to be built, beside the toolchain.
        local: paths of local directories relative to the cache by ``name==version``; those are built in place.
    """

    packages: tuple[SdistManifest | WheelManifest, ...]
    toolchain: str
    protocol: str
    cache_lock: bool
    links: str
    local: Mapping[str, str]
    required: tuple[str, ...] = ()

    def targets(self, cache: str) -> list[str]:
        """What to name on a command line: ``name==version``, or the absolute path of a local directory."""
        names = [f"{item.name}=={item.version}" for item in self.packages]
        return [f"{cache}/{self.local[name]}" if name in self.local else name for name in names]


class Installer(Protocol):
    """A tool that is ready to install a job."""

    def make_environment(self, place: Place) -> None:
        """Make the environment of one install, before the storm."""

    def command(self, place: Place) -> list[str]:
        """The program's path and its arguments."""

    def variables(self, place: Place) -> Mapping[str, str]:
        """Environment variables that it wants beside those of `enclosure.variables`."""

    def installed(self, place: Place) -> str:
        """The absolute path of the directory that packages are installed into."""


class Tool(Protocol):
    """A real tool.

    Attributes:
        name: as users write it.
        own_protocol: whether it has its own way to share a cache, so that a scenario's protocol does not count.
    """

    name: str
    own_protocol: bool

    def wanted(self, toolchain: str) -> list[Wanted]:
        """The archives that it takes beside the packages."""

    async def ready(self, job: Job, directory: str, tell: Callable[[str], None]) -> Installer:
        """Make it ready.

        Args:
            job: what it will install.
            directory: an empty directory of its own, for the whole storm.
            tell: gets a line about each thing that takes long.

        Raises:
            BadInputError: there is no such version, or it cannot do the job.
            MachineError: it cannot be had on this machine.
        """


@dataclass(frozen=True, slots=True)
class RealCleaner:
    """A real tool's own way to empty its cache.

    Attributes:
        name: as users write it.
        command: the program's path and its arguments; which cache, its environment variables say.
    """

    name: str
    command: tuple[str, ...]


def copy_environment(template: str, place: Place) -> None:
    """Copy a virtual environment that nothing is installed in; its links stay links."""
    shutil.copytree(template, place.environment, symlinks=True, dirs_exist_ok=True)


def site_packages(environment: str) -> str:
    """Where a virtual environment has its packages.

    Raises:
        FileNotFoundError: it is none.
    """
    library = f"{environment}/lib"
    for name in sorted(os.listdir(library)):
        if name.startswith("python"):
            return f"{library}/{name}/{SITE_PACKAGES}"
    raise FileNotFoundError(library)
