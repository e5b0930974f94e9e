"""One build while it runs: what every command of the back end needs to know, in one value."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.actors.toolchains.names import wheel_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.actors.toolchains.base import BuildRequest
    from simulator.actors.toolchains.distutils import Distutils
    from simulator.actors.toolchains.names import WheelNames
    from simulator.actors.toolchains.releases import Release
    from simulator.likeness.manifest import BuildSpec


@dataclass(frozen=True, slots=True)
class Process:
    """The process of one build.

    Attributes:
        kernel: makes the calls.
        request: what to build.
        release: which setuptools it is.
        names: of the wheel and what is in it.
        distutils: the file utilities, with what this process remembers.
        lib: absolute path of build/lib, where modules are collected.
        scripts: absolute path of the directory where scripts are collected.
        tree: absolute path of the staging tree, which becomes the wheel.
        purelib: the same place, as the commands write it that install modules and the egg-info.
        enter_phase: told the name of each phase.
    """

    kernel: Kernel
    request: BuildRequest
    release: Release
    names: WheelNames
    distutils: Distutils
    lib: str
    scripts: str
    tree: str
    purelib: str
    enter_phase: Callable[[str], None]

    @property
    def source(self) -> str:
        """Absolute path of the unpacked source distribution."""
        return self.request.source

    @property
    def build(self) -> BuildSpec:
        """What is built."""
        return self.request.package.build

    @property
    def egg_info(self) -> str:
        """Absolute path of the egg-info directory."""
        return f"{self.source}/{self.build.egg_info}"

    @property
    def staged_egg_info(self) -> str:
        """Absolute path of its copy in the staging tree."""
        return f"{self.purelib}/{self.names.egg_info}"

    @property
    def dist_info(self) -> str:
        """Absolute path of what the copy becomes."""
        return f"{self.tree}/{self.names.dist_info}"

    @property
    def data(self) -> str:
        """Absolute path of the directory for scripts, headers and data files in the staging tree."""
        return f"{self.tree}/{self.names.data}"


def start(
    kernel: Kernel,
    request: BuildRequest,
    release: Release,
    enter_phase: Callable[[str], None],
    *,
    platform: str,
    python: str,
) -> Process:
    """The process of a build that begins.

    Args:
        kernel: makes the calls.
        request: what to build.
        release: which setuptools it is.
        enter_phase: told the name of each phase.
        platform: as sysconfig says it, e.g. ``linux-x86_64``.
        python: version of the interpreter, e.g. ``3.11``.
    """
    base = f"{request.source}/build"
    tree = f"{base}/bdist.{platform}/wheel"
    return Process(
        kernel=kernel,
        request=request,
        release=release,
        names=wheel_names(request.package, release.written, f"py{python}"),
        distutils=release.distutils(kernel, request.source),
        lib=f"{base}/lib",
        scripts=f"{base}/scripts-{python}",
        tree=tree,
        purelib=posixpath.join(tree, release.distutils.native("")).rstrip("/"),
        enter_phase=enter_phase,
    )
