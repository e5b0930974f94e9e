"""The report with the real program: uv 0.1.42 poisons a cache, cannot empty it, and the hardened cleaner can."""

import os
from dataclasses import replace
from functools import partial

import pytest
import trio

from simulator.ground.sandbox import Sandbox
from simulator.running.outcome import FAILED
from simulator.scenario_file import load_scenario
from simulator.tools.kinds import parse_tool
from simulator.tools.storm import RealOptions, run_real
from tests.support.real_storms import SCENARIO, disk, packages, storms
from tests.support.tools_store import tools_store

__all__ = ["disk", "packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]

# On a disk 5 of 12 trials poison, on two processors with nothing else to do and on two with eight times as much as they
# can: none in 20 has a probability of 2e-5. In memory, where a removal takes no time, it was 2 of 120 on the busy ones.
TRIALS_MAX = 20


def scenario(**changes):
    return replace(load_scenario(SCENARIO), **changes)


def test_a_poisoned_cache_is_cleaned_by_hardened_and_refused_by_uv(disk):
    loop = scenario(cleaners_after=("uv==0.1.42", "model:uv-0.1.42", "uv==0.13.9", "hardened"))
    reports = storms(loop, "uv==0.1.42", disk, range(TRIALS_MAX), enough=lambda report: report.residue.poisoned)
    report = reports[-1]
    assert report.residue.poisoned, f"none of {TRIALS_MAX} storms poisoned a directory"
    assert {item.mode for item in report.residue.poisoned} == {0o200}
    assert all("/build/bdist." in item.path for item in report.residue.poisoned)
    assert sum(build.outcome == FAILED for build in report.builds) >= 1
    cleaners = {cleaner.name: cleaner for cleaner in report.cleaners}
    for name in ("uv==0.1.42", "model:uv-0.1.42"):
        assert (cleaners[name].ok, cleaners[name].empty) == (False, False)
        assert "Failed to clear cache at: <cache>" in cleaners[name].error
        assert "Permission denied (os error 13)" in cleaners[name].error
    for name in ("uv==0.13.9", "hardened"):
        assert (cleaners[name].ok, cleaners[name].empty, cleaners[name].error) == (True, True, None)
    others = [report for report in reports[:-1] if not report.residue.poisoned]
    assert all(cleaner.ok for report in others for cleaner in report.cleaners)


def test_the_lock_of_a_later_uv_keeps_builds_from_each_other(ground):
    """astral-sh/uv#3525; what is left is whole, and everybody can clean it."""
    loop = scenario(builds=4, cleaners_after=("uv==0.13.9", "hardened"))
    (report,) = storms(loop, "uv==0.13.9", ground, [0])
    assert [build.outcome for build in report.builds] == ["ok"] * 4
    assert report.violations == ()
    assert report.residue.poisoned == ()
    assert report.empty


def test_a_document_of_a_real_run(ground):
    with Sandbox.create(ground) as sandbox:
        report = trio.run(partial(run_real, scenario(builds=2), parse_tool("uv==0.1.42"), sandbox, seed=5))
    document = report.document()
    assert [document[name] for name in ("token", "trace_digest", "steps", "switches")] == [None] * 4
    assert (document["schema"], document["scenario"], document["seed"]) == ("cachestorm/run/1", SCENARIO, 5)
    assert [build["actor"] for build in document["builds"]] == ["build-1", "build-2"]
    assert [cleaner["name"] for cleaner in document["cleaners"]] == ["model:uv-0.1.42", "hardened"]


def test_faults_are_signals(ground, tmp_path):
    """Of the report's faults two can be signals: the last install stands still in its staging, and is killed there."""
    faults = load_scenario("issue-3515").faults
    told = []
    options = RealOptions(tell=told.append, keep_output=str(tmp_path / "output"))
    (report,) = storms(scenario(faults=faults), "uv==0.1.42", ground, [7], options=options)
    assert {build.actor for build in report.builds if build.outcome == "killed"} == {"build-8"}
    assert report.idle_faults == ()
    (line,) = [line for line in told if line.startswith("left out")]
    assert line.endswith("build-2:build_py+300:build-error, build-5:install_lib+25:ENOSPC:before")
    assert sorted(os.listdir(tmp_path / "output/seed-7")) == [f"build-{number}.txt" for number in range(1, 9)]
    # Who fails is chance in a real storm, and now and then nobody does: each one's own output says how it ended.
    said = {"failed": "rror", "ok": "Installed"}
    for build in report.builds:
        if build.outcome in said:
            assert said[build.outcome] in (tmp_path / f"output/seed-7/{build.actor}.txt").read_text()
