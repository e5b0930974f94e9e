"""Small storms for sweeps: two installs of one package, under each protocol."""

from __future__ import annotations

import dataclasses

from cache_core.removal import remove_tree
from simulator.actors.entries import lay
from simulator.actors.install import InstallJob, install
from simulator.actors.toolchains import TOOLCHAINS
from simulator.engine.actor import Actor
from simulator.hosts.base import Party
from simulator.running.cast import BUILD_FAILURES
from simulator.scenario_file import load_scenario
from simulator.strategies.sticky import Sticky
from tests.support import shapes
from tests.support.sweep_states import STATES, copied_from
from tests.support.sweeps import faults_of, play

# The race of the report at its smallest: the staging phase alone, in a tree that is there already.
_SMALL = load_scenario("issue-3515-real")

STORMS = {
    "in-place": _SMALL,
    # A whole build of a package with next to nothing in it: download, build, publish, install.
    "shared": dataclasses.replace(
        _SMALL, protocol="shared", packages=(shapes.manifest("nothing"),), toolchain="setuptools-69.5.1"
    ),
    # These keep builds apart, so what a build does in its tree matters less than how it gets and leaves it.
    "entry-lock": dataclasses.replace(_SMALL, protocol="entry-lock", cache_lock=True),
    "private": dataclasses.replace(_SMALL, protocol="private", cache_lock=True),
}
# Seeds of `in-place` under which a directory is poisoned.
POISONING = (37, 56, 122)
SWITCH_PROBABILITY = 0.1


def set_stage(ground, storm):
    """What is there before anybody comes, in a cache that was laid."""
    ground.fresh_environments([f"build-{number}" for number in range(1, storm.builds + 1)])
    lay(ground.cache, storm.packages, storm.protocol, builds_only=False)


def build(ground, storm, number, index, faults=()):
    """The party of one install; its environment is beside the cache."""
    name = f"build-{number}"
    actor = Actor(name, index, faults_of(faults).get(name))
    job = InstallJob(
        cache=ground.cache,
        environment=f"{ground.environments}/{name}",
        packages=storm.packages,
        protocol=storm.protocol,
        toolchain=TOOLCHAINS[storm.toolchain],
        cache_lock=storm.cache_lock,
        identity=name,
    )

    def enter_phase(phase):
        actor.phase = phase

    return Party(actor, lambda kernel: install(kernel, job, enter_phase), BUILD_FAILURES)


def builds(ground, storm, faults=()):
    """The parties of a storm."""
    return [build(ground, storm, number, number - 1, faults) for number in range(1, storm.builds + 1)]


RESIDUES = {f"residue-of-seed-{seed}": seed for seed in POISONING}


def recipe_of(ground, name):
    """The recipe of a state by its name, that of a storm's residue included."""
    if name in STATES:
        return ground.recipe(STATES[name])
    ground.lay(ground.recipe(STATES["nothing"]))
    set_stage(ground, STORMS["in-place"])
    play(ground, builds(ground, STORMS["in-place"]), strategy=Sticky(SWITCH_PROBABILITY), seed=RESIDUES[name])
    recipe = ground.recipe(copied_from(ground.cache))
    remove_tree(ground.cache)
    return recipe
