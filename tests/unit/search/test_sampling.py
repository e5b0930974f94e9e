"""Many runs of one scenario: what is counted, what is kept, what ends it."""

from dataclasses import replace

import pytest

from simulator.errors import BadInputError
from simulator.explaining import sometimes
from simulator.scenario import Expect
from simulator.scenario_file import load_scenario
from simulator.search.result import BUDGET, INTERRUPTED, SCHEDULES, unseen
from tests.support.exploring import explored
from tests.support.runs import run_seeds


@pytest.fixture
def small():
    return load_scenario("issue-3515-small")


def without_time(exploration):
    return replace(exploration, seconds=0.0)


def scheduled(scenario, strategy, depth=3):
    return replace(scenario, schedule=replace(scenario.schedule, strategy=strategy, depth=depth))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["sticky", "random", "pct", "pos"])
def test_the_same_seeds_find_the_same_and_every_token_is_that_of_its_seed(small, ground, strategy):
    scenario = scheduled(small, strategy)
    first, second = (explored(scenario, ground, first_seed=5) for _ in range(2))
    assert without_time(first) == without_time(second)
    shown = {item.shown for item in (*first.outcomes, *first.violations)}
    for one in shown:
        (report,) = run_seeds(scenario, [one.seed], ground)
        assert (report.token, report.switches, report.steps) == (one.token, one.switches, one.steps)
        assert one.run == one.seed - 5 + 1


@pytest.mark.slow
def test_each_outcome_has_its_number_and_its_run_with_the_fewest_switches(small, ground):
    found = explored(small, ground)
    reports = run_seeds(small, range(40), ground)
    assert sum(item.count for item in found.outcomes) == found.explored == 40
    assert [item.count for item in found.outcomes] == sorted((item.count for item in found.outcomes), reverse=True)
    assert found.last_new == max(item.first for item in found.outcomes)
    poisoned = [report for report in reports if report.residue.poisoned]
    assert found.sometimes[sometimes.POISONED] == len(poisoned) > 0
    assert sum(item.count for item in found.outcomes if "poisoned" in item.signature) == len(poisoned)
    for item in found.violations:
        showing = [
            report for report in reports if item.violation.signature in {one.signature for one in report.violations}
        ]
        best = min(showing, key=lambda report: (report.switches, report.steps, report.seed))
        assert (item.count, item.shown.token) == (len(showing), best.token)
        assert item.violation in best.violations


def test_it_ends_with_the_schedules_the_budget_or_a_signal(small, ground):
    assert explored(small, ground, schedules=3).ended == SCHEDULES
    # A clock that a look costs a second.
    seconds = iter(range(1000))
    found = explored(small, ground, budget_seconds=5, clock=lambda: float(next(seconds)))
    assert (found.ended, found.explored) == (BUDGET, 5)
    assert found.bound.endswith("seeds 0 to 4; ended by the budget of 5 s, before 40 schedules")
    # However small, it is enough for one.
    assert explored(small, ground, budget_seconds=1e-9).explored == 1
    asked = iter([False] * 500 + [True] * 10)
    found = explored(small, ground, interrupted=lambda: next(asked))
    assert found.ended == INTERRUPTED
    assert 0 < found.explored < 40
    assert found.explored == sum(item.count for item in found.outcomes)
    nothing = explored(small, ground, interrupted=lambda: True)
    assert (nothing.explored, nothing.outcomes, nothing.last_new, nothing.as_expected) == (0, (), 0, True)


def test_who_watches_is_told_after_each_run(small, ground):
    seen = []
    found = explored(
        small, ground, schedules=5, observer=lambda now, _s, _l: seen.append((now.runs, len(now.outcomes)))
    )
    assert [runs for runs, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[-1][1] == len(found.outcomes)


def test_unexpected_violations_come_first_and_tell(small, ground):
    assert explored(small, ground, schedules=8).as_expected
    found = explored(replace(small, expect=Expect()), ground, schedules=8)
    assert not found.as_expected
    assert not found.violations[0].violation.expected


def test_the_document_of_a_sample_never_says_complete(small, ground):
    document = explored(small, ground, schedules=2).document()
    assert document["complete"] is False
    assert document["bound"] == (
        "sampled by sticky (switch probability 0.2, start gap 0), seeds 0 to 1; ended after 2 schedules, as asked"
    )
    assert explored(scheduled(small, "pct", 4), ground, schedules=1).bound.startswith(
        "sampled by pct (depth 4), seed 0;"
    )


@pytest.mark.parametrize("strategy", ["round-robin", "replay"])
def test_one_schedule_is_nothing_to_explore(small, ground, strategy):
    with pytest.raises(BadInputError, match=f"'{strategy}' makes one schedule only.*sticky, random, pct, pos"):
        explored(scheduled(small, strategy), ground)


@pytest.mark.parametrize(
    ("counts", "expected"), [([], 0), ([5, 4], 0), ([1], 0), ([1, 1], 1), ([1, 1, 1, 2, 2], 1), ([1] * 10, 45)]
)
def test_the_estimate(counts, expected):
    assert unseen(counts) == expected


@pytest.mark.slow
def test_storms_are_told_apart_by_more_than_their_outcome(small, ground):
    """Two orders of steps that do not depend on each other are one class; several classes may have one outcome."""
    found = explored(small, ground, schedules=12, count_classes=True)
    assert found.document()["classes"] == found.classes
    assert 1 < len(found.outcomes) <= found.classes <= 12
    assert explored(small, ground, schedules=2).document()["classes"] is None
