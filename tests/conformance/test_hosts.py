"""Two hosts, one truth: the same run, step for step, under trio and under the bare loop."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import trio

from simulator import orchestrator
from simulator.ground.sandbox import Sandbox
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.orchestrator import Options
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario, scenario_files
from simulator.strategies import SAMPLERS
from simulator.strategies.sticky import Sticky
from tests.conformance.test_kill import FORMS, careful
from tests.support.arena import Arena


def tokens(scenario, seeds, ground, *, bare):
    found = []

    async def main():
        with Sandbox.create(ground) as sandbox:
            reports = [await orchestrator.run(scenario, seed, sandbox, Options(bare=bare)) for seed in seeds]
            found.extend(report.token for report in reports)

    trio.run(main)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(SAMPLERS))
@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_the_same_tokens_under_both(name, strategy, ground):
    scenario = replace(load_scenario(name), schedule=Schedule(strategy))
    seeds = range(3)
    assert tokens(scenario, seeds, ground, bare=True) == tokens(scenario, seeds, ground, bare=False)


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
