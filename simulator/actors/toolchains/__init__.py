"""Toolchains: what a simulated build behaves like. A new release of setuptools is a row in `releases.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.pinned import PinnedSteps
from simulator.actors.toolchains.releases import RELEASES
from simulator.actors.toolchains.setuptools_build import SetuptoolsBuild
from simulator.actors.toolchains.staging import StagingAlone

if TYPE_CHECKING:
    from simulator.actors.toolchains.base import Toolchain

# Under CPython 3.11, on x86-64 Linux.
DEFAULT_TOOLCHAIN = "setuptools-69.5.1"
_DEFAULT = RELEASES[DEFAULT_TOOLCHAIN]
_ALL: list[Toolchain] = [*map(SetuptoolsBuild, RELEASES.values()), StagingAlone(_DEFAULT), PinnedSteps(_DEFAULT)]
TOOLCHAINS: dict[str, Toolchain] = {toolchain.name: toolchain for toolchain in _ALL}
