"""Two cleaners, each with a worker, and a build, over many schedules; with the cache lock and by force.

With the lock, a build is waited for and succeeds, and each cleaner leaves an empty cache. By force, a build may lose
what it works on, and says so in the way that builds do; a cleaner reports what came while it looked. Both times both
cleaners succeed, nobody waits for ever, and nothing outside changes.
"""

from __future__ import annotations

import dataclasses
import errno

import pytest

from simulator.actors.toolchains.base import ToolchainError
from simulator.running.blame import failure_of
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.sticky import Sticky
from tests.support.sweep_builds import STORMS, build, recipe_of, set_stage
from tests.support.sweeps import clean_again, cleaner, play

pytestmark = pytest.mark.slow

SEEDS = 120
# Without a build, in each state.
SEEDS_ALONE = 60
SWITCH_PROBABILITIES = (0.02, 0.1, 0.5)
QUANTA = (1, 2, 3, 5, 8, 13, 21)

# What a build runs into whose files go, as a system error: nothing there, or something there again that it made before.
LOST = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}


def schedules(seeds):
    """Strategies, each with its seed."""
    yield from ((RoundRobin(quantum), 0) for quantum in QUANTA)
    yield from ((Sticky(SWITCH_PROBABILITIES[seed % 3]), seed) for seed in range(seeds))


def cleaners(ground, index, **options):
    """Two, and their workers, from a place among the actors on."""
    one, helper = cleaner(ground, index=index, worker_index=index + 2, workers=2, **options)
    name, place = "cleaner-2", index + 1
    two, second = cleaner(ground, name=name, index=place, worker_index=index + 3, workers=2, first_worker=2, **options)
    return [one, two, helper, second]


def storm_of(protocol):
    return dataclasses.replace(STORMS[protocol], builds=1)


def play_all(ground, storm, state, **options):
    """Each schedule: what was played."""
    recipe = recipe_of(ground, state)
    for strategy, seed in schedules(SEEDS):
        ground.lay(recipe)
        set_stage(ground, storm)
        parties = [build(ground, storm, 1, 0), *cleaners(ground, 1, **options)]
        played = play(ground, parties, strategy=strategy, seed=seed)
        assert played.gate.deadlock is None
        assert played.gate.stopped is None
        ground.assert_outside_unchanged()
        yield played
        assert clean_again(ground).empty


@pytest.mark.parametrize("protocol", ["entry-lock", "private"])
def test_under_the_lock_the_build_succeeds_and_so_do_both_cleaners(ground, swept, protocol):
    orders = set()
    for played in play_all(ground, storm_of(protocol), "partial-tree"):
        assert played["build-1"].error is None
        assert played["build-1"].ended
        for name in ("cleaner", "cleaner-2"):
            report = played[name].result
            assert report.empty
            assert report.lock == "exclusive"
        orders.add(last_to_end(played))
        swept("two cleaners and a build", f"{protocol}, with the lock")
    # The schedules are worth something: each of them was the last one to end.
    assert orders >= {"build-1", "cleaner", "cleaner-2"}


def last_to_end(played):
    return next(step[0] for step in reversed(played.steps) if not step[0].startswith("worker"))


@pytest.mark.parametrize("protocol", ["shared", "in-place"])
def test_by_force_both_cleaners_succeed_and_the_build_says_what_it_lost(ground, swept, protocol):
    outcomes = set()
    for played in play_all(ground, storm_of(protocol), "partial-tree", force=True):
        failure = failure_of(played["build-1"], None)
        outcomes.add(failure is None)
        if failure is not None:
            assert failure.errno in LOST or isinstance(played["build-1"].error, ToolchainError), failure
        for name in ("cleaner", "cleaner-2"):
            report = played[name].result
            assert report.lock == "ignored"
            # What came while it looked, and nothing else, may be left.
            assert all((left.errno, "appeared" in left.reason) == ("ENOTEMPTY", True) for left in report.left)
            assert report.empty == (not report.left)
        swept("two cleaners and a build", f"{protocol}, by force")
    assert outcomes == {True, False}


@pytest.mark.parametrize("force", [False, True], ids=["lock", "force"])
@pytest.mark.parametrize(
    "state", ["shut-directories", "read-only-top", "deep-chains", "trash-left", "lock-is-a-directory"]
)
def test_two_cleaners_alone_both_leave_an_empty_cache(ground, swept, state, force):
    recipe = recipe_of(ground, state)
    for strategy, seed in schedules(SEEDS_ALONE):
        ground.lay(recipe)
        played = play(ground, cleaners(ground, 0, force=force), strategy=strategy, seed=seed)
        assert played.gate.stopped is None
        for name in ("cleaner", "cleaner-2"):
            assert played[name].error is None
            assert played[name].result.empty, played[name].result.left
        assert ground.content() == []
        ground.assert_outside_unchanged()
        assert clean_again(ground).empty
        swept("two cleaners", f"{state}, {'by force' if force else 'with the lock'}")
