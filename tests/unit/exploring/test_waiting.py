"""Actors that wait for each other: by polling, by converting a lock, or by a fault that lets them stand still."""

from __future__ import annotations

import fcntl
import os
import time

import pytest

import simulator
from simulator.errors import BadInputError


def nothing_to_say(directory):
    """An oracle."""


def test_who_sleeps_until_another_is_done_is_searched_to_the_end():
    def job(directory):
        open(f"{directory}/log", "a").close()
        open(f"{directory}/done", "w").close()

    def waiter(directory):
        open(f"{directory}/log", "a").close()
        while not os.path.exists(f"{directory}/done"):
            time.sleep(0.1)

    found = simulator.explore(actors=[job, waiter], oracle=nothing_to_say, strategy="dpor", budget=1000)
    assert found.complete
    assert [item.signature for item in found.outcomes] == ["job ok, waiter ok"]


def test_who_sleeps_and_ends_gives_up_its_locks_by_a_transition_of_its_own():
    def holds(directory):
        fd = os.open(f"{directory}/l", os.O_CREAT | os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        for _ in range(12):
            time.sleep(1)

    def wants(directory):
        fd = os.open(f"{directory}/l", os.O_CREAT | os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.mkdir(f"{directory}/d")

    found = simulator.explore(actors=[holds, wants], oracle=nothing_to_say, kills=1, budget=1000)
    assert found.complete
    assert {item.signature for item in found.outcomes} == {
        "holds ok, wants ok", "holds killed, wants ok", "holds ok, wants killed"
    }  # fmt: skip


def by_finally(directory):
    fd = os.open(f"{directory}/l", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        fcntl.flock(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)


def by_with(directory):
    with open(f"{directory}/l", "a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        fcntl.flock(file, fcntl.LOCK_EX)


def by_kernel(kernel, directory):
    fd = kernel.open(f"{directory}/l", os.O_CREAT | os.O_RDWR)
    try:
        kernel.flock(fd, fcntl.LOCK_SH)
        kernel.flock(fd, fcntl.LOCK_EX)
    finally:
        kernel.close(fd)


async def awaited(kernel, directory):
    fd = await kernel.open(f"{directory}/l", os.O_CREAT | os.O_RDWR)
    try:
        await kernel.flock(fd, fcntl.LOCK_SH)
        await kernel.flock(fd, fcntl.LOCK_EX)
    finally:
        await kernel.close(fd)


@pytest.mark.parametrize("up", [by_finally, by_with, by_kernel, awaited])
def test_who_converts_a_lock_in_vain_has_lost_it_and_waits(up):
    found = simulator.explore(actors=[("up-1", up), ("up-2", up)], strategy="dpor", budget=1000)
    found.assert_holds()
    assert found.complete
    assert [item.signature for item in found.outcomes] == ["up-1 ok, up-2 ok"]


def test_who_stands_still_by_a_fault_is_searched_to_the_end():
    def writes(directory):
        for name in "xyz":
            with open(f"{directory}/{name}", "w") as file:
                file.write("1")

    faults = ["a-1:3:stall", "a-2:3:stall"]
    actors = [("a-1", writes), ("a-2", writes)]
    found = simulator.explore(actors=actors, faults=faults, strategy="dpor", budget=1000)
    found.assert_holds()
    assert found.complete


def looks_for_flag(directory):
    while not os.path.exists(f"{directory}/flag"):
        pass


def makes_flag(directory):
    os.mkdir(f"{directory}/flag")


@pytest.mark.parametrize("strategy", ["dpor", "pos", None])
def test_who_looks_for_what_never_comes_is_a_livelock(strategy):
    found = simulator.explore(actors=[looks_for_flag], steps=300, strategy=strategy, schedules=2)
    (violated,) = found.violations
    assert violated.violation.oracle == "livelock"
    told = "no end after 300 steps and 300 fair ones without faults: looks_for_flag goes on with stat flag (ENOENT)"
    assert violated.violation.sentence == told
    assert [item.signature for item in found.outcomes] == ["looks_for_flag endless; livelock:looks_for_flag"]
    assert found.told().splitlines()[-1].strip().endswith("actors=[looks_for_flag], steps=300).assert_holds()")
    again = simulator.replay(violated.shown.token, actors=[looks_for_flag], steps=300)
    assert again.violations == (violated.violation,)


@pytest.mark.parametrize("actors", [[looks_for_flag, makes_flag], [makes_flag, looks_for_flag]])
def test_who_looks_for_what_comes_keeps_nobody_from_making_it(actors):
    found = simulator.explore(actors=actors, strategy="dpor", schedules=5)
    found.assert_holds()
    assert not found.complete
    assert all(item.shown.steps < 300 for item in found.outcomes)


def test_a_schedule_that_keeps_somebody_from_moving_is_no_livelock():
    found = simulator.explore(actors=[looks_for_flag, makes_flag], strategy="dpor", steps=20, budget=1000)
    found.assert_holds()
    # It was made to its end, but for what no run of 20 steps shows.
    assert not found.complete
    assert "not complete: ended with nothing left but runs that keep somebody from moving; " in found.bound
    assert "cut short, as somebody waited in them for what others could not make" in found.bound


def test_a_run_makes_at_least_a_step():
    with pytest.raises(BadInputError, match="steps is 0; a run makes at least one"):
        simulator.explore(actors=[makes_flag], steps=0)
