"""POS: priorities of pending calls decide, and those that raced with a step are drawn anew, nobody else's."""

import fcntl
import os
from collections import Counter

import pytest

from simulator.hosts.bare import BareHost
from simulator.strategies.base import FOR_EVER
from simulator.strategies.pos import Pos
from tests.support.arena import Arena


class Scripted(Pos):
    """Draws what was written down, and then ever less."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = list(numbers)
        self.drawn = 0

    def begin(self, actors, steps, randomness):
        randomness.draw = self.next
        return super().begin(actors, steps, randomness)

    def next(self):
        self.drawn += 1
        return self.numbers.pop(0) if self.numbers else 0.1 / self.drawn


def maker(tmp_path, *names):
    def make(kernel):
        for name in names:
            kernel.mkdir(f"{tmp_path}/cache/{name}")

    return make


def looker(tmp_path, name, times):
    def look(kernel):
        for _ in range(times):
            try:
                kernel.stat(f"{tmp_path}/cache/{name}")
            except FileNotFoundError:
                continue

    return look


def played(tmp_path, strategy, seed=0, **actors):
    names = {name.replace("_", "-"): function for name, function in actors.items()}
    return Arena(tmp_path, names, strategy=strategy, seed=seed, host=BareHost).run()


def movers(arena):
    return "".join(step[0][-1] for step in arena.steps)


def test_without_races_each_step_costs_one_draw_and_the_highest_moves(tmp_path):
    strategy = Scripted(0.5, 0.6, 0.7, 0.2, 0.55, 0.1)
    actors = {f"build_{n}": maker(tmp_path, f"{n}", f"{n}{n}") for n in (1, 2)}
    arena = played(tmp_path, strategy, **actors)
    # 2 has 0.6, and its next call 0.7; then it ends, and 1 is alone: nobody asks any more.
    assert movers(arena) == "2211"
    assert strategy.drawn == 2 + 2


def test_a_call_that_raced_is_drawn_anew_and_no_other(tmp_path):
    # 1 makes `a`; 2 looks at `a`; 3 looks at `b`, which has nothing to do with it.
    strategy = Scripted(0.9, 0.5, 0.6, 0.3, 0.8)
    arena = played(
        tmp_path, strategy,
        build_1=maker(tmp_path, "a", "c"), build_2=looker(tmp_path, "a", 1), build_3=looker(tmp_path, "b", 1),
    )  # fmt: skip
    # After the mkdir of `a`: 1 gets 0.3 and 2, which raced, 0.8; 3 keeps its 0.6. Without the race 3 would come first.
    assert movers(arena) == "1231"


def test_looks_do_not_race(tmp_path):
    strategy = Scripted(0.9, 0.5, 0.1)
    arena = played(tmp_path, strategy, build_1=looker(tmp_path, "a", 1), build_2=looker(tmp_path, "a", 2))
    assert movers(arena) == "122"
    # One for the call after the first, which is none: 1 has ended.
    assert strategy.drawn == 2 + 1


def locker(tmp_path, times):
    def work(kernel):
        fd = kernel.open(f"{tmp_path}/cache/lock", os.O_RDWR | os.O_CREAT)
        for _ in range(times):
            kernel.flock(fd, fcntl.LOCK_EX)
            kernel.flock(fd, fcntl.LOCK_UN)
        kernel.close(fd)

    return work


def test_both_orders_of_a_lock_come_alike(tmp_path):
    first = Counter()
    for seed in range(200):
        arena = played(tmp_path, Pos(), seed, build_1=locker(tmp_path, 2), build_2=locker(tmp_path, 2))
        got = next(step[0] for step in arena.steps if step[2] == "flock")
        first[got] += 1
    # Six standard deviations of 100 are 42.
    assert all(58 < count < 142 for count in first.values()), first
    assert len(first) == 2


def test_one_that_waits_for_an_event_has_no_pending_call(tmp_path):
    seen = []

    class Watching(Pos):
        def choose(self, enabled, current):
            seen.extend(actor.pending for actor in self._actors if (actor.waits_for or "").startswith("/event/"))
            return super().choose(enabled, current)

    told = []

    def wait(kernel):
        kernel.stat(f"{tmp_path}/cache")
        while not told:
            kernel.await_event("go")
        kernel.stat(f"{tmp_path}/cache")

    def tell(kernel):
        for _ in range(3):
            kernel.stat(f"{tmp_path}/cache")
        told.append(1)
        kernel.tell("go")
        kernel.stat(f"{tmp_path}/cache")

    for seed in range(10):
        told.clear()
        arena = played(tmp_path, Watching(), seed, build_1=wait, build_2=tell, build_3=maker(tmp_path, f"n{seed}"))
        assert Counter(movers(arena)) == {"1": 2, "2": 4, "3": 1}
    assert seen
    assert set(seen) == {None}


def test_it_is_asked_while_anybody_else_could_move(tmp_path):
    strategy = Pos()
    arena = Arena(tmp_path, {"build-1": None, "build-2": None}, strategy=strategy)
    for actor in arena.actors:
        actor.status = "enabled"
    strategy.choose(arena.actors, arena.actors[0])
    assert strategy.quiet_steps() == 0
    assert strategy.choose(arena.actors[1:], arena.actors[0]) is arena.actors[1]
    assert strategy.quiet_steps() == FOR_EVER


@pytest.mark.slow
def test_a_rare_order_comes_more_often_than_under_a_random_walk(tmp_path):
    """One look must fall into the one gap that is at the end of fourteen steps: what POS is for."""
    from simulator.strategies.random_walk import RandomWalk

    def quick(kernel):
        try:
            kernel.stat(f"{tmp_path}/cache/x")
        except FileNotFoundError:
            return

    def busy(kernel):
        for _ in range(12):
            kernel.stat(f"{tmp_path}/cache")
        kernel.mkdir(f"{tmp_path}/cache/x")
        kernel.rmdir(f"{tmp_path}/cache/x")

    hits = Counter()
    for name, make in (("pos", Pos), ("random", RandomWalk)):
        for seed in range(400):
            arena = played(tmp_path, make(), seed, build_1=busy, build_2=quick)
            hits[name] += any(step[0] == "build-2" and step[6] is None for step in arena.steps)
    assert hits["pos"] > 3 * max(1, hits["random"]), hits
