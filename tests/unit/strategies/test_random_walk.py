"""The random walk: each alike, at each step, and no draw where there is nothing to choose."""

from collections import Counter

from simulator.engine.actor import BLOCKED, ENABLED, Actor
from simulator.engine.randomness import Randomness
from simulator.strategies.base import FOR_EVER
from simulator.strategies.random_walk import RandomWalk


def begun(count, seed=1):
    actors = [Actor(f"build-{number}", number, status=ENABLED) for number in range(count)]
    strategy, steps = RandomWalk(), []
    assert strategy.begin(actors, steps, Randomness(seed, "schedule"))
    return strategy, actors, steps


def chosen(strategy, enabled, current, steps):
    actor = strategy.choose(enabled, current)
    steps.append(())
    return actor


def test_each_is_chosen_alike_whoever_was_before():
    strategy, actors, steps = begun(4)
    pairs, current = Counter(), actors[0]
    for _ in range(16_000):
        following = chosen(strategy, actors, current, steps)
        pairs[current.index, following.index] += 1
        current = following
    # 16 pairs of 1,000 each; a standard deviation is 31.
    assert len(pairs) == 16
    assert all(abs(count - 1000) < 150 for count in pairs.values()), pairs


def test_the_same_seed_is_the_same_schedule():
    def names(seed):
        strategy, actors, steps = begun(4, seed)
        return [chosen(strategy, actors, actors[0], steps).index for _ in range(100)]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_alone_it_draws_nothing_and_is_not_asked_again():
    strategy, actors, steps = begun(4)
    other, _, _ = begun(4)
    assert chosen(strategy, actors[2:3], actors[0], steps) is actors[2]
    assert strategy.quiet_steps() == FOR_EVER
    assert chosen(strategy, actors, actors[2], steps).index == other.choose(actors, actors[2]).index
    assert strategy.quiet_steps() == 0


def test_asked_twice_about_one_step_it_keeps_its_choice():
    strategy, actors, _ = begun(4)
    first = strategy.choose(actors, actors[0])
    assert all(strategy.choose(actors, first) is first for _ in range(20))
    first.status = BLOCKED
    assert strategy.choose([actor for actor in actors if actor is not first], first) is not first
