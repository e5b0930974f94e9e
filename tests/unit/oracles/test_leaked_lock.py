"""A lock is given up by who took it: kept to the end of an actor, or held when all have ended, it is leaked."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace

import pytest

from cache_core import protocols
from simulator.actors.cleaners import CLEANERS, Cleaned, Cleaner
from simulator.engine.faults import parse_fault
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.running.verdict import left_locks
from simulator.scenario import Expect
from simulator.scenario_file import load_scenario
from tests.support.arena import Arena
from tests.support.runs import run_one

HOSTS = pytest.mark.parametrize("host", [TrioHost, BareHost])


def taking(cache, *, give_up=True, fail=False, steps=1):
    def run(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        for _ in range(steps):
            kernel.fstat(fd)
        if fail:
            raise OSError
        if give_up:
            kernel.close(fd)

    return run


def left(arena):
    return left_locks(arena.gate, arena.cache)


@HOSTS
def test_a_lock_that_is_given_up_is_none(tmp_path, host):
    arena = Arena(tmp_path, {"build-1": taking(tmp_path / "cache")}, host=host).run()
    assert left(arena).kept == left(arena).held == ()


@HOSTS
@pytest.mark.parametrize("fail", [False, True])
def test_a_lock_that_an_actor_has_at_its_end_is_kept(tmp_path, host, fail):
    arena = Arena(tmp_path, {"build-1": taking(tmp_path / "cache", give_up=False, fail=fail)}, host=host).run()
    assert left(arena).kept == (("build-1", "lock"),)
    assert left(arena).held == ()


@HOSTS
def test_what_a_killed_one_held_is_no_leak(tmp_path, host):
    arena = Arena(tmp_path, {"build-1": taking(tmp_path / "cache")}, faults=["build-1:3:kill"], host=host).run()
    assert left(arena).kept == left(arena).held == ()


@HOSTS
def test_what_those_held_that_stood_still_is_no_leak(tmp_path, host):
    cache = tmp_path / "cache"

    def both(first, second):
        def run(kernel):
            for name in (first, second):
                kernel.flock(kernel.open(f"{cache}/{name}", os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)

        return run

    arena = Arena(tmp_path, {"build-1": both("a", "b"), "build-2": both("b", "a")}, host=host).run()
    assert arena.gate.stopped == "deadlock"
    assert left(arena).kept == left(arena).held == ()


@HOSTS
def test_a_copy_that_a_worker_has_to_its_end_is_no_leak_of_the_worker(tmp_path, host):
    cache = tmp_path / "cache"
    kernels = {}

    def work(kernel):
        kernels["worker"] = kernel
        kernel.await_event("work")

    def lead(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.fork(kernels["worker"])
        kernel.close(fd)
        kernel.tell("work")

    arena = Arena(tmp_path, {"worker-1": work, "build-1": lead}, host=host).run()
    assert [step[2] for step in arena.steps if step[0] == "worker-1"] == ["exit"]
    assert left(arena).kept == left(arena).held == ()


def test_a_descriptor_that_got_away_is_held(tmp_path):
    away = []

    def run(kernel):
        fd = kernel.open(f"{tmp_path}/cache/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_SH)
        away.append(os.dup(fd))
        kernel.close(fd)

    arena = Arena(tmp_path, {"build-1": run}, host=BareHost).run()
    try:
        assert left(arena).held == ("lock",)
    finally:
        os.close(away[0])
    assert left(arena).held == ()


# In a run, as the oracle tells it.


@pytest.fixture
def small():
    scenario = load_scenario("issue-3515-small")
    return replace(scenario, protocol="entry-lock", cache_lock=True, expect=Expect(tolerated_oracles=("build-hurt",)))


def leaks(report):
    return [(item.signature, item.sentence) for item in report.violations if item.oracle == "leaked-lock"]


def keeping(store, entry, work):
    """`entry-lock`, and the lock goes with the process at best."""
    store.make_directories(entry.release)
    fd = store.kernel.open(store.path(entry.lock), os.O_RDWR | os.O_CREAT)
    store.kernel.flock(fd, fcntl.LOCK_EX)
    return protocols.private(store, entry, work)


def test_the_protocols_that_ship_leak_nothing(small, ground):
    for seed in range(5):
        assert leaks(run_one(replace(small, cleaners_during=("hardened",)), seed, ground)) == []


def test_a_protocol_that_keeps_its_lock_is_caught(small, ground, monkeypatch):
    monkeypatch.setitem(protocols.PROTOCOLS, "entry-lock", keeping)
    report = run_one(small, 0, ground)
    found = leaks(report)
    assert {signature for signature, _ in found} == {"leaked-lock:kept:build"}
    assert len(found) == 2
    assert found[0][1].startswith("build-1 ended and had not given up ")
    assert found[0][1].endswith(".lock")
    killed = replace(small, faults=(parse_fault("build-1:20:kill"), parse_fault("build-2:20:kill")))
    assert leaks(run_one(killed, 0, ground)) == []


def test_a_cleaner_that_keeps_its_lock_is_caught(small, ground, monkeypatch):
    honest = CLEANERS["rmtree"].run

    def keep(kernel, root, identity, crew):
        fd = kernel.open(f"{root}/.lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        return honest(kernel, root, identity, crew) if not root else Cleaned()

    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(keep, "keeps"))
    report = run_one(replace(small, cleaners_after=("rmtree",)), 0, ground)
    assert leaks(report) == [("leaked-lock:kept:cleaner", "cleaner ended and had not given up .lock")]
