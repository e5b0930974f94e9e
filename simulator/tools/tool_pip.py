"""pip, any version: ``pip==X.Y``.

One environment with this pip and the toolchain, kept and shared (installs only read it); each install goes into a
directory of its own (`--target`), offline from the folder, pinned, without dependencies and without byte-compiling.
Local directories are installed with `--no-build-isolation`: they are built in place, by the shared environment's back
end. Everything else is built in isolation, as pip does by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.tools.environments import environment, toolchain_requirements
from simulator.tools.folder import wanted_toolchain
from simulator.tools.tool import SITE_PACKAGES, Installer, Job, RealCleaner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.tools.enclosure import Place
    from simulator.tools.folder import Wanted


@dataclass(frozen=True, slots=True)
class _PipInstaller:
    python: str
    job: Job

    def make_environment(self, place: Place) -> None:
        """Nothing: pip makes the target."""

    def command(self, place: Place) -> list[str]:
        """``pip install --target``."""
        options = ["--no-index", "--find-links", self.job.links, "--no-deps", "--no-compile"]
        if self.job.local:
            options.append("--no-build-isolation")
        target = ["--target", self.installed(place)]
        return [self.python, "-m", "pip", "install", *options, *target, *self.job.targets(place.cache)]

    def variables(self, place: Place) -> Mapping[str, str]:
        """None."""
        del place
        return {}

    def installed(self, place: Place) -> str:
        """The target."""
        return f"{place.environment}/{SITE_PACKAGES}"


class Pip:
    """One version of pip.

    Args:
        version: of the release.
    """

    own_protocol = True

    def __init__(self, version: str) -> None:
        self.name = f"pip=={version}"

    def wanted(self, toolchain: str) -> list[Wanted]:
        """The build back end."""
        return wanted_toolchain(toolchain)

    async def ready(self, job: Job, directory: str, tell: Callable[[str], None]) -> Installer:
        """Have pip and the back end; as `Tool.ready`."""
        del directory
        made = await environment([self.name, *toolchain_requirements(job.toolchain), *job.required], tell=tell)
        return _PipInstaller(made.python, job)

    async def cleaner(self, tell: Callable[[str], None]) -> RealCleaner:
        """``pip cache purge``.

        Raises:
            BadInputError, MachineError: as `Tool.ready`.
        """
        made = await environment([self.name], tell=tell)
        return RealCleaner(self.name, (made.python, "-m", "pip", "cache", "purge"))
