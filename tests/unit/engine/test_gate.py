"""The gate: one runnable actor, locks that disable, deadlocks that name their holders."""

from __future__ import annotations

import fcntl
import itertools
import math
import os
from collections import Counter

import pytest

from simulator.engine.gate import Deadlock
from simulator.engine.randomness import Randomness
from simulator.errors import DivergenceError
from simulator.schedule import format_segments, segments_of
from simulator.strategies.replay import Replay
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.sticky import Sticky
from tests.support.arena import Arena


def maker(cache, prefix, count=5):
    def make(kernel):
        for number in range(count):
            kernel.mkdir(f"{cache}/{prefix}{number}")

    return make


def trio_of(tmp_path, **options):
    cache = tmp_path / "cache"
    actors = {f"build-{number}": maker(cache, f"{number}-") for number in (1, 2, 3)}
    return Arena(tmp_path, actors, **options)


def movers(arena):
    return [step[0] for step in arena.steps]


def test_round_robin_gives_everybody_a_turn(tmp_path):
    assert movers(trio_of(tmp_path).run()) == ["build-1", "build-2", "build-3"] * 5


def test_round_robin_with_a_quantum(tmp_path):
    moved = movers(trio_of(tmp_path, strategy=RoundRobin(2)).run())
    assert moved[:8] == ["build-1"] * 2 + ["build-2"] * 2 + ["build-3"] * 2 + ["build-1"] * 2


def test_sticky_without_switching_runs_one_after_another(tmp_path):
    assert movers(trio_of(tmp_path, strategy=Sticky(0.0)).run())[:5] == ["build-1"] * 5


def test_sticky_that_always_switches_never_stays(tmp_path):
    moved = movers(trio_of(tmp_path, strategy=Sticky(1.0)).run())
    assert all(one != other for one, other in itertools.pairwise(moved[:9]))


class Walker:
    """An actor that can always move."""

    def __init__(self, index):
        self.index, self.status = index, "enabled"


def walk(probability, actors, length, seed=1):
    """Who a sticky walk chooses, step by step."""
    strategy, steps, chosen = Sticky(probability), [], [actors[0]]
    strategy.begin(actors, steps, Randomness(seed, "schedule"))
    for _ in range(length):
        chosen.append(strategy.choose(actors, chosen[-1]))
        steps.append(None)
    return [actor.index for actor in chosen[1:]]


def test_sticky_reaches_everybody_alike():
    moved = walk(1.0, [Walker(index) for index in range(4)], 3_000)
    pairs = Counter(itertools.pairwise(moved))
    assert not any(one == other for one, other in pairs)
    # Each of the twelve pairs expects 250; six standard deviations are 91.
    assert len(pairs) == 12
    assert all(159 < count < 341 for count in pairs.values())


@pytest.mark.parametrize("probability", [0.02, 0.3])
def test_sticky_switches_as_if_a_coin_were_tossed_at_each_step(probability):
    moved = walk(probability, [Walker(index) for index in range(3)], 40_000)
    runs = [len(list(group)) for _, group in itertools.groupby(moved)][1:-1]
    # Runs of a given length: each toss is independent, so their lengths are geometric. Six standard deviations.
    for length in (1, 2, 5):
        share = (1 - probability) ** (length - 1) * probability
        spread = 6 * math.sqrt(len(runs) * share * (1 - share))
        assert abs(runs.count(length) - len(runs) * share) < spread
    mean = 1 / probability
    assert abs(sum(runs) / len(runs) - mean) < 6 * mean / math.sqrt(len(runs))


def test_sticky_is_quiet_for_as_long_as_it_would_choose_the_same():
    actors = [Walker(index) for index in range(3)]
    asked, told = Sticky(0.1), Sticky(0.1)
    for strategy in (asked, told):
        strategy.begin(actors, steps := [], Randomness(5, "schedule"))
        strategy.record = steps
    current, quiet = actors[0], 0
    for _ in range(2_000):
        each = asked.choose(actors, current)
        if quiet == 0:
            assert told.choose(actors, current) is each
            quiet = told.quiet_steps()
        else:
            assert each is current
            quiet -= 1
        current = each
        asked.record.append(None)
        told.record.append(None)


