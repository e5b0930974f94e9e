"""A build that failed because of another: not one that a fault failed, however late."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from simulator.actors import toolchains
from simulator.actors.toolchains.releases import RELEASES
from simulator.actors.toolchains.setuptools_build import SetuptoolsBuild
from simulator.engine.faults import parse_fault
from simulator.running import orchestrator
from simulator.scenario_file import load_scenario
from tests.support.runs import run_one


class Swallowing(SetuptoolsBuild):
    """Goes on when a directory cannot be made, and misses it later."""

    def build_wheel(self, kernel, request, enter_phase):
        place = f"{request.source}/scratch-{request.identity}"
        enter_phase("prepare")
        try:
            kernel.mkdir(place)
        except OSError:
            kernel.stat(request.source)
        fd = kernel.open(f"{place}/file", os.O_WRONLY | os.O_CREAT)
        kernel.close(fd)
        return super().build_wheel(kernel, request, enter_phase)


@pytest.fixture
def scenario(monkeypatch):
    loop = replace(load_scenario("issue-3515-loop"), builds=2, cleaners_after=("hardened",))
    monkeypatch.setitem(toolchains.TOOLCHAINS, loop.toolchain, Swallowing(RELEASES[loop.toolchain]))
    monkeypatch.setattr(orchestrator, "_alone", {})
    return loop


def hurt(report):
    return [item for item in report.violations if item.oracle == "build-hurt"]


def test_a_late_consequence_of_a_fault_is_not_the_race(scenario, ground):
    struck = replace(scenario, faults=(parse_fault("build-1:prepare:EIO"),))
    report = run_one(struck, 0, ground)
    failure = report.builds[0].failure
    # By itself the failure looks like the race: a file that is not there.
    assert (failure.errno, failure.operation, failure.injected) == (2, "create", False)
    assert "build-1" not in {item.sentence.split()[0] for item in hurt(report)}


def test_what_alone_goes_well_is_the_race_whatever_fault_struck(scenario, ground, monkeypatch):
    monkeypatch.setitem(toolchains.TOOLCHAINS, scenario.toolchain, SetuptoolsBuild(RELEASES[scenario.toolchain]))
    harmless = tuple(parse_fault(f"build-{number}:prepare+1:EIO") for number in range(1, 9))
    report = run_one(replace(scenario, builds=8, faults=harmless), 0, ground)
    struck = {step[0] for step in report.rounds[0] if step[8]}
    assert struck
    found = hurt(report)
    assert any(item.sentence.split()[0] in struck for item in found)
    for item in found:
        alone = (
            "alone, with the same faults, it succeeds" if item.sentence.split()[0] in struck else "alone it succeeds"
        )
        assert item.sentence.endswith(alone)


@pytest.mark.slow
def test_it_is_made_alone_once_and_only_when_there_is_a_doubt(scenario, ground, monkeypatch):
    made = []
    play = orchestrator._Run.play_alone

    async def counted(self, name, place):
        assert os.listdir(place) == []
        made.append(name)
        return await play(self, name, place)

    monkeypatch.setattr(orchestrator._Run, "play_alone", counted)
    run_one(scenario, 0, ground)
    assert made == []
    struck = replace(scenario, faults=(parse_fault("build-1:prepare:EIO"),), cleaners_after=("hardened", "rmtree"))
    before = [run_one(struck, seed, ground).token for seed in (0, 1)]
    assert made == ["build-1"]
    # Nor does it leave a trace in the run.
    assert [run_one(struck, seed, ground).token for seed in (0, 1)] == before


def test_a_build_that_a_fault_fails_at_once_needs_no_second_look(scenario, ground, monkeypatch):
    monkeypatch.setattr(orchestrator._Run, "play_alone", None)
    report = run_one(replace(scenario, builds=1, faults=(parse_fault("build-1:unpack+20:ENOSPC"),)), 0, ground)
    assert report.builds[0].failure.injected
    assert hurt(report) == []
