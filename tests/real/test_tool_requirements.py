"""Real storms of an sdist that requires something to be built: fetched once, there offline."""

from __future__ import annotations

import os

import pytest

from cache_core.kernel import REAL
from tests.real.test_solo_real import make_sdist
from tests.support.command import cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

# Both must be there to build it: one that pyproject.toml lists, and one that the setup script asks for.
SETUP = """
import sys
import iniconfig
if "bdist_wheel" in sys.argv:
    import mccabe
from setuptools import setup
setup(name='tiny', version='1.0', packages=['tiny'], setup_requires=['mccabe==0.7.0'])
"""
PYPROJECT = '[build-system]\nrequires = ["setuptools", "wheel", "iniconfig==2.0.0"]\n'
WHEELS = {"iniconfig-2.0.0-py3-none-any.whl", "mccabe-0.7.0-py2.py3-none-any.whl"}
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}


@pytest.fixture
def sdist(tmp_path):
    return str(make_sdist(tmp_path, SETUP, {"pyproject.toml": PYPROJECT}))


def fetch(folder, sdist):
    done = cachestorm("fetch-packages", folder, "--scenario", "issue-3515-loop", "--package", sdist)
    assert done.returncode == 0, done.stderr
    return set(os.listdir(folder))


def run(sdist, tool, folder, *options, environment=()):
    named = ["--package", sdist, "--tool", tool, "--packages", folder, "--builds", "1", *options]
    return cachestorm("run", *named, environment=environment)


@pytest.mark.parametrize("tool", ["build", "uv==0.1.42", "pip==26.3"])
def test_what_it_requires_is_there_offline(tmp_path, sdist, tool):
    folder = str(tmp_path / "packages")
    assert fetch(folder, sdist) >= WHEELS
    scenario = "pip-in-place" if tool.startswith("pip") else "issue-3515-loop"
    options = [scenario, "--toolchain", "setuptools-69.5.1"]
    first = run(sdist, tool, folder, *options)
    assert first.returncode == 0, first.stdout + first.stderr
    # Every environment is made now: from here on nobody is asked.
    done = run(sdist, tool, folder, *options, environment=NOWHERE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_folder_that_lacks_it(tmp_path, sdist):
    folder = str(tmp_path / "packages")
    fetch(folder, sdist)
    for name in WHEELS:
        REAL.unlink(f"{folder}/{name}")
    done = run(sdist, "uv==0.1.42", folder, "issue-3515-loop")
    assert done.returncode == 3
    told = done.stderr.splitlines()[-1]
    assert f"lacks iniconfig==2.0.0, mccabe==0.7.0; fetch them with: cachestorm fetch-packages {folder}" in told
    assert told.endswith(f"--package {sdist}")
