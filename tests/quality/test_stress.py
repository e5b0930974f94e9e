"""What holds, holds under stress: no violation with a lock per entry or private builds, whoever is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.outcome import KILLED, OK
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
    reports = run_seeds(load_scenario("stress"), range(60), GROUND)
    killed = sum(build.outcome == KILLED for report in reports for build in report.builds)
    # A quarter of 480 builds is hit by a kill within its first 4,000 steps; those that find the cache warm make
    # fewer steps than that and outlive theirs.
    assert 10 < killed < 120
    assert any(report.cleaners[0].files_removed for report in reports)


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
