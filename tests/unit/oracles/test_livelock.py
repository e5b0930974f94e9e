"""A run that does not end: a fair phase without faults, and whoever goes on in it has a livelock."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from simulator.actors import toolchains
from simulator.actors.cleaners import CLEANERS, Cleaner
from simulator.engine.gate import Bounds
from simulator.engine.trace import errno_name
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.running.bounds import of_cleaner, of_storm
from simulator.scenario import Expect, Schedule
from simulator.scenario_file import load_scenario
from simulator.strategies.replay import Replay
from tests.support.arena import Arena
from tests.support.runs import run_one

HOSTS = pytest.mark.parametrize("host", [TrioHost, BareHost])


class Unfair:
    """Always the first that can move, without looking further."""

    def begin(self, actors, steps, randomness):
        return True

    def choose(self, enabled, current):
        return enabled[0]

    def end(self):
        return


def polite(cache, mine, other):
    """Shows that it is there, and gives way to whoever is there already: two of them do so in step, for ever."""

    def run(kernel):
        while True:
            kernel.mkdir(f"{cache}/{mine}")
            try:
                kernel.stat(f"{cache}/{other}")
            except FileNotFoundError:
                return
            kernel.rmdir(f"{cache}/{mine}")

    return run


def two_polite(cache):
    return {"build-1": polite(cache, "a", "b"), "build-2": polite(cache, "b", "a")}


@HOSTS
def test_two_that_give_way_to_each_other_have_a_livelock(tmp_path, host):
    bounds = Bounds(50, 100)
    arena = Arena(tmp_path, two_polite(tmp_path / "cache"), host=host, bounds=bounds).run()
    assert arena.gate.stopped == "livelock"
    assert len(arena.steps) == 50 + 100 + 2
    calls = {("mkdir", "a", None), ("stat", "b", None), ("rmdir", "a", None)}
    moving = dict(arena.gate.livelock.moving)
    assert moving.keys() == {"build-1", "build-2"}
    assert set(moving["build-1"]) == calls
    assert arena.gate.livelock.bounds == bounds
    assert not any(party.ended for party in arena.parties)


@HOSTS
def test_an_unlucky_one_is_not_livelocked(tmp_path, host):
    """It spins on what another would do if it had a turn: unfair, but nothing that time does not heal."""
    cache = tmp_path / "cache"

    def spin(kernel):
        while True:
            with contextlib.suppress(FileNotFoundError):
                kernel.stat(f"{cache}/there")
                return

    def make(kernel):
        kernel.mkdir(f"{cache}/there")

    arena = Arena(
        tmp_path, {"build-1": spin, "build-2": make}, strategy=Unfair(), host=host, bounds=Bounds(100, 100)
    ).run()
    assert arena.gate.stopped is None
    assert all(party.ended for party in arena.parties)
    assert 100 < len(arena.steps) < 110
    assert arena.gate.fair


def test_in_the_fair_phase_nothing_strikes_and_nobody_stands_still(tmp_path):
    cache = tmp_path / "cache"

    def work(kernel):
        for number in range(40):
            kernel.mkdir(f"{cache}/{kernel._actor.name}-{number}")

    arena = Arena(
        tmp_path,
        {"build-1": work, "build-2": work},
        strategy=Replay("b1:1,b2"),
        faults=["build-1:2:stall", "build-2:35:kill"],
        bounds=Bounds(20, 200),
    ).run()
    assert arena.gate.stopped is None
    assert len(arena.steps) == 80
    # From the bound on everybody in turn, as long as there are two.
    turns = [step[0] for step in arena.steps[21:57]]
    assert turns == ["build-1", "build-2"] * 18


def test_a_run_within_its_bounds_is_as_it_was(tmp_path):
    one = Arena(tmp_path / "1", {"build-1": lambda kernel: kernel.mkdir(f"{tmp_path}/1/cache/x")}).run()
    assert not one.gate.fair


def goes_on(kernel, root, identity, crew):
    """Never gives up on one that it cannot remove."""
    while True:
        for name in kernel.listdir(root):
            with contextlib.suppress(OSError):
                kernel.rmdir(f"{root}/{name}")


@pytest.fixture
def small():
    return replace(load_scenario("issue-3515-small"), expect=Expect(tolerated_oracles=("build-hurt",)))


def livelocks(report):
    return [item for item in report.violations if item.oracle == "livelock"]


def test_a_cleaner_that_never_gives_up_after_the_storm(small, ground, monkeypatch):
    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(goes_on, "goes on"))
    report = run_one(replace(small, cleaners_after=("rmtree",)), 0, ground)
    (found,) = livelocks(report)
    assert found.signature == "livelock:cleaner"
    assert not found.expected
    assert "cleaner goes on with " in found.sentence
    assert "(ENOTEMPTY)" in found.sentence
    bounds = of_cleaner(small, report.storm_steps)
    assert f"after {bounds.chaos:,} steps and {bounds.fair:,} fair ones" in found.sentence
    (cleaner,) = report.cleaners
    assert (cleaner.ok, cleaner.error) == (False, "goes on for ever")
    # It said nothing, so it did not lie.
    assert {item.oracle for item in report.violations if not item.expected} == {"livelock", "cache-empty"}
    lenient = replace(small, cleaners_after=("rmtree",), expect=replace(small.expect, cleaners_may_fail=("rmtree",)))
    assert all(item.expected for item in run_one(lenient, 0, ground).violations)


@pytest.mark.slow
def test_a_cleaner_that_never_gives_up_in_the_storm(small, ground, monkeypatch):
    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(goes_on, "goes on"))
    report = run_one(replace(small, cleaners_during=("rmtree",), schedule=Schedule("random")), 0, ground)
    (found,) = livelocks(report)
    assert found.signature == "livelock:cleaner"
    # What it left is cleaned by the one after it, in the same round.
    assert report.cleaners[-1].ok
    assert report.storm_steps > of_storm(replace(small, cleaners_during=("rmtree",))).chaos
    assert {build.outcome for build in report.builds} <= {"ok", "failed"}
    assert report.cleaners[0].error == "goes on for ever"


def test_a_build_that_never_ends_is_told_by_its_kind(small, ground, monkeypatch):
    class Endless:
        def __getattr__(self, name):
            return getattr(whole, name)

        def build_wheel(self, kernel, request, enter_phase):
            while True:
                kernel.stat(request.source)

    whole = toolchains.TOOLCHAINS[small.toolchain]
    monkeypatch.setitem(toolchains.TOOLCHAINS, small.toolchain, Endless())
    report = run_one(small, 0, ground)
    (found,) = livelocks(report)
    assert found.signature == "livelock:build"
    assert {build.failure.type for build in report.builds} == {"Livelock"}


def test_what_it_keeps_doing_is_told_once_each(tmp_path):
    arena = Arena(tmp_path, two_polite(tmp_path / "cache"), bounds=Bounds(30, 300), host=BareHost).run()
    for _, calls in arena.gate.livelock.moving:
        assert len(calls) == len(set(calls)) == 3
        assert all(number is None or errno_name(number) for _, _, number in calls)


@pytest.mark.parametrize("cleaner", ["hardened", "model:uv-0.13.9", "model:uv-0.1.42"])
@pytest.mark.parametrize("name", ["issue-3515-small", "issue-3515-loop", "pip-in-place"])
@pytest.mark.slow
def test_real_scenarios_stay_far_below_their_bounds(name, cleaner, ground):
    scenario = load_scenario(name)
    scenario = replace(scenario, cleaners_during=("hardened",), cleaners_after=(cleaner,))
    report = run_one(scenario, 1, ground)
    assert report.storm_steps * 5 < of_storm(scenario).chaos
    after = len(report.rounds[0]) - report.storm_steps
    assert after * 5 < of_cleaner(scenario, report.storm_steps).chaos
