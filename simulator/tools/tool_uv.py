"""uv, any version: ``uv==X.Y.Z``.

One program from the index, kept; an environment made by ``uv venv``, copied for each install; then ``uv pip install``,
as in the loop of astral-sh/uv#3515, offline from the folder, pinned, with `--no-deps`: a job names all that it
installs, and nothing is left to a resolver. The build back end is the only version that the folder has: uv builds in
isolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import MachineError
from simulator.tools.children import run_child
from simulator.tools.enclosure import Place, variables
from simulator.tools.environments import environment
from simulator.tools.folder import wanted_toolchain
from simulator.tools.interpreters import find_interpreter
from simulator.tools.tool import Installer, Job, RealCleaner, copy_environment, site_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.tools.folder import Wanted

_PROGRAM = "uv"
_VENV_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class _UvInstaller:
    program: str
    template: str
    job: Job

    def make_environment(self, place: Place) -> None:
        """A copy of the one that uv made."""
        copy_environment(self.template, place)

    def command(self, place: Place) -> list[str]:
        """``uv pip install``."""
        options = ["--offline", "--no-index", "--find-links", self.job.links, "--no-deps"]
        return [self.program, "pip", "install", *options, *self.job.targets(place.cache)]

    def variables(self, place: Place) -> Mapping[str, str]:
        """Which environment."""
        return {"VIRTUAL_ENV": place.environment}

    def installed(self, place: Place) -> str:
        """Where environments have their packages."""
        return site_packages(place.environment)


class Uv:
    """One version of uv.

    Args:
        version: of the release.
    """

    own_protocol = True

    def __init__(self, version: str) -> None:
        self.name = f"{_PROGRAM}=={version}"

    def wanted(self, toolchain: str) -> list[Wanted]:
        """The build back end."""
        return wanted_toolchain(toolchain)

    async def ready(self, job: Job, directory: str, tell: Callable[[str], None]) -> Installer:
        """Have the program, make a template of an environment; as `Tool.ready`."""
        program = (await environment([self.name], tell=tell)).program(_PROGRAM)
        template = f"{directory}/environment"
        place = Place("template", f"{directory}/cache", template, f"{directory}/home")
        place.make()
        interpreter = await find_interpreter()
        done = await run_child(
            [program, "venv", "--offline", "--python", interpreter.path, template],
            environment=variables(place, {}),
            directory=directory,
            timeout_seconds=_VENV_SECONDS_MAX,
        )
        if done.code != 0:
            told = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            raise MachineError(
                "tool", self.name, f"{self.name} makes no environment with Python {interpreter.version}: {told[-1]}"
            )
        return _UvInstaller(program, template, job)

    async def cleaner(self, tell: Callable[[str], None]) -> RealCleaner:
        """``uv cache clean``.

        Raises:
            BadInputError, MachineError: as `Tool.ready`.
        """
        program = (await environment([self.name], tell=tell)).program(_PROGRAM)
        return RealCleaner(self.name, (program, "cache", "clean"))
