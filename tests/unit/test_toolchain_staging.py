"""The staging phase alone: the same code as in the whole toolchain, and the same race."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from cache_core.kernel import REAL
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import BuildRequest, ToolchainError
from simulator.ground.stage import place_source
from simulator.outcome import OK
from simulator.scenario_file import load_scenario
from tests.support.recording import RecordingKernel
from tests.support.runs import run_seeds

STAGING = TOOLCHAINS["setuptools-69.5.1-staging"]
SCENARIO = load_scenario("issue-3515-small")
(PACKAGE,) = SCENARIO.packages


def build(kernel, place, output):
    os.mkdir(output)
    return STAGING.build_wheel(kernel, BuildRequest(str(place), str(output), PACKAGE, "a"), lambda _: None)


def test_alone_it_leaves_nothing_but_its_wheel(tmp_path):
    source, output = tmp_path / "source", tmp_path / "output"
    place_source(PACKAGE, str(source))
    before = sorted(os.walk(source))
    wheel = build(REAL, source, output)
    assert os.listdir(output) == [wheel]
    os.rmdir(source / "build/bdist.linux-x86_64")
    assert sorted(os.walk(source)) == before


def test_it_is_tiny(tmp_path):
    place_source(PACKAGE, str(tmp_path / "source"))
    kernel = RecordingKernel()
    build(kernel, tmp_path / "source", tmp_path / "output")
    assert len(kernel.steps) <= 60


def test_without_build_lib_there_is_nothing_to_stage(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(ToolchainError, match="build/lib"):
        build(REAL, tmp_path / "source", tmp_path / "output")


def test_two_poison_and_one_does_not(ground):
    """8 of 100 seeds poison: none in 60 has a probability of 0.7 %, and seeds are fixed."""
    reports = run_seeds(SCENARIO, range(60), ground)
    assert any(report.residue.poisoned for report in reports)
    assert all(report.as_expected and report.empty for report in reports)
    (alone,) = run_seeds(replace(SCENARIO, builds=1), [0], ground)
    assert [build.outcome for build in alone.builds] == [OK]
    assert not alone.violations
