"""pbr, which takes part in a build: the list of files stays, and 69.5.1 looks for distributions."""

from __future__ import annotations

import pytest

from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import BuildRequest
from simulator.ground.stage import place_source
from simulator.sdists.reader import read_with_notes
from tests.support.recording import RecordingKernel
from tests.support.sdists import make_sdist

SETUP = "from setuptools import setup\nsetup(setup_requires=['pbr'], pbr={})\n"
FILES = {"setup.cfg": "[files]\npackages = p\n", "p/__init__.py": "", "p/q/__init__.py": ""}


def reading(folder, **more):
    return read_with_notes(make_sdist(folder, {"setup.py": SETUP.format(True), **FILES, **more}))


def test_what_is_told(tmp_path):
    found = reading(tmp_path)
    assert found.manifest.build.keeps_sources
    assert found.manifest.build.setup_imports == ("pkg_resources", "setuptools", "setuptools.setup")
    assert [note for note in found.notes if note.startswith("pbr gives packages in an order")]
    other = reading(tmp_path, **{"setup.py": "from setuptools import setup\nsetup(packages=['p', 'p.q'])\n"})
    assert not other.manifest.build.keeps_sources
    assert "pkg_resources" not in other.manifest.build.setup_imports
    assert other.notes == ()


@pytest.mark.parametrize(("listed", "times"), [({"some_name.egg-info/SOURCES.txt": "setup.py\n"}, 0), ({}, 2)])
def test_the_list_of_files_stays_where_there_is_one(tmp_path, listed, times):
    package = reading(tmp_path, **listed).manifest
    place = tmp_path / "source"
    place.mkdir()
    place_source(package, str(place))
    kernel = RecordingKernel()
    request = BuildRequest(str(place), f"{place}/dist", package, "a")
    TOOLCHAINS["setuptools-84.2.1"].build_wheel(kernel, request, kernel.enter_phase)
    rows = [row for row in kernel.rows(str(place)) if row[:2] == ("create", f"{package.build.egg_info}/SOURCES.txt")]
    assert len(rows) == times