@pytest.mark.parametrize("strategy", [Sticky(0.3), RoundRobin(3)])
def test_a_recorded_schedule_replays(tmp_path, strategy):
    recorded = trio_of(tmp_path / "one", strategy=strategy, seed=7).run()
    text = format_segments(segments_of(recorded.steps))
    replayed = trio_of(tmp_path / "two", strategy=Replay(text)).run()
    assert replayed.steps == recorded.steps


def test_a_replay_that_cannot_be_followed_says_where_and_why(tmp_path):
    told = r"step 6: by segment 2 .*\(b1:1\) build-1 moves, but it is done; step 5 was build-1 mkdir 1-4 -> ok"
    with pytest.raises(DivergenceError, match=told):
        trio_of(tmp_path, strategy=Replay("b1:5,b1:1")).run()


def test_a_replay_of_somebody_unknown_says_so(tmp_path):
    with pytest.raises(DivergenceError, match="x9 moves, but it is not in this run"):
        trio_of(tmp_path, strategy=Replay("x9:5")).run()


def test_a_segment_without_length_runs_to_the_end(tmp_path):
    assert movers(trio_of(tmp_path, strategy=Replay("b2,b1:1,b3")).run())[:11] == (
        ["build-2"] * 5 + ["build-1"] + ["build-3"] * 5
    )


def test_it_counts_switches_and_who_was_interrupted(tmp_path):
    arena = trio_of(tmp_path, strategy=Replay("b1:2,b2:1,b1")).run()
    assert arena.gate.switches == 4
    assert arena.gate.interruptions == [1, 1, 0]


def locking(cache, first, second):
    def lock(kernel):
        one = kernel.open(f"{cache}/{first}", os.O_RDWR | os.O_CREAT)
        two = kernel.open(f"{cache}/{second}", os.O_RDWR | os.O_CREAT)
        kernel.flock(one, fcntl.LOCK_EX)
        kernel.flock(two, fcntl.LOCK_EX)
        kernel.close(one)
        kernel.close(two)

    return lock


def test_a_deadlock_names_its_holders(tmp_path):
    cache = tmp_path / "cache"
    arena = Arena(tmp_path, {"build-1": locking(cache, "a", "b"), "build-2": locking(cache, "b", "a")}).run()
    assert arena.gate.deadlock == Deadlock((("build-1", "b", ("build-2",)), ("build-2", "a", ("build-1",))))
    assert arena.gate.stopped == "deadlock"


def test_in_the_same_order_there_is_none(tmp_path):
    cache = tmp_path / "cache"
    arena = Arena(tmp_path, {"build-1": locking(cache, "a", "b"), "build-2": locking(cache, "a", "b")}).run()
    assert arena.gate.deadlock is None
    assert all(party.error is None for party in arena.parties)


def test_a_lock_with_two_names_is_no_deadlock(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "a").touch()
    os.link(cache / "a", cache / "b")

    def take(name):
        def lock(kernel):
            fd = kernel.open(f"{cache}/{name}", os.O_RDWR)
            kernel.flock(fd, fcntl.LOCK_EX)
            kernel.fstat(fd)
            kernel.close(fd)

        return lock

    arena = Arena(tmp_path, {"build-1": take("a"), "build-2": take("b")}).run()
    assert arena.gate.deadlock is None
    assert [step[0] for step in arena.steps if step[2] == "close"] == ["build-1", "build-2"]


