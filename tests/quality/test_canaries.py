"""An exploration that finds nothing must be able to find something: each canary is caught, and what ships is not.

Measured over seeds 0 to 199 under sticky, the scenario's own: of the runs of `liar` and of `faint` 22 are violated, of
`early` 131, of `unlink` 15. So 200 schedules miss one of the first two with a probability of 7e-11 (0.89 ** 200),
`unlink` with 2e-7. The seeds are fixed: what is caught once is caught again until somebody changes what they mean.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from tests.support import canaries
from tests.support.exploring import explored, searched
from tests.support.runs import run_one

pytestmark = pytest.mark.slow

SCHEDULES = 200
SEARCHED = 400


def unexpected(scenario, ground):
    found = explored(scenario, ground, schedules=SCHEDULES)
    return {item.violation.signature for item in found.violations if not item.violation.expected}


def test_a_cleaner_that_lies_is_caught(ground, monkeypatch):
    found = unexpected(canaries.broken_cleaner(monkeypatch, canaries.liar), ground)
    assert found == {"cache-empty:rmtree:silent", "cleaner-honest:rmtree:lied"}


def test_a_cleaner_that_gives_up_is_caught(ground, monkeypatch):
    found = unexpected(canaries.broken_cleaner(monkeypatch, canaries.faint), ground)
    assert found == {"cache-empty:rmtree:EACCES"}


@pytest.mark.parametrize("protocol", [canaries.early, canaries.unlink])
def test_a_lock_that_does_not_lock_is_caught(ground, monkeypatch, protocol):
    found = unexpected(canaries.broken_lock(monkeypatch, protocol), ground)
    assert any(signature.startswith("build-hurt:") for signature in found)
    assert "leaked-lock" not in {signature.partition(":")[0] for signature in found}


def systematic(scenario, ground, schedules):
    found = searched(scenario, ground, schedules=schedules)
    return {item.violation.signature for item in found.violations if not item.violation.expected}


# Each shows within so many runs, in the order in which the search makes them: the cleaners by run 12, `early` by
# run 94, `unlink` by run 208.
def test_the_search_catches_them_too(ground, monkeypatch):
    with monkeypatch.context() as patch:
        found = systematic(canaries.broken_cleaner(patch, canaries.liar), ground, SEARCHED)
        assert "cleaner-honest:rmtree:lied" in found
    with monkeypatch.context() as patch:
        assert systematic(canaries.broken_cleaner(patch, canaries.faint), ground, SEARCHED)
    for protocol in (canaries.early, canaries.unlink):
        with monkeypatch.context() as patch:
            found = systematic(canaries.broken_lock(patch, protocol), ground, SEARCHED)
            assert any(signature.startswith("build-hurt:") for signature in found), protocol.__name__
    assert not systematic(canaries.whole_lock(), ground, SEARCHED)


def test_what_ships_is_not(ground):
    assert not unexpected(canaries.whole_lock(), ground)
    small = load_scenario("issue-3515-small")
    assert not unexpected(replace(small, cleaners_after=("hardened",)), ground)


@pytest.mark.parametrize("protocol", [canaries.early, canaries.unlink])
def test_one_after_another_no_lock_is_needed(ground, monkeypatch, protocol):
    """So it is the schedule that finds it, and not a mistake that any run would show."""
    scenario = replace(canaries.broken_lock(monkeypatch, protocol), faults=(), schedule=Schedule("replay"))
    report = run_one(scenario, 0, ground)
    assert [build.outcome for build in report.builds] == ["ok"] * scenario.builds
    assert not report.violations


@pytest.mark.parametrize("cleaner", [canaries.liar, canaries.faint])
def test_one_after_another_either_cleaner_does(ground, monkeypatch, cleaner):
    scenario = replace(canaries.broken_cleaner(monkeypatch, cleaner), schedule=Schedule("replay"))
    report = run_one(scenario, 0, ground)
    assert report.empty
    assert not report.violations
