"""Mutants: what a change may do to a schedule, how a mutant is played, and what an exploration makes of them."""

import fcntl
import os
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from simulator.engine.randomness import Randomness
from simulator.hosts.bare import BareHost
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from simulator.schedule import Segment, parse_segments
from simulator.search.mutation import CHANGES, POOL_MAX, Pool, Turn, joined, move_cut, preempt, splice, swap
from simulator.search.sources import Mutating, Seeds, source_for
from simulator.strategies.lenient import LenientReplay
from simulator.token import parse_token
from tests.support.arena import Arena
from tests.support.exploring import explored
from tests.support.runs import run_one

ONE = joined(Turn(code, steps) for code, steps in [("b1", 5), ("b2", 3), ("b1", 2), ("c", 4), ("b2", 7)])
OTHER = joined(Turn(code, steps) for code, steps in [("c", 4), ("b2", 10), ("b1", 7)])


def told(turns):
    return ",".join(f"{code}:{steps}" for code, steps in turns)


def steps_of(turns):
    counted = Counter()
    for code, steps in turns:
        counted[code] += steps
    return +counted


def trial(seed, turns):
    storm = [(name, "phase", "stat") for code, steps in turns for name in [NAMES[code]] for _ in range(steps)]
    return SimpleNamespace(seed=seed, storm=storm)


NAMES = {"b1": "build-1", "b2": "build-2", "c": "cleaner"}


@pytest.mark.parametrize("change", [swap, move_cut, preempt], ids=lambda change: change.__name__)
def test_a_change_of_order_leaves_each_actor_its_steps(change):
    seen = set()
    for seed in range(300):
        changed = joined(change(ONE, OTHER, Randomness(seed, "mutation")))
        assert steps_of(changed) == steps_of(ONE)
        seen.add(changed)
    assert len(seen - {ONE}) > 3


def test_a_swap_is_of_neighbours():
    seen = {told(joined(swap(ONE, (), Randomness(seed, "mutation")))) for seed in range(60)}
    assert seen == {"b2:3,b1:7,c:4,b2:7", "b1:7,b2:3,c:4,b2:7", "b1:5,b2:3,c:4,b1:2,b2:7", "b1:5,b2:3,b1:2,b2:7,c:4"}


def test_a_splice_begins_as_the_one_and_ends_as_the_other():
    for seed in range(60):
        spliced = joined(splice(ONE, OTHER, Randomness(seed, "mutation")))
        one, other, both = ([code for code, steps in turns for _ in range(steps)] for turns in (ONE, OTHER, spliced))
        assert len(both) == 21
        assert any(both == one[:here] + other[here:] for here in range(22))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("turns", [(), (Turn("b1", 4),)], ids=["nothing", "one turn"])
def test_where_nothing_can_change_nothing_does(change, turns):
    assert joined(change(turns, turns, Randomness(3, "mutation"))) == turns


def test_the_pool_keeps_the_latest_and_outcomes_apart_from_classes():
    pool = Pool()
    assert len(pool) == 0
    pool.add(trial(1000, ONE), outcome=True)
    for seed in range(40):
        pool.add(trial(seed, OTHER), outcome=False)
    assert len(pool) == 1 + POOL_MAX
    seeds = Counter(pool.mutant(Randomness(seed, "mutation")).seed for seed in range(400))
    # The one with an outcome gets half: 200, and six standard deviations are 60.
    assert 140 < seeds.pop(1000) < 260
    assert set(seeds) == set(range(40 - POOL_MAX, 40))


def test_a_mutant_is_another_schedule_as_a_rule():
    pool = Pool()
    pool.add(trial(1, ONE), outcome=True)
    pool.add(trial(2, OTHER), outcome=True)
    mutants = [pool.mutant(Randomness(seed, "mutation")) for seed in range(200)]
    assert sum(mutant.turns in {ONE, OTHER} for mutant in mutants) < 20
    assert len({mutant.turns for mutant in mutants}) > 100
    assert [pool.mutant(Randomness(seed, "mutation")) for seed in range(200)] == mutants


