"""One build alone, behind the gate: what a toolchain does when nobody interferes, as rows to compare with a real one.

Guarantees: the calls are those that the toolchain makes in a storm; the sources have the whole-second times that an
archive's files have, so nothing seems newer than its copy. Costs: some thousand steps, a tenth of a second.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.actors.toolchains.base import BuildRequest
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.engine.trace import Step
from simulator.errors import InternalError
from simulator.ground.stage import place_source
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.likeness.fidelity import rows
from simulator.strategies.round_robin import RoundRobin

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.actors.toolchains.base import Toolchain
    from simulator.engine.kernel import GatedKernel
    from simulator.engine.trace import RawStep
    from simulator.ground.sandbox import Sandbox
    from simulator.likeness.fidelity import Row
    from simulator.likeness.manifest import SdistManifest

_SOURCE = "source"
_OUTPUT = "dist"
_UMASK = 0o022


async def solo(
    package: SdistManifest, toolchain: Toolchain, sandbox: Sandbox, interrupted: Callable[[], bool] = bool
) -> list[Row]:
    """Build one package alone.

    Args:
        package: what to build.
        toolchain: what with.
        sandbox: where.
        interrupted: asked before each step; true ends it.

    Returns:
        The rows, paths relative to the unpacked source distribution.

    Raises:
        KeyboardInterrupt: `interrupted` said so.
        InternalError: the build failed, which alone it never does.
    """
    root = sandbox.fresh()
    source = f"{root}/{_SOURCE}"
    before = os.umask(_UMASK)
    try:
        place_source(package, source)
        steps, party = await _play(package, toolchain, root, interrupted)
    finally:
        os.umask(before)
    sandbox.clear()
    if party.error is not None:
        raise InternalError("solo-build", package.name, f"{package.name} does not build alone: {party.error}") from (
            party.error
        )
    # Everything in a sandbox is shown relative to its cache; there is none, and the sources lie beside it.
    return rows((Step(*step) for step in steps), f"../{_SOURCE}")


async def _play(
    package: SdistManifest, toolchain: Toolchain, root: str, interrupted: Callable[[], bool]
) -> tuple[list[RawStep], Party]:
    actor = Actor("build-1", 0)
    steps: list[RawStep] = []

    def enter_phase(phase: str) -> None:
        actor.phase = phase

    def build(kernel: GatedKernel) -> None:
        # Whoever calls the back end makes the folder for the wheel first.
        kernel.mkdir(f"{root}/{_SOURCE}/{_OUTPUT}")
        request = BuildRequest(f"{root}/{_SOURCE}", f"{root}/{_SOURCE}/{_OUTPUT}", package, actor.name)
        toolchain.build_wheel(kernel, request, enter_phase)

    party = Party(actor, build)
    strategy = RoundRobin(1)
    gate = Gate(strategy, [actor], steps)
    gate.interrupted = interrupted
    strategy.begin([actor], steps, Randomness(0, "solo"))
    await TrioHost(gate, Paths(root, "cache"), LogicalTimes()).run([party])
    strategy.end()
    if gate.stopped is not None:
        raise KeyboardInterrupt
    return steps, party
