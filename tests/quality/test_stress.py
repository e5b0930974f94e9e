"""What holds, holds under stress: no violation with a lock per entry or private builds, whoever is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.actors.cleaners import CLEANERS
from simulator.running.outcome import KILLED, OK
from simulator.scenario_file import load_scenario
from tests.conftest import GROUND
from tests.support.runs import run_seeds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("builds", "seeds"), [(1, 60), (2, 60), (8, 60), (64, 4), (256, 1)])
def test_stress_holds_for_any_number_of_builds(builds, seeds):
    reports = run_seeds(replace(load_scenario("stress"), builds=builds), range(seeds), GROUND)
    for report in reports:
        assert not report.violations, (report.seed, report.violations)
        assert report.empty
        assert {build.outcome for build in report.builds} <= {OK, KILLED}


def test_stress_kills_and_the_cleaner_works_in_the_middle():
    reports = run_seeds(load_scenario("stress"), range(60), GROUND, keep_steps=True)
    killed = sum(build.outcome == KILLED for report in reports for build in report.builds)
    # Of 480 builds a fifth is to be killed within its first 1,000 steps, more in those that build.
    assert 48 < killed < 192
    followed = 0
    for report in reports:
        movers = [step[0] for step in report.rounds[0][: report.storm_steps]]
        last = len(movers) - movers[::-1].index("cleaner")
        followed += report.cleaners[0].files_removed > 0 and len(set(movers[last:]) - {"cleaner"}) > 0
    # Somebody comes late in 94 of 100 runs of eight builds, and finds the cache empty.
    assert followed > 40


@pytest.mark.parametrize("cleaner", sorted(CLEANERS))
@pytest.mark.parametrize("protocol", ["shared", "entry-lock"])
def test_any_cleaner_can_run_in_the_middle_of_the_storm(protocol, cleaner):
    scenario = replace(
        load_scenario("stress"), protocol=protocol, cache_lock=False, cleaners_during=(cleaner,), random_faults=()
    )
    for report in run_seeds(scenario, range(4), GROUND):
        # Whatever it did to the builds, the hardened one empties what is left.
        assert [item.name for item in report.cleaners] == [cleaner, "hardened"]
        assert report.empty
        assert not [item for item in report.violations if item.oracle in {"outside", "deadlock", "cache-empty"}]


def test_private_builds_hold_as_well():
    scenario = replace(load_scenario("stress"), protocol="private")
    for report in run_seeds(scenario, range(30), GROUND):
        assert not report.violations, (report.seed, report.violations)


def test_the_shared_protocol_does_not():
    scenario = replace(load_scenario("stress"), protocol="shared", cache_lock=False)
    reports = run_seeds(scenario, range(10), GROUND)
    oracles = {violation.oracle for report in reports for violation in report.violations}
    # The same storm without locks: the oracles can see, so their silence above means something.
    assert "build-hurt" in oracles