def test_shared_locks_do_not_exclude_each_other(tmp_path):
    cache = tmp_path / "cache"

    def share(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        kernel.fstat(fd)
        kernel.close(fd)

    arena = Arena(tmp_path, {"build-1": share, "build-2": share}).run()
    assert [step[2] for step in arena.steps] == [
        "create",
        "create",
        "flock",
        "flock",
        "fstat",
        "fstat",
        "close",
        "close",
    ]


def test_a_try_lock_fails_instead_of_waiting(tmp_path):
    cache = tmp_path / "cache"

    def hold(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.fstat(fd)
        kernel.fstat(fd)
        kernel.close(fd)

    def attempt(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    arena = Arena(tmp_path, {"build-1": hold, "build-2": attempt}).run()
    assert isinstance(arena.party("build-2").error, BlockingIOError)


def test_a_stalled_actor_waits_until_nobody_else_can_move(tmp_path):
    moved = movers(trio_of(tmp_path, faults=["build-1:2:stall"]).run())
    assert moved[0] == "build-1"
    assert moved[1:11] == ["build-2", "build-3"] * 5
    assert moved[11:] == ["build-1"] * 4


def test_an_exit_with_open_descriptors_closes_them(tmp_path):
    cache = tmp_path / "cache"
    before = os.listdir("/proc/self/fd")

    def careless(kernel):
        kernel.open(f"{cache}/one", os.O_RDWR | os.O_CREAT)

    arena = Arena(tmp_path, {"build-1": careless}).run()
    assert arena.told[-1] == "build-1 exit ."
    assert os.listdir("/proc/self/fd") == before


def test_a_bug_in_an_actor_comes_out_and_unwinds_the_others(tmp_path):
    arena = trio_of(tmp_path)
    arena.parties[1].function = lambda _: 1 / 0
    arena.parties[1]._failures = (OSError,)
    with pytest.raises(ZeroDivisionError):
        arena.run()
    assert all(actor.dead for actor in arena.actors)


def test_an_interrupt_ends_the_run(tmp_path):
    arena = trio_of(tmp_path)
    arena.gate.interrupted = lambda: len(arena.steps) >= 4
    arena.run()
    assert arena.gate.stopped == "interrupted"
    assert len(arena.steps) == 4


def test_a_schedule_with_a_stall_replays(tmp_path):
    faults = ["build-1:2:stall"]
    recorded = trio_of(tmp_path / "one", strategy=Sticky(0.4), seed=3, faults=faults).run()
    text = format_segments(segments_of(recorded.steps))
    replayed = trio_of(tmp_path / "two", strategy=Replay(text), faults=faults).run()
    assert replayed.steps == recorded.steps


def test_a_stall_is_over_when_a_schedule_says_so(tmp_path):
    moved = movers(trio_of(tmp_path, strategy=Replay("b1:1,b2:1,b1:2,b3:1"), faults=["build-1:2:stall"]).run())
    assert moved[:5] == ["build-1", "build-2", "build-1", "build-1", "build-3"]


@pytest.mark.parametrize("seed", range(6))
def test_a_schedule_with_locks_and_careless_ends_replays(tmp_path, seed):
    """Attempts that had to wait, and descriptors that an end closes, are in the record like everything else."""

    def actors(cache):
        careless = {f"build-{number}": locking(cache, "a", "b") for number in (1, 2, 3)}
        careless["build-4"] = lambda kernel: kernel.open(f"{cache}/left-open", os.O_RDWR | os.O_CREAT)
        return careless

    one, two = tmp_path / "one", tmp_path / "two"
    recorded = Arena(one, actors(one / "cache"), strategy=Sticky(0.4), seed=seed).run()
    text = format_segments(segments_of(recorded.steps))
    replayed = Arena(two, actors(two / "cache"), strategy=Replay(text)).run()
    assert replayed.steps == recorded.steps
    assert "build-4 exit ." in replayed.told


def test_two_stalls_at_one_step_are_two_stalls(tmp_path):
    arena = trio_of(tmp_path, faults=["build-1:2:stall", "build-1:2:stall"]).run()
    assert [party.error for party in arena.parties] == [None] * 3
    assert movers(arena)[-4:] == ["build-1"] * 4


def test_an_attempt_that_had_to_wait_does_not_move_an_actors_own_steps(tmp_path):
    cache = tmp_path / "cache"
    arena = Arena(tmp_path, {"build-1": locking(cache, "a", "b"), "build-2": locking(cache, "a", "b")}).run()
    assert [actor.steps for actor in arena.actors] == [6, 6]
    assert len(arena.steps) > 12
