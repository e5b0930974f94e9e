"""Who holds, and who does not: each protocol, with and without the cache lock and a cleaner in the middle.

By sampling, on the smallest race; docs/explanation/protocols-compared.md has what a search found.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.engine.faults import RandomFaults
from simulator.explaining import sometimes
from simulator.scenario import Expect
from simulator.scenario_file import load_scenario
from tests.conftest import GROUND
from tests.support.exploring import explored

pytestmark = pytest.mark.slow

SCHEDULES = 60
STRATEGIES = ("sticky", "random", "pct")
# Of the builds, somewhere in all that they do.
KILLS = RandomFaults("kill", 0.5, 1, 60)

APART = pytest.mark.parametrize("protocol", ["entry-lock", "private"])
KILLED_OR_NOT = pytest.mark.parametrize("kills", [(), (KILLS,)], ids=["no kills", "kills"])
LOCKED_OR_NOT = pytest.mark.parametrize("cache_lock", [False, True], ids=["no cache lock", "cache lock"])


def sampled(name, protocol, *, cache_lock, kills=()):
    """What samplers find; nothing is expected."""
    scenario = replace(
        load_scenario(name), protocol=protocol, cache_lock=cache_lock, random_faults=kills, expect=Expect()
    )
    return [
        explored(replace(scenario, schedule=replace(scenario.schedule, strategy=strategy)), GROUND, schedules=SCHEDULES)
        for strategy in STRATEGIES
    ]


def violated(explorations):
    return {item.violation.signature for found in explorations for item in found.violations}


def times(explorations, counter):
    return sum(found.sometimes[counter] for found in explorations)


@KILLED_OR_NOT
@APART
@LOCKED_OR_NOT
def test_without_a_cleaner_these_hold(protocol, cache_lock, kills):
    explorations = sampled("issue-3515-small", protocol, cache_lock=cache_lock, kills=kills)
    assert violated(explorations) == set()
    if kills:
        assert times(explorations, sometimes.KILLED) > 0


@KILLED_OR_NOT
@APART
def test_with_the_cache_lock_they_hold_beside_a_cleaner_that_asks_for_it(protocol, kills):
    explorations = sampled("issue-3515-live", protocol, cache_lock=True, kills=kills)
    assert violated(explorations) == set()
    # Or the cleaner would not have been in the middle.
    assert times(explorations, sometimes.WAITED) > 0


@APART
def test_without_it_the_cleaner_takes_away_what_they_stand_on(protocol):
    assert "build-hurt:chmod:ENOENT" in violated(sampled("issue-3515-live", protocol, cache_lock=False))


@APART
def test_a_lock_is_no_help_against_a_cleaner_that_does_not_ask_for_it(protocol):
    found = violated(sampled("issue-3515-live-naive", protocol, cache_lock=True))
    assert {signature.partition(":")[0] for signature in found} == {"build-hurt", "cleaner-failed"}


@LOCKED_OR_NOT
@pytest.mark.parametrize("protocol", ["in-place", "shared"])
@pytest.mark.parametrize("name", ["issue-3515-small", "issue-3515-live"])
def test_who_builds_in_one_tree_is_hurt_with_any_lock_of_the_cache(name, protocol, cache_lock):
    explorations = sampled(name, protocol, cache_lock=cache_lock)
    assert "build-hurt:rmdir:ENOTEMPTY" in violated(explorations)
    assert times(explorations, sometimes.SHUT_OUT) > 0
