"""What a run stands on: a process that permission bits stop, and a place that is fast and large enough.

Guarantees: a run that would show the machine's failures in place of the race's does not start (exit 3); one that is
merely slow starts, and says why. Costs: what `simulator.ground.confined` costs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from cache_core.privileges import holds_override_capabilities
from simulator.cli.output import note
from simulator.cli.parameters import OWN_PROCESS
from simulator.errors import BadInputError, MachineError
from simulator.ground.confined import confine, require_permission_bits
from simulator.ground.sandbox import SPACE_MIN_BYTES, default_parent, survey
from simulator.words import size

if TYPE_CHECKING:
    from simulator.cli.signals import Interruption
    from simulator.ground.sandbox import Ground

# Measured: beyond eight, an install more holds up to 1.2 MB more at the height of the storm (protocol `private`).
_SPACE_FOR_BUILDS = 8
_SPACE_PER_BUILD_BYTES = 2 * 1024 * 1024
# Measured on ext4, where a directory takes a block: 30,000 directories in each other, 20,000 with a file each.
_STATE_BYTES_MAX = 160 * 1024 * 1024
_STATE_INODES_MAX = 45_000


def go_on_confined(interruption: Interruption) -> None:
    """Go on as a process that permission bits stop; a parent left behind exits here with its child's status.

    Raises:
        MachineError: This process holds the privileges and is not ours to take them from.
        PrivilegeError: They cannot be dropped.
        InterruptedRunError: A signal came before.
    """
    interruption.check()
    if click.get_current_context().obj != OWN_PROCESS:
        # Neither a fork nor anything that cannot be undone happens to a process that is not ours.
        if holds_override_capabilities():
            raise MachineError(
                "privileges",
                "capabilities",
                "this process can pass over permission bits, and is not ours; start the command `cachestorm` itself",
            )
        return
    status = confine()
    if status is not None:
        raise click.exceptions.Exit(status)


def prepare_ground(sandbox: str | None, builds: int, needed: int | None = None) -> str:
    """Choose and check where the sandbox goes.

    Args:
        sandbox: The directory that the user gave, if any.
        builds: How many installs side by side must fit.
        needed: How many bytes they take, if they are real; None for simulated ones.

    Returns:
        The directory to make the sandbox in.

    Raises:
        BadInputError: The user's directory is none.
        MachineError: Too little space, or permission bits that do not stop us.
    """
    parent = _parent_of(sandbox)
    ground = survey(parent)
    simulated = needed is None
    if needed is None:
        needed = SPACE_MIN_BYTES + max(0, builds - _SPACE_FOR_BUILDS) * _SPACE_PER_BUILD_BYTES
    if ground.free_bytes < needed:
        raise MachineError(
            "space",
            parent,
            f"'{parent}' has {size(ground.free_bytes)} free and {builds} builds take up to {size(needed)}: a full disk"
            " would break them, not the race; give a larger place with --sandbox, or fewer --builds",
        )
    if not simulated and ground.is_tmpfs:
        note(
            f"'{parent}' is a tmpfs, where removing a tree takes no time: real installs meet in it far more often on a"
            " disk, where users' caches are; give one with --sandbox, e.g. /var/tmp"
        )
    if simulated:
        _tell_slow(parent, ground)
    require_permission_bits(parent)
    return parent


def torture_ground(sandbox: str | None) -> str:
    """Choose and check where hostile states are laid; cleaners will be stopped by permission bits, we need not be.

    Returns:
        The directory to make the sandbox in.

    Raises:
        BadInputError: The user's directory is none.
        MachineError: Too little space, or permission bits that stop nobody.
    """
    parent = _parent_of(sandbox)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise MachineError("sandbox", parent, f"'{parent}' cannot be written; give another place with --sandbox")
    ground = survey(parent)
    bytes_needed = SPACE_MIN_BYTES if ground.is_tmpfs else _STATE_BYTES_MAX
    counts = os.statvfs(parent)
    enough_inodes = not counts.f_files or counts.f_favail >= _STATE_INODES_MAX
    if ground.free_bytes < bytes_needed or not enough_inodes:
        raise MachineError(
            "space",
            parent,
            f"'{parent}' has {size(ground.free_bytes)} and {counts.f_favail:,} inodes free; the largest states take up"
            f" to {size(bytes_needed)} and {_STATE_INODES_MAX:,} inodes; give a larger place with --sandbox",
        )
    require_permission_bits(parent, children=True)
    return parent


def _parent_of(sandbox: str | None) -> str:
    parent = default_parent(os.environ) if sandbox is None else sandbox
    if not os.path.isdir(parent):
        source = "--sandbox" if sandbox is not None else "TMPDIR"
        raise BadInputError("bad-sandbox", parent, f"{source} '{parent}' is no directory; give one that exists")
    return parent


def _tell_slow(parent: str, ground: Ground) -> None:
    if not ground.is_tmpfs:
        note(
            f"'{parent}' is not a tmpfs: a run there is 10 to 40 times slower, because every step reaches a disk's file"
            " system; give one in memory with --sandbox, e.g. /dev/shm"
        )
