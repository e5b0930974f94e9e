"""Two hosts, one truth: the same run, step for step, under trio and under the bare loop."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace

import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario, scenario_files
from simulator.schedule import format_segments, segments_of
from simulator.strategies import SAMPLERS
from simulator.strategies.pct import Pct
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.replay import Replay
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.staggered import Staggered
from simulator.strategies.sticky import Sticky
from tests.conformance.test_kill import FORMS, careful
from tests.support.arena import Arena


def reports(scenario, seeds, ground, *, bare):
    async def main():
        with Sandbox.create(ground) as sandbox:
            return [await orchestrator.run(scenario, seed, sandbox, Options(bare=bare)) for seed in seeds]

    return trio.run(main)


def tokens(scenario, seeds, ground, *, bare):
    return [report.token for report in reports(scenario, seeds, ground, bare=bare)]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(SAMPLERS))
@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_the_same_tokens_under_both(name, strategy, ground):
    scenario = replace(load_scenario(name), schedule=Schedule(strategy))
    seeds = range(3)
    assert tokens(scenario, seeds, ground, bare=True) == tokens(scenario, seeds, ground, bare=False)


def told(report):
    """Without how often a build was passed over: an attempt to move that ended in a stall leaves no step behind.

    And without messages: they have the sandbox's path, and a rehearsal takes a directory of it.
    """
    failures = [build.failure and replace(build.failure, message="") for build in report.builds]
    return [
        (build.actor, build.outcome, build.phase, failure, build.steps)
        for build, failure in zip(report.builds, failures, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(SAMPLERS))
@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_a_recorded_schedule_is_the_same_run_under_both(name, strategy, ground):
    """Locks, stalls, kills and cleaners in the middle included: what a seed did, its segments do again."""
    scenario = replace(load_scenario(name), schedule=Schedule(strategy), cleaners_after=("hardened",))
    recorded = reports(scenario, [1], ground, bare=True)[0]
    storm = recorded.rounds[0][: recorded.storm_steps]
    segments = format_segments(segments_of(storm))
    replayed = replace(scenario, schedule=Schedule("replay", segments=segments))
    for bare in (True, False):
        (again,) = reports(replayed, [1], ground, bare=bare)
        assert again.trace_digest == recorded.trace_digest
        assert told(again) == told(recorded)
        assert again.cleaners == recorded.cleaners


def quarrelling(cache):
    """Plain actors and coroutines that take two locks in either order, leave a descriptor open, fail and clean up."""

    def work(number):
        first, second = ("a", "b") if number % 2 else ("b", "a")
        return f"{cache}/{first}", f"{cache}/{second}", f"{cache}/{number}"

    def plain(number):
        def run(kernel):
            first, second, own = work(number)
            kernel.mkdir(own)
            for name in (first, second) * 3:
                fd = kernel.open(name, os.O_RDWR | os.O_CREAT)
                kernel.flock(fd, fcntl.LOCK_EX)
                for place in range(6):
                    kernel.close(kernel.open(f"{own}/{place}", os.O_WRONLY | os.O_CREAT))
                    kernel.stat(f"{own}/{place}")
                kernel.close(fd)
            kernel.open(first, os.O_RDONLY)
            kernel.rmdir(own)

        return run

    def awaited(number):
        async def run(kernel):
            first, second, own = work(number)
            await kernel.mkdir(own)
            for name in (first, second) * 3:
                fd = await kernel.open(name, os.O_RDWR | os.O_CREAT)
                await kernel.flock(fd, fcntl.LOCK_EX)
                for place in range(6):
                    await kernel.close(await kernel.open(f"{own}/{place}", os.O_WRONLY | os.O_CREAT))
                    await kernel.stat(f"{own}/{place}")
                await kernel.close(fd)
            await kernel.open(first, os.O_RDONLY)
            await kernel.rmdir(own)

        return run

    return {"build-1": plain(1), "build-2": awaited(2), "build-3": plain(3), "build-4": awaited(4)}


MAKERS = {
    "sticky": lambda: Sticky(0.2),
    "staggered": lambda: Staggered(Sticky(0.2), 20),
    "random": RandomWalk,
    "pct": lambda: Pct(4, 60),
    "round-robin": lambda: RoundRobin(1),
    "round-robin, long turns": lambda: RoundRobin(7),
}
MISHAPS = {
    "none": [],
    "kill": ["build-1:9:kill", "build-2:30:kill"],
    "stall": ["build-3:4:stall", "build-4:20:stall"],
    "errno": ["build-1:20:EIO", "build-2:20:ENOSPC:after", "build-3:12:EMFILE"],
    "all": ["build-1:9:kill", "build-2:30:EIO:after", "build-3:4:stall", "build-3:40:kill"],
}


def outcome(arena):
    """What a run must not depend on its host for."""
    return (
        arena.steps,
        [(actor.status, actor.steps, actor.killed, actor.last_failure) for actor in arena.actors],
        [(type(party.error), str(party.error).replace(arena.root, ""), party.ended) for party in arena.parties],
        (arena.gate.switches, arena.gate.interruptions, arena.gate.deadlock, arena.gate.stopped),
        sorted(os.listdir(arena.cache)),
    )


@pytest.mark.parametrize("mishaps", MISHAPS)
@pytest.mark.parametrize("strategy", MAKERS)
def test_every_strategy_makes_the_same_run_under_both(tmp_path, strategy, mishaps):
    # An actor that stalls was chosen for a step that it does not make: who is asked of that notices.
    modes = (True,) if any(spec.endswith("stall") for spec in MISHAPS[mishaps]) else (True, False)
    for seed in range(2):
        told = []
        for host in (TrioHost, BareHost):
            for quiet in modes:
                root = tmp_path / f"{seed}-{host.__name__}-{quiet}"
                actors = quarrelling(root / "cache")
                maker = MAKERS[strategy]()
                arena = Arena(root, actors, strategy=maker, seed=seed, faults=MISHAPS[mishaps], host=host)
                if not quiet:
                    # As if the strategy wanted to see every step.
                    arena.gate.quiet_steps = None
                told.append(outcome(arena.run()))
        assert len(told[0][0]) > 60
        assert all(one == told[0] for one in told)
        segments = format_segments(segments_of(told[0][0]))
        for host in (TrioHost, BareHost):
            root = tmp_path / f"{seed}-{host.__name__}-replay"
            again = Arena(
                root,
                quarrelling(root / "cache"),
                strategy=Replay(segments),
                faults=MISHAPS[mishaps],
                host=host,
            ).run()
            assert again.steps == told[0][0]


def mixed(cache):
    """Two plain actors and two coroutines that get in each other's way."""

    def plain(kernel):
        for number in range(30):
            try:
                kernel.mkdir(f"{cache}/{number % 5}")
            except FileExistsError:
                kernel.rmdir(f"{cache}/{number % 5}")

    async def awaited(kernel):
        for number in range(30):
            try:
                await kernel.mkdir(f"{cache}/{number % 5}")
            except FileExistsError:
                await kernel.rmdir(f"{cache}/{number % 5}")

    return {"build-1": plain, "build-2": awaited, "build-3": plain, "build-4": awaited}


