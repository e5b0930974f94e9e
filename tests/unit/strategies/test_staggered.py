"""Staggered starts: who has not arrived is not chosen, and nothing waits for ever."""

import pytest

from simulator.engine.actor import BLOCKED, DONE, ENABLED, Actor
from simulator.engine.randomness import Randomness
from simulator.strategies.staggered import START_GAP, Staggered
from simulator.strategies.sticky import Sticky


class First:
    """Chooses the first it is shown, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def begin(self, actors, steps, randomness):
        return True

    def choose(self, enabled, current):
        self.shown.append([actor.name for actor in enabled])
        return enabled[0]

    def quiet_steps(self):
        return 10_000

    def end(self):
        self.shown.append("end")


def actors_of(count):
    actors = [Actor(f"build-{number}", number) for number in range(count)]
    for actor in actors:
        actor.status = ENABLED
    return actors


def begun(gap, count=8, seed=1, inner=None):
    strategy = Staggered(inner or First(), gap)
    actors, steps = actors_of(count), []
    assert strategy.begin(actors, steps, Randomness(seed, "schedule"))
    return strategy, actors, steps


def test_everybody_arrives_within_the_window_and_stays():
    strategy, actors, steps = begun(gap=100)
    current, shown = actors[0], []
    for _ in range(801):
        current = strategy.choose(actors, current)
        shown.append(len(strategy.inner.shown[-1]))
        steps.append(())
    assert shown == sorted(shown)
    assert shown[0] == 1
    assert shown[-1] == 8


def test_without_a_gap_everybody_is_there_at_once():
    strategy, actors, _ = begun(gap=0)
    strategy.choose(actors, actors[0])
    assert strategy.inner.shown == [[actor.name for actor in actors]]


def test_the_first_step_is_made_by_the_first_to_arrive():
    firsts = set()
    for seed in range(20):
        strategy, actors, _ = begun(gap=100, seed=seed)
        firsts.add(strategy.choose(actors, actors[0]).name)
    assert len(firsts) > 3


def test_time_jumps_when_nobody_who_is_there_can_move():
    strategy, actors, steps = begun(gap=1000, count=3)
    order = []
    current = actors[0]
    for _ in actors:
        enabled = [actor for actor in actors if actor.status == ENABLED]
        current = strategy.choose(enabled, current)
        order.append(current)
        current.status = DONE
        steps.append(())
    assert sorted(actor.index for actor in order) == [0, 1, 2]


def test_one_who_waits_for_a_lock_lets_time_jump_too():
    strategy, actors, steps = begun(gap=1000, count=2)
    first = strategy.choose(actors, actors[0])
    first.status = BLOCKED
    steps.append(())
    other = strategy.choose([actor for actor in actors if actor is not first], first)
    assert other is not first


def test_quiet_steps_end_where_somebody_arrives():
    strategy, actors, steps = begun(gap=100)
    current = strategy.choose(actors, actors[0])
    there = len(strategy.inner.shown[-1])
    quiet = strategy.quiet_steps()
    assert 0 <= quiet < 800
    steps += [()] * quiet
    strategy.choose(actors, current)
    assert len(strategy.inner.shown[-1]) == there
    steps.append(())
    strategy.choose(actors, current)
    assert len(strategy.inner.shown[-1]) > there


def test_quiet_steps_are_the_inner_strategys_once_all_are_there():
    strategy, actors, steps = begun(gap=100)
    steps += [()] * 800
    strategy.choose(actors, actors[0])
    assert strategy.quiet_steps() == 10_000


def test_the_end_is_told():
    strategy, _, _ = begun(gap=100)
    strategy.end()
    assert strategy.inner.shown == ["end"]


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_arrivals(seed):
    def play():
        strategy, actors, steps = begun(START_GAP, seed=seed, inner=Sticky(0.05))
        current, chosen = actors[0], []
        for _ in range(3000):
            current = strategy.choose(actors, current)
            chosen.append(current.index)
            steps.append(())
        return chosen

    assert play() == play()
