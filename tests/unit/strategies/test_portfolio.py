"""The portfolio: the seed draws the sampler; swarm: and which kinds of faults there are."""

from collections import Counter
from dataclasses import replace

import pytest

from simulator.engine.actor import Actor
from simulator.engine.faults import RandomFaults
from simulator.engine.randomness import Randomness
from simulator.running.cast import faults_of_storm
from simulator.running.identity import scenario_digest
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from simulator.strategies.pct import Pct
from simulator.strategies.portfolio import (
    MUTANT_SHARE,
    PCT_SHARE,
    POS_SHARE,
    RANDOM_SHARE,
    STICKY_SHARE,
    Portfolio,
)
from simulator.strategies.pos import Pos
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.staggered import Staggered
from tests.support.runs import run_one, run_seeds

SEEDS = 4000


def drawn(seed, actors=3):
    portfolio = Portfolio(7)
    portfolio.rehearsed(50)
    assert portfolio.begin([Actor(f"build-{n}", n) for n in range(actors)], [], Randomness(seed, "schedule"))
    return portfolio.inner


def test_each_sampler_has_its_share():
    shares = {Pos: POS_SHARE, Staggered: STICKY_SHARE, Pct: PCT_SHARE, RandomWalk: RANDOM_SHARE}
    assert sum(shares.values()) + MUTANT_SHARE == 1
    kinds = Counter(type(drawn(seed)) for seed in range(SEEDS))
    for kind, share in shares.items():
        # Six standard deviations.
        expected = share / (1 - MUTANT_SHARE)
        assert abs(kinds[kind] / SEEDS - expected) < 6 * (expected * (1 - expected) / SEEDS) ** 0.5, kind


@pytest.mark.parametrize(("actors", "depths"), [(2, {2, 3, 4, 5}), (4, {2, 3, 4, 5}), (5, {5, 6, 7, 8})])
def test_the_depth_goes_with_the_number_of_actors(actors, depths):
    made = [inner for seed in range(SEEDS) if isinstance(inner := drawn(seed, actors), Pct)]
    assert {inner.depth for inner in made} == depths
    assert {inner.expected_steps for inner in made} == {50}


def test_a_sticky_walk_stays_with_a_probability_in_between_and_keeps_the_arrivals():
    made = [inner for seed in range(SEEDS) if isinstance(inner := drawn(seed), Staggered)]
    probabilities = [inner.inner.switch_probability for inner in made]
    assert 0.05 <= min(probabilities) < 0.06
    assert 0.19 < max(probabilities) <= 0.2
    assert {inner.gap for inner in made} == {7}


def test_a_seed_is_the_same_run_whatever_was_run_before(ground):
    scenario = replace(load_scenario("issue-3515-small"), schedule=Schedule(start_gap=0).under("portfolio"))
    tokens = [report.token for report in run_seeds(scenario, range(12), ground)]
    assert [report.token for report in run_seeds(scenario, reversed(range(12)), ground)] == tokens[::-1]
    assert len(set(tokens)) == 12


# Swarm.


KINDS = tuple(RandomFaults(action, 1.0, 5, 20) for action in ("kill", "ENOSPC", "stall", "EIO"))


def struck(seed, strategy="portfolio"):
    """Which kinds of faults a run was given; each kind hits every build that there is."""
    scenario = load_scenario("issue-3515-small")
    scenario = replace(scenario, random_faults=KINDS, schedule=Schedule(start_gap=0).under(strategy))
    return {fault.action for fault in faults_of_storm(scenario, seed)}


def test_each_kind_of_fault_is_in_or_out():
    sets = Counter(frozenset(struck(seed)) for seed in range(320))
    # Each of sixteen expects 20; six standard deviations are 26.
    assert len(sets) == 16
    assert max(sets.values()) < 46


def test_other_strategies_have_all_kinds():
    assert all(len(struck(seed, "sticky")) == 4 for seed in range(20))


def test_a_schedule_that_was_found_keeps_the_faults_of_its_seed(ground):
    """The token of a mutant is of a replay: it must not bring back what the swarm left out."""
    small = load_scenario("issue-3515-small")
    scenario = replace(small, random_faults=KINDS[:1], schedule=Schedule(start_gap=0).under("portfolio"))
    for seed in range(8):
        report = run_one(scenario, seed, ground)
        killed = [build.actor for build in report.builds if build.outcome == "killed"]
        segments = replace(scenario.schedule, strategy="replay", segments="b1:9")
        again = run_one(replace(scenario, schedule=segments), seed, ground)
        assert [build.actor for build in again.builds if build.outcome == "killed"] == killed
        assert bool(killed) == bool(struck_kill(seed))


def struck_kill(seed):
    return Randomness(seed, "swarm-0").draw() < 0.5


def test_tokens_from_before_there_were_swarms_hold():
    small = load_scenario("issue-3515-small")
    assert replace(small.schedule, swarm=False) == small.schedule
    swarming = replace(small, schedule=replace(small.schedule, swarm=True))
    assert scenario_digest(small) != scenario_digest(swarming)