@pytest.mark.parametrize("seed", range(5))
def test_plain_and_async_actors_side_by_side(tmp_path, seed):
    told = []
    for host in (TrioHost, BareHost):
        root = tmp_path / host.__name__
        faults = ["build-1:9:kill", "build-2:11:kill", "build-3:4:stall"]
        arena = Arena(root, mixed(root / "cache"), strategy=Sticky(0.3), seed=seed, faults=faults, host=host).run()
        told.append((arena.steps, [type(party.error) for party in arena.parties], arena.gate.switches))
    assert told[0] == told[1]
    assert len(told[0][0]) > 20


@pytest.mark.parametrize("host", [TrioHost, BareHost])
def test_a_bug_comes_out_and_everybody_is_unwound(tmp_path, host):
    arena = Arena(tmp_path, mixed(tmp_path / "cache"), host=host)
    arena.parties[2].function = lambda _: 1 / 0
    arena.parties[2]._failures = (OSError,)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ZeroDivisionError):
        arena.run()
    assert all(actor.dead for actor in arena.actors)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("host", [TrioHost, BareHost])
def test_an_interrupt_unwinds_actors_that_clean_up(tmp_path, host, form):
    actors = {f"build-{number}": careful(tmp_path / f"cache/{number}", form) for number in (1, 2, 3)}
    for number in (1, 2, 3):
        (tmp_path / f"cache/{number}").mkdir(parents=True)
    before = os.listdir("/proc/self/fd")
    arena = Arena(tmp_path, actors, host=host)
    arena.gate.interrupted = lambda: len(arena.steps) >= 5
    arena.run()
    assert all(actor.dead for actor in arena.actors)
    assert os.listdir("/proc/self/fd") == before
    assert sorted(os.listdir(tmp_path / "cache/1")) == ["kept"]


@pytest.mark.parametrize("host", [TrioHost, BareHost])
def test_an_interrupt_unwinds_everybody(tmp_path, host):
    arena = Arena(tmp_path, mixed(tmp_path / "cache"), host=host)
    arena.gate.interrupted = lambda: len(arena.steps) >= 10
    arena.run()
    assert len(arena.steps) == 10
    assert arena.gate.stopped == "interrupted"
    assert all(actor.dead for actor in arena.actors)


def test_a_run_that_is_cancelled_from_outside_ends(tmp_path):
    arena = Arena(tmp_path, mixed(tmp_path / "cache"))

    async def main():
        with trio.CancelScope() as scope:
            arena.gate.interrupted = lambda: len(arena.steps) == 10 and scope.cancel()
            await arena.run_async()
        assert scope.cancelled_caught

    trio.run(main)
    assert all(actor.dead for actor in arena.actors)
    # Nobody moves after the first wait that the cancellation ended.
    assert len(arena.steps) < 20
