"""PEP 517 builds without a package manager: ``build``.

Each install is a process of ours (`pep517_install`) that shares the cache by one of our protocols and builds by
`build.ProjectBuilder`; the back end runs in the toolchain's environment, made by virtualenv, kept and shared (builds
only read it). The wheel is unpacked into the cache and linked into the install's own environment, virtualenv's too.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.tools.environments import environment, toolchain_requirements
from simulator.tools.folder import published_filename
from simulator.tools.interpreters import with_our_packages
from simulator.tools.tool import Installer, Job, copy_environment, site_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.tools.enclosure import Place
    from simulator.tools.folder import Wanted

_MODULE = "simulator.tools.pep517_install"


@dataclass(frozen=True, slots=True)
class _BuildInstaller:
    python: str
    template: str
    job: Job

    def make_environment(self, place: Place) -> None:
        """A copy of the one that virtualenv made."""
        copy_environment(self.template, place)

    def command(self, place: Place) -> list[str]:
        """Our own program, told what to do in JSON."""
        told = {
            "cache": place.cache,
            "identity": place.actor,
            "links": self.job.links,
            "packages": [
                {
                    "name": item.name,
                    "version": item.version,
                    "filename": published_filename(item),
                }
                for item in self.job.packages
            ],
            "protocol": self.job.protocol,
            "cache_lock": self.job.cache_lock,
            "python": self.python,
            "scratch": place.temporary,
            "target": self.installed(place),
        }
        return [sys.executable, "-m", _MODULE, json.dumps(told)]

    def variables(self, place: Place) -> Mapping[str, str]:
        """Where our packages are; output as it comes."""
        del place
        return {**with_our_packages({}), "PYTHONUNBUFFERED": "1"}

    def installed(self, place: Place) -> str:
        """Where environments have their packages."""
        return site_packages(place.environment)


class Build:
    """PEP 517 builds."""

    name = "build"
    own_protocol = False

    def wanted(self, toolchain: str) -> list[Wanted]:
        """Nothing: the back end is in the toolchain's environment."""
        del toolchain
        return []

    async def ready(self, job: Job, directory: str, tell: Callable[[str], None]) -> Installer:
        """Have the two environments; as `Tool.ready`."""
        del directory
        toolchain = await environment([*toolchain_requirements(job.toolchain), *job.required], tell=tell)
        empty = await environment([], tell=tell)
        return _BuildInstaller(toolchain.python, empty.directory, job)
