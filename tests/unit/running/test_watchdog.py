"""An actor that computes for ever is named and ended, under either host, and nobody else is."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from dataclasses import replace

import pytest
import trio

from simulator.actors import toolchains
from simulator.actors.toolchains.releases import RELEASES
from simulator.actors.toolchains.setuptools_build import SetuptoolsBuild
from simulator.cli.failures import report as show
from simulator.errors import StuckActorError
from simulator.ground.sandbox import Sandbox
from simulator.hosts.bare import BareHost
from simulator.hosts.trio_host import TrioHost
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.running.watchdog import Watchdog
from simulator.scenario_file import load_scenario
from simulator.strategies.round_robin import RoundRobin
from tests.support.arena import Arena

HOSTS = pytest.mark.parametrize("host", [TrioHost, BareHost])
# Short, so that the tests are; each look is a quarter of it.
SECONDS = 0.04


def spin():
    while True:
        pass


def spin_and_catch():
    while True:
        with contextlib.suppress(Exception):
            spin()


def compute(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def watched(arena, seconds=SECONDS):
    with Watchdog(arena.gate, seconds) as dog:
        arena.run()
    return dog


@HOSTS
@pytest.mark.parametrize("loop", [spin, spin_and_catch])
def test_whoever_computes_for_ever_is_ended(tmp_path, host, loop):
    cache = tmp_path / "cache"
    after = []

    def stuck(kernel):
        kernel.mkdir(f"{cache}/one")
        try:
            loop()
        finally:
            after.append("finally")
            kernel.mkdir(f"{cache}/never")

    def other(kernel):
        for number in range(100):
            kernel.mkdir(f"{cache}/{number}")

    arena = Arena(tmp_path, {"build-1": stuck, "build-2": other}, host=host, strategy=RoundRobin(3))
    dog = watched(arena)
    assert dog.stuck == "build-1"
    assert dog.where.startswith("running/test_watchdog.py:")
    assert "in spin, called at " in dog.where
    assert "in spin" in dog.stack[-1]
    assert "in stuck" in dog.stack[0]
    assert arena.gate.stopped == "stuck"
    assert after == ["finally"]
    assert not (cache / "never").exists()
    assert not arena.party("build-1").ended
    assert not arena.party("build-2").ended


@HOSTS
def test_a_coroutine_is_ended_as_well(tmp_path, host):
    async def stuck(kernel):
        await kernel.mkdir(f"{tmp_path}/cache/one")
        spin()

    dog = watched(Arena(tmp_path, {"build-1": stuck}, host=host))
    assert dog.stuck == "build-1"
    assert "in spin" in dog.stack[-1]


@HOSTS
def test_one_that_makes_steps_is_let_go_on(tmp_path, host):
    """Twice as long as allowed in all, and never long without a step."""

    def busy(kernel):
        for _ in range(40):
            compute(SECONDS / 20)
            kernel.listdir(f"{tmp_path}/cache")

    arena = Arena(tmp_path, {"build-1": busy}, host=host)
    assert watched(arena).stuck is None
    assert arena.parties[0].ended


@HOSTS
def test_a_strategy_that_thinks_is_not_the_actor(tmp_path, host):
    class Slow(RoundRobin):
        quiet_steps = None

        def choose(self, enabled, current):
            if len(self._steps) == 3:
                compute(SECONDS * 2)
            return super().choose(enabled, current)

    def work(kernel):
        for _ in range(5):
            kernel.listdir(f"{tmp_path}/cache")

    arena = Arena(tmp_path, {"build-1": work, "build-2": work}, host=host, strategy=Slow())
    assert watched(arena).stuck is None
    assert len(arena.steps) == 10


def test_a_host_that_waits_is_not_the_actor(tmp_path):
    class Paced(TrioHost):
        def __init__(self, gate, paths, times):
            super().__init__(gate, paths, times, pace=SECONDS * 2)

    def work(kernel):
        kernel.listdir(f"{tmp_path}/cache")

    assert watched(Arena(tmp_path, {"build-1": work}, host=Paced)).stuck is None


def free():
    return signal.getsignal(signal.SIGALRM) == signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_it_leaves_the_signal_as_it_was(tmp_path):
    seen = []
    arena = Arena(tmp_path, {"build-1": lambda kernel: seen.append(free())})
    watched(arena)
    assert seen == [False]
    assert free()


def test_a_signal_that_is_somebody_elses_is_left_alone(tmp_path):
    arena = Arena(tmp_path, {"build-1": lambda kernel: None})
    signal.signal(signal.SIGALRM, handler := lambda number, frame: None)
    try:
        watched(arena)
        assert signal.getsignal(signal.SIGALRM) is handler
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 1000)
        watched(Arena(tmp_path, {"build-1": lambda kernel: None}))
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_outside_the_main_thread_and_without_a_bound_there_is_none(tmp_path):
    seen = []

    def look(kernel):
        seen.append(free())

    thread = threading.Thread(target=watched, args=[Arena(tmp_path, {"build-1": look})])
    thread.start()
    thread.join()
    watched(Arena(tmp_path, {"build-1": look}), 0)
    assert seen == [True, True]


@pytest.mark.parametrize("bare", [False, True])
def test_a_run_says_who_and_where(ground, monkeypatch, capsys, bare):
    scenario = replace(load_scenario("issue-3515-loop"), builds=2)

    class Endless(SetuptoolsBuild):
        def build_wheel(self, kernel, request, enter_phase):
            spin()

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Endless(RELEASES[scenario.toolchain]))

    async def main():
        with Sandbox.create(ground) as sandbox:
            return await orchestrator.run(scenario, 0, sandbox, Options(bare=bare, watchdog_seconds=SECONDS))

    with pytest.raises(StuckActorError) as caught:
        trio.run(main)
    error = caught.value
    assert (error.kind, error.value, error.exit_code) == ("stuck-actor", "build-1", 70)
    assert error.message.startswith("'build-1' computed for 0.04 s without a call, at running/test_watchdog.py:")
    assert error.message.endswith("if it needs longer, give it that with --watchdog")
    assert show(error, as_json=False, debug=False) == 70
    assert capsys.readouterr().err == f"cachestorm: {error.message}\n"
    show(error, as_json=False, debug=True)
    told = capsys.readouterr().err
    assert "The stack of 'build-1', the innermost call last:" in told
    assert "in build_wheel" in told
