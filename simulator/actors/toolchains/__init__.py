"""Toolchains: what a simulated build behaves like. A new release of setuptools is a row in `releases.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.releases import RELEASES
from simulator.actors.toolchains.setuptools_build import SetuptoolsBuild
from simulator.actors.toolchains.staging import StagingAlone

if TYPE_CHECKING:
    from simulator.actors.toolchains.base import Toolchain

# Under CPython 3.11, on x86-64 Linux.
DEFAULT_TOOLCHAIN = "setuptools-69.5.1"
_STAGING = StagingAlone(RELEASES[DEFAULT_TOOLCHAIN])
TOOLCHAINS: dict[str, Toolchain] = {
    **{name: SetuptoolsBuild(release) for name, release in RELEASES.items()},
    _STAGING.name: _STAGING,
}
