"""The workers of a simulated cleaner: who works when, who waits for whom, and what is left when one is killed."""

from __future__ import annotations

import os

import pytest
import trio

from cache_core.layout import TAG_TEXT
from cache_core.locks import IN_KERNEL, lock_cache
from cache_core.units import UNITS_WANTED
from simulator.actors.crew import Cleaning
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import faults_by_actor, parse_fault
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.strategies.round_robin import RoundRobin

REMOVALS = {"unlink", "rmdir"}
ENTRIES = 6
NAMES = ("one", "three", "two")
EMPTY = [".lock", "CACHEDIR.TAG"]


def fill(root):
    """A cache with a few entries of a few files each, without a lock."""
    root.mkdir(exist_ok=True)
    for name in os.listdir(root):
        (root / name).unlink()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    for number in range(ENTRIES):
        entry = root / "bucket" / f"entry-{number}"
        entry.mkdir(parents=True)
        for name in NAMES:
            (entry / name).write_text(name)


@pytest.fixture
def cache(tmp_path):
    root = tmp_path / "cache"
    fill(root)
    return root


def play(cache, *, faults=(), wanted=2, more=None, host=BareHost):
    """Play a cleaning with one worker; returns the parties by name, the steps, and the gate."""
    by_actor = faults_by_actor(parse_fault(spec) for spec in faults)
    actor = Actor("cleaner", 0, by_actor.get("cleaner"))
    cleaning = Cleaning(actor, "hardened", str(cache), wanted)
    parties = [Party(actor, cleaning.clean), *cleaning.helpers(1, 1, by_actor)]
    parties += [Party(Actor(name, len(parties)), function) for name, function in (more or {}).items()]
    actors = [party.actor for party in parties]
    steps = []
    strategy = RoundRobin()
    strategy.begin(actors, steps, Randomness(0, "schedule"))
    gate = Gate(strategy, actors, steps)
    trio.run(host(gate, Paths(str(cache.parent), "cache"), LogicalTimes()).run, parties)
    return {party.actor.name: party for party in parties}, steps, gate


def operations(steps, name):
    return [step[2] for step in steps if step[0] == name]


def first_removal(cache):
    """The cleaner's own step at which it removes for the first time; the cache is as before."""
    at = operations(play(cache)[1], "cleaner").index("unlink") + 1
    fill(cache)
    return at


def test_both_remove_and_give_one_account(cache):
    parties, steps, gate = play(cache)
    assert gate.stopped is None
    for name in ("cleaner", "worker-1"):
        assert set(operations(steps, name)) >= REMOVALS
    cleaned = parties["cleaner"].result
    assert cleaned.error is None
    assert (cleaned.files_removed, cleaned.directories_removed) == (len(NAMES) * ENTRIES, ENTRIES + 1)
    assert sorted(os.listdir(cache)) == EMPTY


def test_nothing_is_removed_by_both(cache):
    _, steps, _ = play(cache)
    gone = [step[3] for step in steps if step[2] in REMOVALS and step[6] is None]
    assert len(gone) == len(set(gone)) > len(NAMES) * ENTRIES


def test_both_hosts_play_it_alike(cache):
    played = []
    for host in (BareHost, TrioHost):
        played.append(play(cache, host=host)[1])
        fill(cache)
    assert played[0] == played[1]


def test_a_worker_that_is_not_needed_makes_no_step(cache):
    parties, steps, _ = play(cache, wanted=UNITS_WANTED)
    assert operations(steps, "worker-1") == []
    assert parties["worker-1"].ended
    assert sorted(os.listdir(cache)) == EMPTY


def test_a_killed_worker_is_not_waited_for(cache):
    parties, steps, gate = play(cache, faults=["worker-1:9:kill"])
    assert gate.stopped is None
    assert operations(steps, "worker-1")[-1] == "kill"
    assert parties["cleaner"].result.error is None
    assert sorted(os.listdir(cache)) == EMPTY


def test_a_killed_worker_is_given_no_further_job(cache):
    """What an earlier cleaner left is a second job, after what this one moved aside."""
    for number in range(ENTRIES):
        (cache / ".cachestorm-trash" / f"{number}" / "inner").mkdir(parents=True)
    parties, steps, gate = play(cache, faults=["worker-1:9:kill"])
    assert gate.deadlock is None
    assert gate.stopped is None
    assert operations(steps, "worker-1")[-1] == "kill"
    assert parties["cleaner"].result.error is None
    assert sorted(os.listdir(cache)) == EMPTY


def test_a_worker_that_lives_is_given_both_jobs(cache):
    for number in range(ENTRIES):
        (cache / ".cachestorm-trash" / f"{number}" / "inner").mkdir(parents=True)
    _, steps, _ = play(cache)
    # It ends after each, as a process of its own would.
    assert operations(steps, "worker-1").count("exit") == 2


def test_a_worker_notices_that_the_cleaner_is_gone(cache):
    parties, _, gate = play(cache, faults=[f"cleaner:{first_removal(cache)}:kill"])
    assert gate.stopped is None
    assert parties["cleaner"].actor.killed
    assert parties["worker-1"].ended
    # It finishes the directory that it is in, and no more: most of the work is undone.
    assert sum(len(files) for _, _, files in os.walk(cache)) > len(NAMES) * ENTRIES // 2


def test_the_lock_of_a_killed_cleaner_stays_with_its_worker(cache):
    """No build starts before the last process that removes has ended."""
    kill_at = first_removal(cache)

    def build(kernel):
        # Round-robin: by then the cleaner has the lock.
        for _ in range(kill_at):
            kernel.lstat(str(cache))
        with lock_cache(str(cache), shared=True, kernel=kernel, wait=IN_KERNEL):
            kernel.mkdir(f"{cache}/built")

    parties, steps, gate = play(cache, faults=[f"cleaner:{kill_at}:kill"], more={"build-1": build})
    assert gate.stopped is None
    assert parties["build-1"].error is None
    told = [(step[0], step[2]) for step in steps]
    asked = told.index(("build-1", "flock"))
    assert steps[asked][6] is not None
    assert told.index(("cleaner", "kill")) < asked
    ended = max(place for place, (name, _) in enumerate(told) if name == "worker-1")
    assert asked < ended < told.index(("build-1", "mkdir"))
