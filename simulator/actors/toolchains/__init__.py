"""Toolchains: what a simulated build behaves like. A new one is a file (or a row) and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.toolchains.setuptools_wheel import SetuptoolsWithWheel

if TYPE_CHECKING:
    from simulator.actors.toolchains.base import Toolchain

TOOLCHAINS: dict[str, Toolchain] = {
    toolchain.name: toolchain
    for toolchain in (SetuptoolsWithWheel("setuptools-69.5.1", revision=1),)  # with wheel 0.43.0, CPython 3.11
}
DEFAULT_TOOLCHAIN = "setuptools-69.5.1"
