"""What an sdist requires to be built is there when it is built for real; sdists made here, the rest from the index."""

from __future__ import annotations

import os

import pytest
import trio

from simulator.errors import BadInputError
from simulator.tools.build_requirements import build_environment
from tests.real.test_solo_real import ground, make_sdist, solo
from tests.support.tools_store import tools_store

__all__ = ["ground", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

# Builds only where both are there: one that pyproject.toml lists, one that the setup script asks for.
SETUP = """
import sys
import iniconfig
if "bdist_wheel" in sys.argv:
    import mccabe
from setuptools import setup
setup(name='tiny', version='1.0', packages=['tiny'], setup_requires=['mccabe==0.7.0'])
"""
PYPROJECT = '[build-system]\nrequires = ["setuptools<60", "wheel", "iniconfig==2.0.0"]\n'


def ask(archive, folder, **options):
    told = []
    made = trio.run(
        lambda: build_environment(str(archive), "setuptools-69.5.1", f"{folder}/asked", tell=told.append, **options)
    )
    return made, told


def names_in(made):
    (library,) = os.listdir(f"{made.directory}/lib")
    found = os.listdir(f"{made.directory}/lib/{library}/site-packages")
    return {name.partition("-")[0] for name in found if name.endswith(".dist-info")}


def test_what_is_listed_and_what_is_answered_is_there(tmp_path, ground):
    archive = make_sdist(tmp_path, SETUP, {"pyproject.toml": PYPROJECT})
    done = solo(ground, archive, "--real")
    assert done.returncode == 0, done.stderr
    assert "create\tbuild/lib/tiny/part.py" in done.stdout
    assert "asks for setuptools<60 and gets setuptools 69.5.1, which the toolchain pins" in done.stderr


def test_the_toolchain_stays_and_what_asking_wrote_is_gone(tmp_path):
    made, told = ask(make_sdist(tmp_path, SETUP, {"pyproject.toml": PYPROJECT}), tmp_path)
    assert names_in(made) == {"setuptools", "wheel", "iniconfig", "mccabe"}
    assert len([line for line in told if "asks for" in line]) == 1
    assert not os.path.exists(tmp_path / "asked")


def test_an_sdist_that_requires_nothing_has_the_environment_of_the_toolchain(tmp_path):
    made, told = ask(make_sdist(tmp_path), tmp_path)
    assert names_in(made) == {"setuptools", "wheel"}
    assert not [line for line in told if "asks for" in line]


@pytest.mark.parametrize(
    ("setup", "pyproject", "reason"),
    [
        ("", '[build-system]\nrequires = ["--index-url=x"]\n', "requires '--index-url=x' to be built, which is none"),
        ("", "[build-system\n", "is no TOML"),
        ("setup_requires = 1\nraise SystemExit('no today')\n", "", "could not be asked: "),
    ],
)
def test_requirements_that_cannot_be_had(tmp_path, setup, pyproject, reason):
    archive = make_sdist(tmp_path, setup, {"pyproject.toml": pyproject})
    with pytest.raises(BadInputError, match=reason) as caught:
        ask(archive, tmp_path)
    assert "\n" not in str(caught.value)
    assert not os.path.exists(tmp_path / "asked")


def test_a_back_end_that_does_not_answer_is_killed(tmp_path):
    archive = make_sdist(tmp_path, "setup_requires = 1\nimport time\ntime.sleep(1000)\n")
    with pytest.raises(BadInputError, match=r"no answer after 1\.5 s"):
        ask(archive, tmp_path, timeout_seconds=1.5)


def test_a_requirement_that_does_not_exist(tmp_path, ground):
    archive = make_sdist(tmp_path, extra={"pyproject.toml": '[build-system]\nrequires = ["iniconfig==0.0.99"]\n'})
    done = solo(ground, archive, "--real")
    assert done.returncode == 2, done.stderr
    assert "iniconfig==0.0.99 does not exist" in done.stderr.splitlines()[-1]
