"""Quiet steps: made without coming to the gate, recorded as if the actor had come."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.engine.gate import LOOK_EVERY_STEPS
from simulator.engine.kernel import GatedKernel
from simulator.engine.step import Stepper
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.sticky import Sticky
from tests.support.arena import Arena
from tests.unit.engine.test_gated_kernel import every_call


def without_quiet(arena):
    arena.gate.quiet_steps = None
    return arena


def failing_calls(cache):
    """Each call that has a quiet form, failing."""

    def call(kernel):
        there, missing = f"{cache}/there", f"{cache}/missing/x"
        kernel.mkdir(there)
        top = kernel.open(there, os.O_RDONLY | os.O_DIRECTORY)
        reader = kernel.open(f"{there}/f", os.O_RDONLY | os.O_CREAT)
        writer = kernel.open(f"{there}/f", os.O_WRONLY)
        for attempt in (
            lambda: kernel.stat(missing),
            lambda: kernel.lstat(missing),
            lambda: kernel.lstat("missing", dir_fd=top),
            lambda: kernel.open(missing, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
            lambda: kernel.open("missing", os.O_RDONLY, dir_fd=top),
            lambda: kernel.read(writer, 1),
            lambda: kernel.write(reader, b"x"),
            lambda: kernel.mkdir(there),
            lambda: kernel.mkdir("f", dir_fd=top),
            lambda: kernel.chmod(missing, 0o600),
            lambda: kernel.utime(missing, (1, 2)),
            lambda: kernel.link(missing, there),
            lambda: kernel.rename(missing, there),
            lambda: kernel.unlink(there),
            lambda: kernel.remove("missing", dir_fd=top),
            lambda: kernel.rmdir(there),
            lambda: kernel.listdir(missing),
            lambda: kernel.scandir(missing),
            lambda: kernel.scandir(reader),
        ):
            with pytest.raises(OSError, match=r"\[Errno"):
                attempt()
        for fd in (top, reader, writer):
            kernel.close(fd)

    return call


def unusual_calls(cache):
    """Forms that the quiet calls leave to the ordinary ones."""

    def call(kernel):
        kernel.mkdir(os.fsencode(f"{cache}/bytes"))
        kernel.stat(Path(cache, "bytes"))
        top = kernel.open(f"{cache}/bytes", os.O_RDONLY | os.O_DIRECTORY)
        kernel.stat(top)
        kernel.chmod(top, 0o700)
        kernel.listdir(top)
        kernel.stat("../bytes", dir_fd=top)
        kernel.stat(f"{cache}/bytes", follow_symlinks=False)
        kernel.chmod("../bytes", 0o755, dir_fd=top)
        kernel.utime("../bytes", ns=(1, 2), dir_fd=top)
        kernel.utime(f"{cache}/bytes", ns=(3, 4))
        kernel.close(top)
        for attempt in (kernel.fstat, kernel.close, lambda fd: kernel.read(fd, 1), lambda fd: kernel.write(fd, b"x")):
            with pytest.raises(OSError, match="Bad file descriptor"):
                attempt(top)
        with pytest.raises(OSError, match="Bad file descriptor"):
            kernel.unlink("x", dir_fd=top)

    return call


@pytest.mark.parametrize("calls", [every_call, failing_calls, unusual_calls])
def test_each_call_is_recorded_as_the_ordinary_way_records_it(tmp_path, calls):
    quiet = Arena(tmp_path / "quiet", {"build-1": calls(tmp_path / "quiet/cache")}).run()
    asked = without_quiet(Arena(tmp_path / "asked", {"build-1": calls(tmp_path / "asked/cache")})).run()
    assert [party.error for party in (*quiet.parties, *asked.parties)] == [None, None]
    assert quiet.steps == asked.steps
    assert quiet.actors[0].steps == asked.actors[0].steps == len(quiet.steps)
    assert quiet.actors[0].last_failure == asked.actors[0].last_failure


def test_most_of_them_do_not_come_to_the_gate(tmp_path, monkeypatch):
    came = []
    perform = Stepper._perform
    monkeypatch.setattr(Stepper, "_perform", lambda self, call: (came.append(call[0]), perform(self, call))[1])
    arena = Arena(tmp_path, {"build-1": every_call(tmp_path / "cache")}).run()
    assert len(came) < len(arena.steps) / 2


def test_every_quiet_call_hides_one_of_the_kernels():
    hidden = {"stat", "lstat", "fstat", "open", "read", "write", "close", "mkdir", "rmdir", "unlink", "remove", "chmod"}
    assert all(callable(getattr(GatedKernel, name)) for name in hidden)


def loop(cache, count, calls=None):
    def look(kernel):
        for number in range(count):
            with suppress(FileNotFoundError):
                kernel.stat(f"{cache}/{number}")
            if calls is not None:
                calls.append(number)

    return look


def test_who_watches_is_asked_again_and_again(tmp_path):
    arena = Arena(tmp_path, {"build-1": loop(tmp_path / "cache", 5 * LOOK_EVERY_STEPS)})
    asked = []
    arena.gate.interrupted = lambda: asked.append(len(arena.steps))
    arena.run()
    between = [after - before for before, after in itertools.pairwise(asked)]
    assert max(between) <= LOOK_EVERY_STEPS
    assert len(arena.steps) == 5 * LOOK_EVERY_STEPS


def test_a_change_of_phase_is_seen_before_the_next_step(tmp_path):
    arena = Arena(tmp_path, {})
    cache = tmp_path / "cache"

    def work(kernel):
        for phase in ("one", "two", "three"):
            kernel._actor.phase = phase
            loop(cache, 10)(kernel)

    arena = Arena(tmp_path, {"build-1": work})
    seen = []
    arena.gate.interrupted = lambda: seen.append((arena.actors[0].phase, len(arena.steps)))
    arena.run()
    assert {("one", 0), ("two", 10), ("three", 20)} <= set(seen)
    assert [step[1] for step in arena.steps] == ["one"] * 10 + ["two"] * 10 + ["three"] * 10


def test_a_fault_still_strikes_at_its_step(tmp_path):
    arena = Arena(tmp_path, {"build-1": loop(tmp_path / "cache", 50)}, faults=["build-1:31:EIO"]).run()
    assert [number for number, step in enumerate(arena.steps, 1) if step[8]] == [31]
    assert arena.parties[0].error.errno == errno.EIO


def test_whoever_becomes_able_to_move_ends_the_quiet(tmp_path):
    """A lock that is released in the middle of a grant: the strategy is asked before the very next step."""
    cache = tmp_path / "cache"

    def lock(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        loop(cache, 5)(kernel)
        kernel.close(fd)
        loop(cache, 5)(kernel)

    arena = Arena(tmp_path, {"build-1": lock, "build-2": lock}, strategy=Sticky(1.0)).run()
    blocked = next(step for step in arena.told if "Resource" in step).split()[0]
    release = next(place for place, step in enumerate(arena.told) if step.endswith("close lock"))
    assert not arena.told[release].startswith(blocked)
    assert arena.told[release + 1] == f"{blocked} flock lock"


def test_an_actor_that_was_blocked_makes_no_step_when_it_is_unwound(tmp_path):
    """What it had been granted before it blocked is gone."""
    cache = tmp_path / "cache"

    def holder(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        loop(cache, 200)(kernel)

    def waiter(kernel):
        fd = kernel.open(f"{cache}/lock", os.O_RDWR | os.O_CREAT)
        try:
            kernel.flock(fd, fcntl.LOCK_EX)
        finally:
            kernel.mkdir(f"{cache}/cleaned-up")

    arena = Arena(tmp_path, {"build-1": holder, "build-2": waiter}, strategy=RoundRobin(50))
    arena.gate.interrupted = lambda: len(arena.steps) > 100
    arena.run()
    assert arena.gate.stopped == "interrupted"
    assert any("flock lock Resource" in told for told in arena.told)
    assert sorted(os.listdir(cache)) == ["lock"]


def test_a_status_is_that_of_the_real_one(tmp_path):
    seen = {}

    def look(kernel):
        path = f"{tmp_path}/cache/f"
        fd = kernel.open(path, os.O_WRONLY | os.O_CREAT)
        kernel.write(fd, b"12345")
        seen["fd"] = kernel.fstat(fd)
        kernel.close(fd)
        seen["path"] = kernel.stat(path)
        kernel.utime(path, ns=(10**9, 2 * 10**9))
        seen["set"] = kernel.lstat(path)

    Arena(tmp_path, {"build-1": look}).run()
    real = os.stat(tmp_path / "cache/f")
    for status in seen.values():
        assert os.path.samestat(status, real)
        assert (status.st_size, status.st_mode, status[6], status[0], len(status)) == (5, real.st_mode, 5, real[0], 10)
    assert seen["fd"] == seen["path"]
    assert seen["path"] != real
    assert hash(seen["fd"]) == hash(seen["path"])
    assert seen["path"].st_mtime_ns == seen["path"].whole().st_mtime_ns > real.st_mtime_ns
    assert list(seen["path"])[:7] == list(real)[:7]
    assert seen["set"].st_mtime == 2
    assert seen["set"].st_mtime_ns == 2 * 10**9
