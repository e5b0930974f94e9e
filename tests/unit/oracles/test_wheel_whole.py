"""What is published is whole: three ways of not being, told apart, in a wheel file, an archive and an environment."""

from __future__ import annotations

import os
import zipfile

import pytest

from cache_core.buckets import archive
from cache_core.store import Store
from simulator.actors.install import SITE_PACKAGES, source_entry
from simulator.actors.toolchains import TOOLCHAINS
from simulator.ground.stage import Stage
from simulator.oracles.base import StormEvidence
from simulator.oracles.wheel_whole import wheel_whole
from simulator.running.outcome import BuildOutcome, Residue
from simulator.scenario_file import load_scenario

SCENARIO = load_scenario("issue-3515-loop")
(PACKAGE,) = SCENARIO.packages
FILES = TOOLCHAINS[SCENARIO.toolchain].expected_files(PACKAGE)
RECORD = next(path for path in FILES if path.endswith("/METADATA")).replace("METADATA", "RECORD")
VICTIM = max(FILES, key=lambda path: len(FILES[path]))


def whole():
    return {**FILES, RECORD: b"whatever"}


def missing():
    files = whole()
    del files[VICTIM]
    return files


def truncated():
    return {**whole(), VICTIM: FILES[VICTIM][:-1]}


def foreign_content():
    return {**whole(), VICTIM: FILES[VICTIM][:-1] + b"\0"}


def foreign_file():
    return {**whole(), "build/lib/of/another.py": b""}


def longer():
    return {**whole(), VICTIM: FILES[VICTIM] + b"\n"}


def all_three():
    files = truncated()
    files["no/such.py"] = b""
    other = next(path for path in FILES if path != VICTIM)
    del files[other]
    return files


WRONG = [
    (whole, None),
    (missing, "missing"),
    (truncated, "truncated"),
    (foreign_content, "foreign"),
    (foreign_file, "foreign"),
    (longer, "foreign"),
    (all_three, "missing+truncated+foreign"),
]


@pytest.fixture
def stage(tmp_path):
    stage = Stage(str(tmp_path))
    stage.set(["build-1"])
    return stage


def write(place, files):
    for path, data in files.items():
        os.makedirs(os.path.dirname(f"{place}/{path}"), exist_ok=True)
        with open(f"{place}/{path}", "wb") as file:
            file.write(data)


def publish(stage, files):
    entry = source_entry(PACKAGE)
    link = f"{entry.shard}/{PACKAGE.build.wheel.removesuffix('.whl')}"
    Store(stage.cache, "test").publish_archive(
        link, archive(PACKAGE.build.wheel, "test"), lambda place: write(place, files)
    )


def publish_file(stage, files):
    path = f"{stage.cache}/{source_entry(PACKAGE).shard}/{PACKAGE.build.wheel}"
    os.makedirs(os.path.dirname(path))
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
    return path


def judged(stage, builds=()):
    evidence = StormEvidence(SCENARIO, stage, tuple(builds), (), Residue(0, 0, (), ()))
    return [(item.signature, item.sentence) for item in wheel_whole(evidence)]


@pytest.mark.parametrize(("files", "kind"), WRONG)
@pytest.mark.parametrize("how", [publish, publish_file])
def test_what_is_published(stage, how, files, kind):
    how(stage, files())
    found = judged(stage)
    assert [signature for signature, _ in found] == ([f"wheel-whole:published:{kind}"] if kind else [])
    if kind in {"missing", "truncated"}:
        assert f"1 {kind} ({VICTIM})" in found[0][1]


@pytest.mark.parametrize(("files", "kind"), WRONG)
def test_what_is_installed(stage, files, kind):
    write(f"{stage.environment('build-1')}/{SITE_PACKAGES}", files())
    found = judged(stage, [BuildOutcome("build-1", "ok", "install", None, 1, 0)])
    assert [signature for signature, _ in found] == ([f"wheel-whole:installed:{kind}"] if kind else [])
    assert not judged(stage, [BuildOutcome("build-1", "failed", "install", None, 1, 0)])


def test_a_wheel_file_that_ends_too_early(stage):
    path = publish_file(stage, whole())
    os.truncate(path, os.path.getsize(path) - 30)
    assert [signature for signature, _ in judged(stage)] == ["wheel-whole:published:truncated"]


def test_a_wheel_whose_link_is_there_is_judged_by_its_archive(stage):
    """The one that whoever comes next installs from."""
    publish(stage, whole())
    path = f"{stage.cache}/{source_entry(PACKAGE).shard}/{PACKAGE.build.wheel}"
    with open(path, "wb") as file:
        file.write(b"no wheel")
    assert judged(stage) == []


def test_an_install_of_nothing(stage):
    assert [signature for signature, _ in judged(stage, [BuildOutcome("build-1", "ok", "install", None, 1, 0)])] == [
        "wheel-whole:installed:missing"
    ]
