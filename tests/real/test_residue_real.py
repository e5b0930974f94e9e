"""Real caches of real tools: after a cleaning of residue they serve what they had, with nobody else to ask."""

from __future__ import annotations

import os
import subprocess

import pytest
import trio

from cache_core import audit, clean_sync
from simulator.tools.environments import environment
from tests.support.local_index import FAIL_VARIABLE, SOURCE_FILES, WHEEL_FILES, local_index
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = pytest.mark.slow

VERSIONS = ("0.1.42", "0.13.9")
PACKAGES = ("wheelpkg==1.0", "sourcepkg==1.0")


class Uv:
    """A release of uv with a cache of its own."""

    def __init__(self, version, place, index, store):
        self._environment = trio.run(lambda: environment((f"uv=={version}",), store=store))
        self._place = place
        self._index = index
        self._installs = 0
        self.cache = place / "cache"

    def install(self, *options, packages=PACKAGES, fails=False):
        """Install into a directory of its own; returns the package files in it and their content."""
        self._installs += 1
        target = self._place / f"target-{self._installs}"
        done = subprocess.run(
            [
                self._environment.program("uv"), "pip", "install", "--python", self._environment.python,
                "--target", target, "--cache-dir", self.cache, "--index-url", self._index.url, *options, *packages,
            ],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(self._place), **({FAIL_VARIABLE: "1"} if fails else {})},
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stderr
        return {
            path.relative_to(target).as_posix(): path.read_text()
            for path in target.rglob("*")
            if path.is_file() and ".dist-info" not in path.as_posix() and path.name != ".lock"
        }

    def one(self, pattern):
        """The one path in the cache that a pattern matches."""
        (found,) = self.cache.glob(pattern)
        return found

    @property
    def source(self):
        """The directory with the unpacked source."""
        return self.one("*/*/*/sourcepkg/1.0/*/*/pyproject.toml").parent


@pytest.fixture
def index():
    with local_index() as serving:
        yield serving


@pytest.fixture(params=VERSIONS)
def uv(request, tmp_path, index, tools_store):
    return Uv(request.param, tmp_path, index, tools_store)


def residue(uv):
    return [(item.path, item.kind) for item in audit(str(uv.cache)).residue]


def clean_residue(uv):
    report = clean_sync(str(uv.cache), residue_only=True)
    assert (report.succeeded, report.left) == (True, ())
    assert residue(uv) == []


def plant(uv):
    """What killed builds, downloads and cleaners leave, in the places where they do; returns it as it is listed."""
    planted = [(".cachestorm-trash", "trash"), (".tmpAbC123", "temporary"), (".tmpfile", "temporary")]
    (uv.cache / ".cachestorm-trash/archive-v0/x").mkdir(parents=True)
    (uv.cache / ".tmpAbC123/pkg").mkdir(parents=True)
    (uv.cache / ".tmpfile").write_text("half")
    for directory in (uv.cache / "archive-v0", uv.source.parent, uv.source.parents[4]):
        (directory / ".tmpAbC123" / "inner").mkdir(parents=True)
        planted.append((f"{directory.relative_to(uv.cache)}/.tmpAbC123", "temporary"))
    staging = uv.source / "build/bdist.linux-x86_64/wheel/sourcepkg"
    staging.mkdir(parents=True)
    (staging / "__init__.py").write_text("half")
    staging.chmod(0o200)
    planted.append((str((uv.source / "build/bdist.linux-x86_64").relative_to(uv.cache)), "partial-tree"))
    return sorted(planted)


def test_published_wheels_are_served_without_an_index(uv, index):
    before = uv.install()
    assert before == {**WHEEL_FILES, **SOURCE_FILES}
    assert residue(uv) == []
    planted = plant(uv)
    assert sorted(residue(uv)) == planted
    clean_residue(uv)
    index.asked.clear()
    assert uv.install("--offline") == before
    assert index.asked == []


def test_a_spoilt_wheel_is_fetched_again(uv, index):
    before = uv.install()
    archive = uv.one("archive-v0/*/wheelpkg").parent
    (archive / "wheelpkg" / "data").chmod(0o200)
    pointer = uv.one("wheels-v*/*/*/wheelpkg/*.http")
    assert residue(uv) == [
        (str(archive.relative_to(uv.cache)), "poisoned"),
        (str(pointer.relative_to(uv.cache)), "dangling"),
    ]
    clean_residue(uv)
    assert not archive.exists()
    index.asked.clear()
    assert uv.install() == before
    assert "/files/wheelpkg-1.0-py3-none-any.whl" in index.asked


def test_a_spoilt_source_goes_and_its_wheel_is_served(uv, index):
    before = uv.install()
    spoilt = uv.source
    (spoilt / "sourcepkg").chmod(0o200)
    assert residue(uv) == [(str(spoilt.relative_to(uv.cache)), "poisoned")]
    clean_residue(uv)
    index.asked.clear()
    assert uv.install("--offline") == before
    assert index.asked == []


def test_a_spoilt_wheel_that_was_built_is_unpacked_again(uv, index):
    before = uv.install()
    archive = uv.one("archive-v0/*/sourcepkg").parent
    (archive / "sourcepkg" / "inner").chmod(0o200)
    assert residue(uv) == [(str(archive.relative_to(uv.cache)), "poisoned")]
    clean_residue(uv)
    assert not archive.exists()
    index.asked.clear()
    assert uv.install("--offline") == before
    assert index.asked == []


def test_a_source_of_a_failed_build_is_built_again_and_fetched_again_when_it_is_spoilt(uv, index):
    uv.install(packages=PACKAGES[1:], fails=True)
    (uv.source / "build/bdist.linux-x86_64/wheel").mkdir(parents=True)
    clean_residue(uv)
    spoilt = uv.source
    (spoilt / "sourcepkg" / "inner").chmod(0o200)
    pointer = spoilt.parents[1] / "revision.http"
    assert sorted(residue(uv)) == sorted(
        [
            (str(spoilt.relative_to(uv.cache)), "poisoned"),
            (str(pointer.relative_to(uv.cache)), "dangling"),
        ]
    )
    clean_residue(uv)
    index.asked.clear()
    assert uv.install(packages=PACKAGES[1:]) == SOURCE_FILES
    assert "/files/sourcepkg-1.0.tar.gz" in index.asked
