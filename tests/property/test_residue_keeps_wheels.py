"""After any storm, a cleaning of residue leaves no residue, and every look-up finds what it found before.

"Whole" is what `cache_core.wholeness` says. The storms are those of the scenarios, with builds that are killed at
random; the seeds are fixed, so what holds here today holds until a model or a rule changes.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import trio

from cache_core import audit, clean_sync
from cache_core.buckets import ARCHIVES, WheelEntry, index_id
from cache_core.surroundings import NOWHERE
from simulator.actors.install import DEFAULT_INDEX_URL, source_entry
from simulator.engine.faults import RandomFaults
from simulator.ground.sandbox import Sandbox
from simulator.likeness.manifest import SdistManifest
from simulator.running import orchestrator
from simulator.scenario_file import load_scenario
from tests.support.served import served

pytestmark = pytest.mark.slow

SEEDS = range(12)
KILLS = (RandomFaults("kill", 0.5, 1, 5500), RandomFaults("kill", 0.2, 400, 1500))


def entries(packages):
    index = index_id(DEFAULT_INDEX_URL)
    return [
        source_entry(package)
        if isinstance(package, SdistManifest)
        else WheelEntry(index, package.name, package.archive.filename)
        for package in packages
    ]


def ship_odd_names(cache):
    """Every published wheel has names in it that would be residue elsewhere."""
    archives = os.path.join(cache, ARCHIVES)
    for name in os.listdir(archives) if os.path.isdir(archives) else ():
        if not name.startswith(".tmp"):
            for path in (".tmpfoo", "build/bdist.linux/setup.py", "pkg/.tmpbar/data"):
                place = os.path.join(archives, name, path)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "w", encoding="utf-8") as stream:
                    stream.write(path)


class Comparing:
    """Watches a run; when its storm is over, cleans the residue and compares."""

    def __init__(self, packages):
        self._entries = entries(packages)
        self.kinds = set()
        self.found = 0

    def storm_begins(self, round_number, actors):
        pass

    def storm_ends(self, round_number, builds, residue, cache):
        ship_odd_names(cache)
        before = served(cache, self._entries)
        listed = audit(cache).residue
        clean_sync_left = clean_sync(cache, residue_only=True, surroundings=NOWHERE).left
        assert clean_sync_left == ()
        assert served(cache, self._entries) == before
        assert not audit(cache).has_residue
        assert [item.path for item in listed if os.path.lexists(os.path.join(cache, item.path))] == []
        self.kinds.update(item.kind for item in listed)
        self.found += sum(value is not None for value in before.values())


@pytest.mark.parametrize(
    ("protocol", "kinds"),
    [
        ("shared", {"partial-tree", "temporary"}),
        ("entry-lock", {"partial-tree", "temporary"}),
        # Everything is made under temporary names there.
        ("private", {"temporary"}),
    ],
)
def test_what_was_served_before_is_served_after(protocol, kinds, ground):
    # The default of the scenario is one that breaks; its faults are at fixed places, and some kills come on top.
    scenario = load_scenario("issue-3515")
    scenario = replace(
        scenario, protocol=protocol, builds=4, cleaners_after=(), random_faults=KILLS, cache_lock=protocol != "shared",
        faults=tuple(fault for fault in scenario.faults if fault.actor in {"build-1", "build-2"}),
    )  # fmt: skip
    comparing = Comparing(scenario.packages)

    async def main():
        with Sandbox.create(ground) as sandbox:
            for seed in SEEDS:
                await orchestrator.run(scenario, seed, sandbox, orchestrator.Options(observer=comparing, bare=True))

    trio.run(main)
    assert comparing.kinds == kinds
    # There was something to lose: of ten and some look-ups in each of the storms, most found something.
    assert comparing.found > len(SEEDS) * len(scenario.packages)
