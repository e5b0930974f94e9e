"""SIGKILL is not an exception: whoever is killed makes no further step, whatever its code says."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import tracemalloc

import pytest
import trio

from simulator.errors import ActorKilled
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.strategies.random_walk import RandomWalk
from tests.support.arena import Arena

FORMS = ("bridged", "coroutine")
HOSTS = (TrioHost, BareHost)


def careful(path, form):
    """An actor that cleans up after itself in every way that Python has."""

    def bridged(kernel):
        fd = kernel.open(f"{path}/kept", os.O_WRONLY | os.O_CREAT)
        try:
            try:
                kernel.write(fd, b"one")
                kernel.write(fd, b"two")
            except BaseException:
                kernel.mkdir(f"{path}/from-except")
                raise
        finally:
            with contextlib.suppress(BaseException):
                kernel.unlink(f"{path}/kept")
            kernel.close(fd)

    async def coroutine(kernel):
        fd = await kernel.open(f"{path}/kept", os.O_WRONLY | os.O_CREAT)
        try:
            try:
                await kernel.write(fd, b"one")
                await kernel.write(fd, b"two")
            except BaseException:
                await kernel.mkdir(f"{path}/from-except")
                raise
        finally:
            with contextlib.suppress(BaseException):
                await kernel.unlink(f"{path}/kept")
            await kernel.close(fd)

    return bridged if form == "bridged" else coroutine


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", FORMS)
def test_clean_up_of_a_killed_actor_has_no_effect(tmp_path, form, host):
    actors = {"build-1": careful(tmp_path / "cache", form)}
    arena = Arena(tmp_path, actors, faults=["build-1:3:kill"], host=host).run()
    gc.collect()
    assert arena.told == ["build-1 create kept", "build-1 write kept", "build-1 kill ."]
    assert os.listdir(arena.cache) == ["kept"]
    assert (tmp_path / "cache/kept").read_bytes() == b"one"
    assert arena.actors[0].killed


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", FORMS)
def test_without_the_kill_the_same_clean_up_works(tmp_path, form, host):
    arena = Arena(tmp_path, {"build-1": careful(tmp_path / "cache", form)}, host=host).run()
    assert arena.told[-2:] == ["build-1 unlink kept", "build-1 close kept"]
    assert os.listdir(arena.cache) == []


@pytest.mark.parametrize("form", FORMS)
def test_descriptors_of_a_killed_actor_are_closed_in_its_last_step(tmp_path, form):
    before = os.listdir("/proc/self/fd")
    Arena(tmp_path, {"build-1": careful(tmp_path / "cache", form)}, faults=["build-1:3:kill"]).run()
    assert os.listdir("/proc/self/fd") == before


def holder(path):
    def hold(kernel):
        fd = kernel.open(f"{path}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.fstat(fd)
        kernel.fstat(fd)

    return hold


def waiter(path):
    def wait(kernel):
        fd = kernel.open(f"{path}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.mkdir(f"{path}/entered")
        kernel.close(fd)

    return wait


def test_a_lock_does_not_survive_its_holder(tmp_path):
    cache = tmp_path / "cache"
    actors = {"build-1": holder(cache), "build-2": waiter(cache)}
    arena = Arena(tmp_path, actors, faults=["build-1:4:kill"]).run()
    kill = arena.told.index("build-1 kill .")
    assert arena.told.index("build-2 mkdir entered") > kill
    assert any(step.startswith("build-2 flock lock Resource") for step in arena.told[:kill])


def test_a_failed_actor_cleans_up_in_steps_like_any_other(tmp_path):
    arena = Arena(tmp_path, {"build-1": careful(tmp_path / "cache", "bridged")}, faults=["build-1:3:EIO"]).run()
    assert arena.told == [
        "build-1 create kept",
        "build-1 write kept",
        "build-1 write kept Input/output error",
        "build-1 mkdir from-except",
        "build-1 unlink kept",
        "build-1 close kept",
    ]


def test_a_killed_actor_that_swallows_everything_still_does_nothing(tmp_path):
    cache = tmp_path / "cache"

    def stubborn(kernel):
        for number in range(20):
            with contextlib.suppress(BaseException):
                kernel.mkdir(f"{cache}/{number}")

    arena = Arena(tmp_path, {"build-1": stubborn}, faults=["build-1:3:kill"]).run()
    assert sorted(os.listdir(cache)) == ["0", "1"]
    assert arena.actors[0].killed


def test_the_exception_is_none_that_code_catches_by_accident():
    assert not issubclass(ActorKilled, Exception)


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", FORMS)
def test_memory_is_flat_over_ten_thousand_kills(tmp_path, form, host):
    function = careful(tmp_path / "cache", form)

    async def kill_many(count):
        for _ in range(count):
            await Arena(tmp_path, {"build-1": function}, faults=["build-1:3:kill"], host=host).run_async()

    async def measure():
        tracemalloc.start()
        await kill_many(500)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await kill_many(9_500)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return before, after

    before, after = trio.run(measure)
    # Two bytes a kill would show; caches that fill up once may not.
    assert after <= before + 19_000


class Breaks(RandomWalk):
    """A strategy with a bug, that shows when it is asked for the third time."""

    def begin(self, actors, steps, randomness):
        self.asked = 0
        return super().begin(actors, steps, randomness)

    def choose(self, enabled, current):
        self.asked += 1
        if self.asked == 3:
            raise KeyError("a bug of ours")
        return enabled[0]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("form", FORMS)
def test_what_a_strategy_raises_is_no_failure_of_an_actor(tmp_path, form, host):
    actors = {f"build-{number}": careful(tmp_path / "cache", form) for number in (1, 2)}
    arena = Arena(tmp_path, actors, strategy=Breaks(), host=host)
    with pytest.raises(KeyError, match="a bug of ours"):
        arena.run()
    assert [party.error for party in arena.parties] == [None, None]
    # Nobody's clean-up made a step.
    assert arena.told == ["build-1 create kept", "build-1 write kept"]