# Lenient replay.


def maker(cache, prefix, count=5):
    def make(kernel):
        for number in range(count):
            kernel.mkdir(f"{cache}/{prefix}{number}")

    return make


def played(tmp_path, segments, functions=None):
    cache = tmp_path / "cache"
    functions = functions or {f"build-{number}": maker(cache, f"{number}-") for number in (1, 2, 3)}
    arena = Arena(tmp_path, functions, strategy=LenientReplay(parse_segments(segments)), host=BareHost).run()
    return "".join(step[0][-1] for step in arena.steps)


def test_what_can_be_followed_is_followed(tmp_path):
    assert played(tmp_path, "b2:3,b1:1,b3:5,b1:4,b2:2") == "222133333111122"


def test_what_cannot_is_passed_over(tmp_path):
    # Nobody is called x; 2 ends within its segment, and has nothing left for a further one.
    assert played(tmp_path, "x9:3,b2:9,b1:1,b2:2,b3:2") == "222221" + "33" + "333" + "1111"


def test_a_blocked_actor_is_passed_over(tmp_path):
    def work(kernel):
        fd = kernel.open(f"{tmp_path}/cache/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.flock(fd, fcntl.LOCK_UN)
        kernel.close(fd)

    # 2 waits for the lock after two steps; its other three are skipped, and come when nobody says anything any more.
    assert played(tmp_path, "b1:2,b2:5,b1:2", {"build-1": work, "build-2": work}) == "11221" + "1" + "222"


def test_a_length_that_is_not_there_is_all_that_is_left(tmp_path):
    assert played(tmp_path, "b2,b1:1,b3") == "22222" + "1" + "33333" + "1111"


# Explorations.


def portfolio(scenario):
    return replace(scenario, schedule=Schedule(start_gap=0).under("portfolio"))


def test_only_a_portfolio_mutates():
    assert isinstance(source_for("portfolio"), Mutating)
    assert all(isinstance(source_for(strategy), Seeds) for strategy in ("pos", "sticky", "random", "pct"))


def test_before_anything_was_found_there_is_nothing_to_mutate():
    source = Mutating(share=1.0)
    assert source.plan(5) == (5, None)
    source.learn(trial(5, ONE), new_outcome=False, new_class=False)
    assert source.plan(6) == (6, None)
    source.learn(trial(6, ONE), new_outcome=True, new_class=False)
    seed, strategy = source.plan(7)
    assert seed == 6
    assert isinstance(strategy, LenientReplay)
    assert source.mutants == 1
    assert all(isinstance(segment, Segment) for segment in strategy._segments)


@pytest.mark.slow
def test_the_same_seeds_find_the_same_mutants_and_all(ground):
    scenario = portfolio(load_scenario("issue-3515-small"))
    first, second = (explored(scenario, ground, schedules=120, first_seed=5) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)
    assert "sampled by portfolio, seeds 5 to 124 (" in first.bound
    assert "mutants in place of some); ended after 120 schedules, as asked" in first.bound


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["issue-3515-small", "stress"])
def test_every_token_is_played_again_a_mutant_s_with_the_faults_of_its_parent(scenario, ground, monkeypatch):
    loaded = portfolio(load_scenario(scenario))
    loaded = replace(loaded, builds=2, cleaners_after=("hardened",))
    monkeypatch.setattr("simulator.search.sampling.source_for", lambda strategy: Mutating(0.5))
    found = explored(loaded, ground, schedules=60 if scenario == "issue-3515-small" else 16)
    shown = {item.shown for item in (*found.outcomes, *found.violations)}
    tokens = [parse_token(one.token) for one in shown]
    assert any(token.segments for token in tokens)
    for token in tokens:
        replayed = loaded
        if token.segments:
            schedule = replace(loaded.schedule, strategy="replay", segments=token.segments)
            replayed = replace(loaded, schedule=schedule)
        assert run_one(replayed, token.seed, ground).token == str(token)
