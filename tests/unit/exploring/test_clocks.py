"""Where an actor looks at a clock, orders of steps that count as independent may end differently: that is said."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
import time

import pytest

import simulator

HERE = os.path.basename(__file__)


def stale(directory):
    os.mkdir(f"{directory}/a1")
    if time.time() - os.stat(f"{directory}/a1").st_mtime > 2.5:
        raise TimeoutError("taken for stale")


def busy(directory):
    for number in range(3):
        os.mkdir(f"{directory}/b{number}")


def test_dpor_does_not_call_it_complete_and_says_why():
    found = simulator.explore(actors=[stale, busy], strategy="dpor")
    assert not found.complete
    assert found.holds
    said = f"no violation in 1 run; not complete: stale looked at a clock (time.time at {__file__}:"
    assert found.told().startswith(said)
    assert "every step of anybody moves the clocks" in found.told()
    assert ". Otherwise complete: all inequivalent interleavings" in found.told()


def test_one_that_ended_early_says_it_too():
    def collides(directory):
        time.monotonic()
        os.makedirs(f"{directory}/same", exist_ok=True)

    found = simulator.explore(actors=[collides, collides], strategy="dpor", schedules=1)
    assert found.bound.startswith("not complete: ended after 1 schedule")
    assert "; besides, collides-1 looked at a clock (time.monotonic at " in found.bound


def test_where_nobody_says_how_it_is_sampled():
    found = simulator.explore(actors=[stale, busy], schedules=300)
    assert found.bound.startswith("sampled by pos")
    assert "stale raised TimeoutError" in found.told()


def write(directory, name="f"):
    with open(f"{directory}/{name}", "w") as file:
        file.write("x")
    return f"{directory}/{name}"


def compares_two_files(directory):
    return filecmp.cmp(write(directory), write(directory, "g"))


def copies_the_time_of_a_file(directory):
    shutil.copy2(write(directory), f"{directory}/copy")


def looks_by_place(directory):
    return os.stat(write(directory))[stat.ST_MTIME]


def looks_at_an_entry(directory):
    write(directory)
    with os.scandir(directory) as entries:
        return [entry.stat().st_mtime_ns for entry in entries if entry.name == "f"]


async def looks_as_a_coroutine(kernel, directory):
    fd = await kernel.open(f"{directory}/f", os.O_CREAT | os.O_WRONLY)
    await kernel.write(fd, b"x")
    return (await kernel.fstat(fd)).st_mtime


@pytest.mark.parametrize(
    "look", [compares_two_files, copies_the_time_of_a_file, looks_by_place, looks_at_an_entry, looks_as_a_coroutine]
)
def test_when_a_step_modified_a_file_is_a_clock(look):
    found = simulator.explore(actors=[("look", look), busy], strategy="dpor")
    assert not found.complete
    assert found.bound.startswith("not complete: look looked at a clock (the time of a file at ")


def old(directory):
    path = write(directory)
    os.utime(path, (5, 6))


@pytest.mark.parametrize(
    "look",
    [
        lambda path: os.stat(path).st_mtime,
        lambda path: os.stat(path)[stat.ST_SIZE],
        lambda path: (os.path.getsize(path), os.path.isfile(path), time.sleep(1)),
        lambda path: os.path.getmtime(os.path.dirname(path)),
    ],
    ids=["a time that was set", "a size by its place", "no time", "a directory, which does not move"],
)
def test_what_is_the_same_in_each_run_is_none(look):
    actors = [("look", lambda directory: look(f"{directory}/f")), busy]
    found = simulator.explore(actors=actors, setup=old)
    assert found.complete


def test_of_what_was_just_written_the_size_is_none():
    def look(directory):
        status = os.stat(write(directory))
        return status[stat.ST_SIZE], status.st_size

    assert simulator.explore(actors=[look, busy]).complete
