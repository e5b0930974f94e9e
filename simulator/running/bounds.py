"""How many steps a run may make before it counts as one that does not end.

Guarantee: more than ten times what its actors make alone, so whoever reaches the bound is not slow. A loop without an
end is found after twice the bound: once under the strategy, once in the fair phase of `simulator.engine.gate`.
Costs: for the smallest scenario such a loop takes 0.2 s to find, for eight installs of six packages half a minute.

Measured alone (five scenarios, 4 to 343 files): 19 to 22 steps of an install for each file of its packages, 80 more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.actors.install import BLOCK_BYTES
from simulator.engine.gate import Bounds
from simulator.likeness.manifest import SdistManifest

if TYPE_CHECKING:
    from simulator.likeness.manifest import WheelManifest
    from simulator.scenario import Scenario

_MARGIN = 10
_STEPS = 200
_STEPS_OF_A_FILE = 25
# A block is written when its file is unpacked, and again with the wheel, which is read once.
_STEPS_OF_A_BLOCK = 3
# A cleaner has one worker beside it.
_ACTORS_OF_A_CLEANER = 2


def of_storm(scenario: Scenario) -> Bounds:
    """For all that takes part in a storm."""
    alone = _STEPS + sum(map(_steps_of, scenario.packages))
    actors = scenario.builds + _ACTORS_OF_A_CLEANER * len(scenario.cleaners_during)
    return _bounds(max(actors, 1) * alone)


def of_cleaner(scenario: Scenario, steps: int) -> Bounds:
    """For a cleaner that has the cache to itself, after so many steps: none of them made more than one name."""
    return _bounds(steps + _STEPS + sum(map(_steps_of, scenario.packages)))


def _bounds(expected: int) -> Bounds:
    return Bounds(_MARGIN * expected, _MARGIN * expected)


def _steps_of(package: SdistManifest | WheelManifest) -> int:
    files = len(package.files)
    size = sum(file.size for file in package.files)
    if isinstance(package, SdistManifest):
        files += len(package.build.egg_info_files) + len(package.build.dist_info_files)
    return _STEPS_OF_A_FILE * files + _STEPS_OF_A_BLOCK * (size // BLOCK_BYTES)
