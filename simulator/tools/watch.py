"""What can be seen of real builds while they run: who is in the back end, in which tree, and how far that tree is.

A real build makes no steps that anybody counts. What is looked at is /proc (a process of the build whose working
directory is a source tree runs the back end there) and the tree (what setuptools has made in it by now).
Not guaranteed: that a phase is seen at all if it is shorter than the time between two looks; nor, where several builds
share a tree, whose work it is: the tree is as far as whoever is ahead.
Costs: a scan of /proc for each look, some milliseconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.tools.groups import members

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_UP = "look-up"
PREPARE = "prepare"
BUILD_PY = "build_py"
INSTALL_LIB = "install_lib"
INSTALL_EGG_INFO = "install_egg_info"
DIST_INFO = "dist_info"

# In the order in which a build goes through them; names as of the simulated builds.
WATCHED_PHASES = (LOOK_UP, PREPARE, BUILD_PY, INSTALL_LIB, INSTALL_EGG_INFO, DIST_INFO)

_SOURCE_FILES = ("setup.py", "pyproject.toml", "setup.cfg")
_STAGING_PREFIX = "bdist."


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of one build.

    Attributes:
        phase: one of `WATCHED_PHASES`.
        tree: absolute path of the source tree that its back end works in; None while it does not run.
        ticks: processor time of its live processes; what does not change for long waits for somebody.
    """

    phase: str
    tree: str | None
    ticks: int = 0


def look(leaders: Mapping[int, str]) -> dict[str, Sight]:
    """Look at all builds once.

    Args:
        leaders: process group to name, of the builds that run.

    Returns:
        What was seen of each, by name.
    """
    trees: dict[str, str] = {}
    ticks = dict.fromkeys(leaders.values(), 0)
    for pid, group, used in members(leaders.__contains__):
        name = leaders[group]
        ticks[name] += used
        tree = _tree_of(pid)
        if tree is not None:
            trees[name] = tree
    phases = {tree: phase_of_tree(tree) for tree in set(trees.values())}
    return {
        name: Sight(phases[trees[name]], trees[name], ticks[name])
        if name in trees
        else Sight(LOOK_UP, None, ticks[name])
        for name in leaders.values()
    }


def _tree_of(pid: int) -> str | None:
    try:
        directory = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        # It ended while we looked.
        return None
    return directory if any(os.path.lexists(f"{directory}/{name}") for name in _SOURCE_FILES) else None


def phase_of_tree(tree: str) -> str:
    """How far a source tree is built: one of `WATCHED_PHASES` from `PREPARE` on."""
    names = _names(f"{tree}/build")
    found = BUILD_PY if "lib" in names else PREPARE
    for name in names:
        if name.startswith(_STAGING_PREFIX):
            found = max(found, _phase_of_staging(f"{tree}/build/{name}/wheel"), key=WATCHED_PHASES.index)
    return found


def _phase_of_staging(staging: str) -> str:
    suffixes = {name.rpartition(".")[2] for name in _names(staging)}
    if "dist-info" in suffixes:
        return DIST_INFO
    return INSTALL_EGG_INFO if "egg-info" in suffixes else INSTALL_LIB


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        # Not there yet, or no longer, or poisoned: it shows nothing.
        return []
