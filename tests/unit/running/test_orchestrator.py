"""One run, end to end: rounds, observers, faults on cleaners, and what happens when something is wrong."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
from dataclasses import replace

import pytest
import trio

from simulator.actors import toolchains
from simulator.actors.cleaners import CLEANERS, Cleaned, Cleaner
from simulator.actors.toolchains.releases import RELEASES
from simulator.actors.toolchains.setuptools_build import SetuptoolsBuild
from simulator.engine.faults import parse_fault
from simulator.errors import MachineError, NondeterminismError
from simulator.ground.sandbox import Sandbox
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from tests.support.runs import run_one


@pytest.fixture
def scenario():
    small = load_scenario("issue-3515-loop")
    return replace(small, builds=2, cleaners_after=("hardened",))


def go(scenario, ground, options=None, seed=0):
    async def main():
        with Sandbox.create(ground) as sandbox:
            return await orchestrator.run(scenario, seed, sandbox, options)

    return trio.run(main)


class Watcher:
    def __init__(self):
        self.seen = []

    def storm_begins(self, round_number, actors):
        self.seen.append(("storm", round_number, [actor.name for actor in actors]))

    def storm_ends(self, round_number, builds, residue, cache):
        assert os.path.isdir(cache)
        self.seen.append(("residue", round_number, len(builds), residue.files > 0))

    def cleaner_begins(self, round_number, name, actors):
        self.seen.append(("cleaner", round_number, name, len(actors)))

    def cleaner_ends(self, round_number, outcome):
        self.seen.append(("cleaned", round_number, outcome.ok))


def test_each_cleaner_gets_a_round_with_the_whole_residue(scenario, ground):
    watcher = Watcher()
    report = go(replace(scenario, cleaners_after=("hardened", "rmtree")), ground, Options(observer=watcher))
    assert [event[:2] for event in watcher.seen] == [
        ("storm", 1), ("residue", 1), ("cleaner", 1), ("cleaned", 1),
        ("storm", 2), ("residue", 2), ("cleaner", 2), ("cleaned", 2),
    ]  # fmt: skip
    assert watcher.seen[0][2] == ["build-1", "build-2"]
    first, second = (list(steps[: report.storm_steps]) for steps in report.rounds)
    assert first == second
    assert report.cleaners[0].files_removed > 0


def test_a_demonstration_chains_them_on_one_cache(scenario, ground):
    report = go(replace(scenario, cleaners_after=("hardened", "hardened")), ground, Options(chain=True))
    assert len(report.rounds) == 1
    first, second = report.cleaners
    assert first.files_removed > 0
    assert second.ok
    assert second.files_removed == 0


def test_without_a_cleaner_the_cache_is_not_called_empty(scenario, ground):
    report = go(replace(scenario, cleaners_after=()), ground)
    assert report.empty is False
    assert report.cleaners == ()
    assert report.residue.files > 0


def test_nobody_to_run_is_a_run(scenario, ground):
    report = go(replace(scenario, builds=0), ground)
    assert report.empty
    assert report.builds == ()


def test_a_killed_cleaner_is_said_to_be_killed(scenario, ground):
    report = go(replace(scenario, faults=(parse_fault("cleaner:40:kill"),)), ground)
    (outcome,) = report.cleaners
    assert outcome.killed
    assert not outcome.ok
    assert not report.empty
    assert "cache-empty" in {violation.oracle for violation in report.violations}
    # It never said anything, so it did not lie.
    assert "cleaner-honest" not in {violation.oracle for violation in report.violations}


def test_a_cleaner_that_lies_is_caught(scenario, ground, monkeypatch):
    monkeypatch.setitem(CLEANERS, "hardened", Cleaner(lambda *_: Cleaned(), "does nothing"))
    oracles = {violation.oracle: violation for violation in go(scenario, ground).violations if not violation.expected}
    assert set(oracles) == {"cache-empty", "cleaner-honest"}
    assert "reported success" in oracles["cleaner-honest"].sentence


def test_a_cleaner_that_reaches_out_is_caught(scenario, ground, monkeypatch):
    def careless(kernel, root, identity, crew):
        kernel.chmod(f"{root}/../neighbours/kept.txt", 0o666)
        return CLEANERS["rmtree"].run(kernel, root, identity, crew)

    monkeypatch.setitem(CLEANERS, "hardened", Cleaner(careless, "chmods a neighbour"))
    (violation,) = [item for item in go(scenario, ground).violations if item.oracle == "outside"]
    assert "neighbours/kept.txt" in violation.sentence


def test_a_cleaner_that_cries_wolf_is_caught(scenario, ground, monkeypatch):
    def pessimist(kernel, root, identity, crew):
        CLEANERS["rmtree"].run(kernel, root, identity, crew)
        return Cleaned(error="could not")

    monkeypatch.setitem(CLEANERS, "hardened", Cleaner(pessimist, "cleans, and says it did not"))
    alone = replace(scenario, builds=1)
    (violation,) = [item for item in go(alone, ground).violations if item.oracle == "cleaner-honest"]
    assert violation.signature == "cleaner-honest:hardened:false-alarm"


def test_a_wheel_that_is_not_whole_is_caught(scenario, ground, monkeypatch):
    class Forgetful(SetuptoolsBuild):
        def build_wheel(self, kernel, request, enter_phase):
            victim = next(file.path for file in request.package.files if file.path.endswith("/tracer.py"))
            fd = kernel.open(f"{request.source}/{victim}", os.O_WRONLY | os.O_TRUNC)
            kernel.close(fd)
            return super().build_wheel(kernel, request, enter_phase)

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Forgetful(RELEASES[scenario.toolchain]))
    report = go(replace(scenario, builds=1), ground)
    signatures = {violation.signature for violation in report.violations}
    assert signatures == {"wheel-whole:published:truncated", "wheel-whole:installed:truncated"}


def test_a_bug_in_an_actor_is_no_outcome(scenario, ground, monkeypatch):
    class Broken(SetuptoolsBuild):
        def build_wheel(self, kernel, request, enter_phase):
            raise ZeroDivisionError

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Broken(RELEASES[scenario.toolchain]))
    with pytest.raises(ZeroDivisionError):
        go(scenario, ground)


def test_a_storm_that_does_not_repeat_is_our_bug(scenario, ground, monkeypatch):
    calls = []

    class Moody(SetuptoolsBuild):
        def build_wheel(self, kernel, request, enter_phase):
            calls.append(1)
            if len(calls) > 2:
                kernel.stat(request.source)
            return super().build_wheel(kernel, request, enter_phase)

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Moody(RELEASES[scenario.toolchain]))
    with pytest.raises(NondeterminismError, match=r"'build-1' is not deterministic: step \d+ was .* in round 2"):
        go(replace(scenario, cleaners_after=("hardened", "hardened")), ground)


def test_an_interrupted_run_leaves_nothing(scenario, tmp_path):
    asked = []

    def after_a_while():
        asked.append(1)
        return len(asked) > 100

    with pytest.raises(KeyboardInterrupt):
        go(scenario, str(tmp_path), Options(interrupted=after_a_while))
    assert os.listdir(tmp_path) == []


def test_the_callers_umask_comes_back(scenario, ground):
    before = os.umask(0o077)
    try:
        one = go(scenario, ground)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert one.trace_digest == go(scenario, ground).trace_digest


def test_the_document_has_the_fields_of_the_contract(scenario, ground):
    document = run_one(load_scenario("issue-3515"), 3, ground).document()
    assert list(document) == [
        "schema", "scenario", "seed", "token", "trace_digest", "steps", "switches", "builds", "residue", "cleaners",
        "empty", "violations",
    ]  # fmt: skip
    failed = next(build for build in document["builds"] if build["outcome"] == "failed")
    assert {"type", "errno", "operation", "path"} <= set(failed["error"])
    assert set(document["residue"]) == {"directories", "files", "partial_trees", "poisoned"}
    assert document["residue"]["poisoned"][0]["mode"] == "0200"
    assert set(document["cleaners"][0]) == {"name", "ok", "error", "files_removed", "directories_removed"}
    assert set(document["violations"][0]) == {"oracle", "signature", "sentence", "expected"}


def test_a_cleaner_that_fails_in_the_middle_of_the_storm_is_told(scenario, ground, monkeypatch):
    def denied(kernel, root, identity, crew):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(denied, "fails"))
    report = go(replace(scenario, cleaners_during=("rmtree",)), ground)
    (violation,) = [item for item in report.violations if item.oracle == "cleaner-failed"]
    assert violation.signature == "cleaner-failed:rmtree:EACCES"
    assert not violation.expected
    lenient = replace(
        scenario, cleaners_during=("rmtree",), expect=replace(scenario.expect, cleaners_may_fail=("rmtree",))
    )
    (violation,) = [item for item in go(lenient, ground).violations if item.oracle == "cleaner-failed"]
    assert violation.expected


class Stuck(SetuptoolsBuild):
    """Takes two locks, in an order that depends on who it is, and keeps them."""

    def build_wheel(self, kernel, request, enter_phase):
        names = ["one", "two"] if request.identity == "build-1" else ["two", "one"]
        for name in names:
            fd = kernel.open(f"{request.source}/{name}", os.O_RDWR | os.O_CREAT)
            kernel.flock(fd, fcntl.LOCK_EX)
            # Long enough for the other to get as far.
            for _ in range(200):
                kernel.fstat(fd)
        return super().build_wheel(kernel, request, enter_phase)


def test_builds_that_wait_for_each_other_have_failed(scenario, ground, monkeypatch):
    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Stuck(RELEASES[scenario.toolchain]))
    report = go(replace(scenario, schedule=Schedule("round-robin")), ground)
    assert [(build.outcome, build.failure.type) for build in report.builds] == [("failed", "Deadlock")] * 2
    (deadlock,) = [item for item in report.violations if item.oracle == "deadlock"]
    assert "held by build-1" in deadlock.sentence
    assert "held by build-2" in deadlock.sentence
    assert "wheel-whole" not in {item.oracle for item in report.violations}


def test_the_reason_is_the_step_that_failed_not_what_cleaning_up_ran_into(scenario, ground):
    report = go(replace(scenario, builds=1, faults=(parse_fault("build-1:unpack+20:ENOSPC"),)), ground)
    failure = report.builds[0].failure
    assert failure.injected
    assert (failure.errno, failure.operation) == (errno.ENOSPC, "create-excl")
    struck = next(step for step in report.rounds[0] if step[8])
    assert (failure.operation, failure.path) == (struck[2], struck[3])


def test_a_fault_that_did_no_harm_is_not_blamed(scenario, ground):
    harmless = tuple(parse_fault(f"build-{number}:prepare+1:EIO") for number in range(1, 9))
    report = go(replace(scenario, builds=8, faults=harmless), ground)
    assert any(step[8] for step in report.rounds[0])
    hurt = [build for build in report.builds if build.outcome == "failed" and not build.failure.injected]
    assert hurt
    assert len([item for item in report.violations if item.oracle == "build-hurt"]) == len(hurt)


def test_a_type_error_of_ours_is_no_outcome(scenario, ground, monkeypatch):
    class Broken(SetuptoolsBuild):
        def build_wheel(self, kernel, request, enter_phase):
            return None + 1

    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, Broken(RELEASES[scenario.toolchain]))
    with pytest.raises(TypeError):
        go(scenario, ground)


def test_faults_that_did_not_strike_are_told(scenario, ground):
    faults = (parse_fault("build-1:unpack:kill"), parse_fault("build-2:999999:kill"), parse_fault("build-7:5:stall"))
    report = go(replace(scenario, faults=faults), ground)
    assert report.idle_faults == ("build-2:999999:kill", "build-7:5:stall")


def test_a_machine_that_runs_out_is_not_taken_for_the_race(scenario, ground):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(MachineError, match=r"ran out \(EFBIG: .*\) when build-\d made write") as caught:
            go(scenario, ground)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.exit_code == 3


def test_an_injected_lack_of_space_is_no_lack_of_the_machine(scenario, ground):
    report = go(replace(scenario, faults=(parse_fault("build-1:unpack+20:ENOSPC"),)), ground)
    assert report.builds[0].failure.injected


def test_a_rehearsal_is_made_once_and_no_seed_depends_on_what_ran_before(scenario, ground, monkeypatch):
    pct = replace(scenario, schedule=Schedule("pct"))
    rehearsed = []
    play = orchestrator._Run.rehearse

    async def rehearse(self):
        rehearsed.append(await play(self))
        return rehearsed[-1]

    monkeypatch.setattr(orchestrator._Run, "rehearse", rehearse)
    monkeypatch.setattr(orchestrator, "_rehearsed", {})
    first = [go(pct, ground, Options(bare=True), seed).token for seed in (3, 4)]
    assert len(rehearsed) == 1
    # One build alone makes 1,717 steps; the second finds its wheel.
    assert 1717 < rehearsed[0] < 2 * 1717
    # Neither its cleaners, nor a deeper schedule, nor another host needs another rehearsal; another scenario does.
    go(replace(pct, cleaners_after=(), schedule=Schedule("pct", depth=5)), ground)
    assert len(rehearsed) == 1
    go(replace(pct, builds=1), ground)
    assert len(rehearsed) == 2
    assert [go(pct, ground, None, seed).token for seed in (4, 3)] == first[::-1]
    assert rehearsed[2:] == rehearsed[:1]


def test_an_interrupt_ends_a_rehearsal(scenario, ground, monkeypatch):
    monkeypatch.setattr(orchestrator, "_rehearsed", {})
    with pytest.raises(KeyboardInterrupt):
        go(replace(scenario, schedule=Schedule("pct")), ground, Options(interrupted=lambda: True))
    assert orchestrator._rehearsed == {}
