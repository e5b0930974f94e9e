"""Two runs of one schedule: the first step that differs, and whose it is."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import trio

from simulator.actors import toolchains
from simulator.errors import NondeterminismError
from simulator.hosts.bare import BareHost
from simulator.running.determinism import check_deterministic, first_difference
from simulator.scenario_file import load_scenario
from tests.support.arena import Arena
from tests.support.exploring import explored, searched


def step(actor="build-1", operation="stat", path="a", number=None, detail=None):
    return (actor, "start", operation, path, None, None, number, detail, None)


def test_the_same_steps_have_no_difference():
    assert first_difference([], []) is None
    assert first_difference([step()], (step(),)) is None
    assert first_difference([step(), step(path="b")], [step(), step(path="b")]) is None


@pytest.mark.parametrize(
    ("was", "now", "number", "actor", "sentence"),
    [
        ([step(), step(path="b")], [step(), step(path="c")], 2, "build-1", "'build-1 stat b' and is 'build-1 stat c'"),
        ([step()], [step(), step("cleaner")], 2, "cleaner", "nothing (the run had ended) and is 'cleaner stat a'"),
        ([step("cleaner")], [], 1, "cleaner", "'cleaner stat a' and is nothing (the run had ended)"),
        ([step(number=2)], [step()], 1, "build-1", "'build-1 stat a' (ENOENT) and is 'build-1 stat a'"),
        ([step(detail=("x",))], [step(detail=("y",))], 1, "build-1", "stat a' -> ('x',) and is 'build-1"),
    ],
)  # fmt: skip
def test_the_first_difference_is_told(was, now, number, actor, sentence):
    difference = first_difference(was, now)
    assert (difference.step, difference.actor) == (number, actor)
    assert str(difference).startswith(f"step {number} was ")
    assert sentence in str(difference)


def play_in(tmp_path, function):
    runs = []

    async def play():
        runs.append(1)
        arena = Arena(tmp_path / str(len(runs)), {"build-1": function(tmp_path / str(len(runs)))}, host=BareHost)
        await arena.run_async()
        return arena.steps

    return play


def play_twice(play):
    async def main():
        await check_deterministic(await play(), play)

    trio.run(main)


def test_an_actor_with_a_memory_is_found(tmp_path):
    memory = []

    def actor(root):
        def run(kernel):
            kernel.mkdir(f"{root}/cache/one")
            memory.append(1)
            kernel.mkdir(f"{root}/cache/{'two' if len(memory) == 1 else 'three'}")

        return run

    with pytest.raises(NondeterminismError) as caught:
        play_twice(play_in(tmp_path, actor))
    assert caught.value.message == (
        "'build-1' is not deterministic: step 2 was 'build-1 mkdir two' and is 'build-1 mkdir three' in a second run of"
        " the same schedule; it depends on something that no step shows, such as the time, random numbers, the order of"
        " a set, or what an earlier run left in memory"
    )
    assert (caught.value.kind, caught.value.value, caught.value.exit_code) == ("nondeterminism", "build-1", 70)


def test_an_actor_without_one_is_not(tmp_path):
    def actor(root):
        return lambda kernel: kernel.listdir(os.fspath(root / "cache"))

    play_twice(play_in(tmp_path, actor))


@pytest.mark.parametrize("search", [explored, searched])
def test_a_search_of_a_scenario_that_does_not_repeat_is_refused(ground, monkeypatch, search):
    """Found before anything is claimed: here the third build is the first of the second run."""
    scenario = replace(load_scenario("issue-3515-small"), cleaners_after=("hardened",))
    whole, builds = toolchains.TOOLCHAINS[scenario.toolchain], []

    class Moody:
        def __getattr__(self, name):
            return getattr(whole, name)

        def build_wheel(self, kernel, request, enter_phase):
            builds.append(request.identity)
            if len(builds) > 2:
                kernel.stat(request.source)
            return whole.build_wheel(kernel, request, enter_phase)

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Moody())
    with pytest.raises(NondeterminismError, match=r"is not deterministic: step \d+ was .* in a second run"):
        search(scenario, ground, schedules=10)
    assert len(builds) == 4
