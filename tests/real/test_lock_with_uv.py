"""The cache lock is uv's: its commands wait for us, and we wait for its commands, by name. uv as it is released."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
import trio

from cache_core import CacheInUseError, clean_sync, lock_cache
from cache_core.layout import TAG_TEXT
from cache_core.locks import Wait
from simulator.tools.enclosure import Place, variables
from simulator.tools.environments import environment
from tests.support.lock_list import rows_of, until, until_it_waits
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

AT_ONCE = Wait(timeout_seconds=0)

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "slow"
version = "1"
"""
# A build that goes on when the other end of a pipe is closed.
BACKEND = """
import zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open({gate!r}) as gate:
        gate.read()
    with zipfile.ZipFile(f"{{directory}}/slow-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr("slow-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n")
        wheel.writestr("slow-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\nRoot-Is-Purelib: true\\n")
        wheel.writestr("slow-1.dist-info/RECORD", "slow.py,,\\n")
    return "slow-1-py3-none-any.whl"
"""


@pytest.fixture(scope="module")
def program(tools_store):
    return trio.run(environment, ["uv==0.13.9"]).program("uv")


@pytest.fixture
def cache(tmp_path):
    root = tmp_path / "cache"
    root.mkdir()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    return root


@pytest.fixture
def uv(program, tmp_path, cache):
    """Starts uv, with the cache and a home of its own."""
    place = Place("uv", str(cache), str(tmp_path / "environment"), str(tmp_path / "home"))
    place.make()
    started = []

    def start(*words):
        process = subprocess.Popen(
            [program, *words],
            env=variables(place, {}),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Build:
    """A package whose build does not end before `go_on`."""

    def __init__(self, folder):
        self.folder = folder
        self._gate = f"{folder}/gate"
        self._end = -1
        folder.mkdir()
        os.mkfifo(self._gate)
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "backend.py").write_text(BACKEND.format(gate=self._gate))

    def has_begun(self):
        try:
            self._end = os.open(self._gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # Nobody reads it yet.
            if error.errno != errno.ENXIO:
                raise
            return False
        return True

    def go_on(self):
        if self._end >= 0:
            os.close(self._end)
            self._end = -1


@pytest.fixture
def build(tmp_path):
    made = Build(tmp_path / "slow")
    yield made
    made.go_on()


def install(uv, build, tmp_path):
    """A `uv pip install` that is in the middle of a build."""
    options = ["--offline", "--no-deps", "--python", sys.executable, "--target", str(tmp_path / "target")]
    process = uv("pip", "install", *options, str(build.folder))
    until(build.has_begun, process)
    return process


def ends_well(process):
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    return output


def test_an_install_waits_for_our_clean(cache, uv, build, tmp_path):
    """From its first removal to its report, the clean has the cache to itself; then uv installs into an empty one."""
    (cache / "content").mkdir()
    for number in range(2000):
        (cache / "content" / str(number)).touch()
    waiting = []

    def progress(how_far):
        if not waiting:
            options = ["--offline", "--no-deps", "--python", sys.executable, "--target", str(tmp_path / "target")]
            waiting.append(uv("pip", "install", *options, str(build.folder)))
            until_it_waits(cache / ".lock", waiting[0])

    report = clean_sync(str(cache), timeout=0, progress=progress)
    assert (report.empty, report.files_removed, report.lock) == (True, 2000, "exclusive")
    until(build.has_begun, waiting[0])
    build.go_on()
    ends_well(waiting[0])
    assert (tmp_path / "target/slow.py").exists()


def test_our_clean_waits_for_an_install_and_says_so(cache, uv, build, tmp_path):
    process = install(uv, build, tmp_path)
    assert (False, process.pid) in rows_of(cache / ".lock")
    before = sorted(os.listdir(cache))
    with pytest.raises(CacheInUseError) as caught:
        clean_sync(str(cache), timeout=0)
    (holder,) = caught.value.holders
    assert holder.pid == process.pid
    assert holder.command.startswith("uv pip install --offline --no-deps")
    assert "its lock is held by uv pip install --offline" in str(caught.value)
    assert f"(pid {process.pid})" in str(caught.value)
    assert sorted(os.listdir(cache)) == before

    told = []

    def on_wait(holders):
        told.extend(holders)
        build.go_on()

    report = clean_sync(str(cache), on_wait=on_wait)
    assert told == [holder]
    assert (report.empty, report.lock) == (True, "exclusive")
    # It ended before we began: what it installed is whole.
    ends_well(process)
    assert (tmp_path / "target/slow.py").exists()


def test_a_clean_by_force_does_not_wait_for_an_install(cache, uv, build, tmp_path):
    process = install(uv, build, tmp_path)
    assert clean_sync(str(cache), force=True).lock == "ignored"
    assert process.poll() is None


def test_a_killed_install_holds_nothing(cache, uv, build, tmp_path):
    process = install(uv, build, tmp_path)
    process.kill()
    process.wait()
    assert clean_sync(str(cache), timeout=0).empty


def test_installs_and_builds_share_the_lock(cache, uv, build, tmp_path):
    process = install(uv, build, tmp_path)
    lock_cache(str(cache), shared=True, wait=AT_ONCE).release()
    build.go_on()
    ends_well(process)


def test_its_clean_waits_for_our_build(cache, uv):
    (cache / "content").mkdir()
    with lock_cache(str(cache), shared=True):
        process = uv("cache", "clean")
        until_it_waits(cache / ".lock", process)
        assert (cache / "content").exists()
    ends_well(process)
    assert not (cache / "content").exists()


def test_our_clean_after_its_clean_has_the_lock(cache, uv):
    """Whatever becomes of the file in uv's hands: what we hold in the end has the name."""
    ends_well(uv("cache", "clean"))
    cache.mkdir(exist_ok=True)
    with lock_cache(str(cache), shared=False, wait=AT_ONCE) as lock:
        assert os.path.samestat(os.fstat(lock.fd), os.stat(cache / ".lock"))
        process = uv("venv", "--offline", "--python", sys.executable, "environment")
        until_it_waits(cache / ".lock", process)
    ends_well(process)
