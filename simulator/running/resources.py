"""A run that ended because the machine had no more of something."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name
from simulator.errors import MachineError

if TYPE_CHECKING:
    from simulator.engine.trace import RawStep


def ran_out(step: RawStep, option: str) -> MachineError:
    """What to raise of the step that met it; `option` is how its caller says where runs happen."""
    actor, _, operation, path, _, _, number, _, _ = step
    name = errno_name(number) or ""
    return MachineError(
        "resources",
        name,
        f"the machine ran out ({name}: {os.strerror(number or 0)}) when {actor} made {operation} {path}, and no fault"
        f" did that: give the run more space ({option}), more inodes or more open files (ulimit -n)",
    )
