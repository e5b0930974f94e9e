"""Builds without the install around them: what they cost under each protocol, what lies there before, what is left."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace

import pytest

from cache_core.buckets import LOCAL
from cache_core.kernel import REAL
from cache_core.protocols import PROTOCOLS
from cache_core.store import Store
from simulator.actors.entries import ARCHIVE_IN_PLACE, build_entries, lay
from simulator.actors.install import InstallJob, source_entry
from simulator.actors.toolchains import TOOLCHAINS
from simulator.oracles.wheel_whole import wheel_differences
from simulator.running.outcome import OK
from simulator.scenario_file import load_scenario, package_manifests
from tests.support.recording import RecordingKernel
from tests.support.runs import run_one

SMALL = load_scenario("issue-3515-small")
(PACKAGE,) = SMALL.packages
ENTRY = source_entry(PACKAGE)
TOOLCHAIN_STEPS = 20


@pytest.mark.parametrize(
    ("protocol", "cache_lock", "around"),
    [
        ("in-place", False, 3),
        ("in-place", True, 11),
        ("shared", False, 15),
        ("shared", True, 21),
        ("entry-lock", False, 31),
        ("entry-lock", True, 37),
        ("private", False, 47),
        ("private", True, 53),
    ],
)
def test_what_a_protocol_adds_to_the_toolchain(ground, protocol, cache_lock, around):
    report = run_one(replace(SMALL, builds=1, protocol=protocol, cache_lock=cache_lock), 0, ground)
    assert [(build.outcome, build.steps) for build in report.builds] == [(OK, TOOLCHAIN_STEPS + around)]
    assert not report.violations
    assert report.empty


def job(tmp_path, protocol, packages=SMALL.packages, identity="a"):
    environment = tmp_path / identity
    environment.mkdir()
    toolchain = TOOLCHAINS[SMALL.toolchain]
    return InstallJob(str(tmp_path / "cache"), str(environment), packages, protocol, toolchain, identity)


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "cache").mkdir()
    return str(tmp_path / "cache")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_wheel_is_where_the_protocol_leaves_it(tmp_path, cache, protocol):
    lay(cache, SMALL.packages, protocol, builds_only=True)
    assert build_entries(REAL, job(tmp_path, protocol), lambda _: None) == 1
    found = Store(cache, "judge").find_built(ENTRY).archive
    place = f"{tmp_path}/a/{ARCHIVE_IN_PLACE}" if protocol == "in-place" else found
    assert os.listdir(place) == [PACKAGE.build.wheel]
    assert not any(wheel_differences(place, PACKAGE.build.wheel, {}).values())
    assert (found is None) == (protocol == "in-place")


def test_who_comes_second_finds_the_archive(tmp_path, cache):
    lay(cache, SMALL.packages, "shared", builds_only=True)
    build_entries(REAL, job(tmp_path, "shared"), lambda _: None)
    second = RecordingKernel()
    build_entries(second, job(tmp_path, "shared", identity="b"), lambda _: None)
    assert len(second.steps) == 5


@pytest.mark.parametrize(
    ("protocol", "source", "local"),
    [("shared", True, False), ("entry-lock", False, False), ("private", False, False), ("in-place", False, True)],
)
def test_what_lies_there_before(cache, protocol, source, local):
    lay(cache, SMALL.packages, protocol, builds_only=True)
    assert os.path.isfile(f"{cache}/{ENTRY.source}/build/__init__.py") == source
    assert os.path.isfile(f"{cache}/{LOCAL}/one-file-1.0/build/__init__.py") == local
    assert os.path.isdir(f"{cache}/{ENTRY.shard}") == (not local)


def test_before_an_install_there_is_a_local_tree_and_nothing_else(cache):
    for protocol in PROTOCOLS:
        lay(cache, SMALL.packages, protocol, builds_only=False)
    assert os.listdir(cache) == [LOCAL]


def test_a_wheel_from_the_index_is_nothing_to_build(tmp_path, cache):
    packages = (package_manifests()["six==1.16.0"], PACKAGE)
    lay(cache, packages, "private", builds_only=True)
    assert build_entries(REAL, job(tmp_path, "private", packages), lambda _: None) == 1


# What the oracle reads where nothing is unpacked.


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        ({"a": b"one", "b": b"two"}, {}),
        ({"a": b"one", "b": b"two", "x.dist-info/RECORD": b""}, {}),
        ({"a": b"one"}, {"missing": ["b"]}),
        ({}, {"missing": ["a", "b"]}),
        ({"a": b"one", "b": b""}, {"truncated": ["b"]}),
        ({"a": b"one", "b": b"too"}, {"foreign": ["b"]}),
        ({"a": b"one", "b": b"two", "c": b""}, {"foreign": ["c"]}),
    ],
)
def test_a_wheel_that_is_not_whole(tmp_path, held, wrong):
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as made:
        for name, data in held.items():
            made.writestr(name, data)
    found = wheel_differences(str(tmp_path), "w.whl", {"a": b"one", "b": b"two"})
    assert {kind: names for kind, names in found.items() if names} == wrong


def test_a_wheel_that_is_none(tmp_path):
    assert wheel_differences(str(tmp_path), "w.whl", {}) == {"missing": ["w.whl"]}
    (tmp_path / "w.whl").write_bytes(b"PK")
    assert wheel_differences(str(tmp_path), "w.whl", {}) == {"truncated": ["w.whl"]}
