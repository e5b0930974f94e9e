"""setuptools_scm, read off an sdist, and what a simulated build does with it."""

from __future__ import annotations

import pytest

from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import BuildRequest
from simulator.ground.stage import place_source
from simulator.sdists.reader import read_with_notes
from tests.support.recording import RecordingKernel
from tests.support.sdists import make_sdist

FILES = {"src/p/__init__.py": "", "src/p/_version.py": "v = 1\n", "VERSION": "1.0"}
LAYOUT = "packages=['p'], package_dir={'': 'src'}"
TABLE = '[build-system]\nrequires = ["setuptools_scm{}"]\n[tool.setuptools_scm]\n{}'


SETUP = "from setuptools import setup\n"


def reading(folder, arguments, **texts):
    return read_with_notes(make_sdist(folder, {"setup.py": f"{SETUP}setup({LAYOUT}, {arguments})", **FILES, **texts}))


@pytest.mark.parametrize(
    ("arguments", "pyproject", "scm", "files"),
    [
        ("", TABLE.format("", "write_to = 'src/p/_version.py'"), True, ("src/p/_version.py",)),
        ("", TABLE.format("[toml]>=3.4", "version_file = 'src/p/_version.py'"), True, ("src/p/_version.py",)),
        ("use_scm_version={'write_to': 'src/p/_version.py'}", TABLE.format("", ""), True, ("src/p/_version.py",)),
        ("use_scm_version=True, setup_requires='setuptools-scm'", "", True, ()),
        # Nobody requires it, so it is not there.
        ("use_scm_version={'write_to': 'src/p/_version.py'}", "", False, ()),
        ("use_scm_version=False", TABLE.format("", "").replace("[tool.setuptools_scm]", ""), False, ()),
        ("", TABLE.format("", "") + "[project]\nname = 'p'\nversion = '1'\n", False, ()),
        # What lies outside of packages is not in a wheel.
        ("", TABLE.format("", "write_to = 'VERSION'"), True, ()),
    ],
)
def test_what_takes_part(tmp_path, arguments, pyproject, scm, files):
    found = reading(tmp_path, arguments, **{"pyproject.toml": pyproject})
    assert (found.manifest.build.scm_version, found.manifest.build.version_files) == (scm, files)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("arguments", "version", "note"),
    [
        ("use_scm_version={'write_to': 'src/p/_version.py'}", "<8", "an older setuptools_scm is asked for"),
        ("use_scm_version=lambda: compute()", "", "setup.py computes which files setuptools_scm writes"),
        ("use_scm_version={'write_to': 'src/p/other.py'}", "", "'src/p/other.py', which setuptools_scm writes and"),
    ],
)
def test_what_is_left_out_is_noted(tmp_path, arguments, version, note):
    found = reading(tmp_path, arguments, **{"pyproject.toml": TABLE.format(version, "")})
    assert found.manifest.build.version_files == ()
    assert [text for text in found.notes if text.startswith(note)]


@pytest.mark.parametrize(("toolchain", "deleted"), [("setuptools-69.5.1", 0), ("setuptools-84.2.1", 2)])
def test_what_a_build_does(tmp_path, toolchain, deleted):
    package = reading(tmp_path, "", **{"pyproject.toml": TABLE.format("", "write_to = 'src/p/_version.py'")}).manifest
    place = tmp_path / "source"
    place.mkdir()
    place_source(package, str(place))
    kernel = RecordingKernel()
    TOOLCHAINS[toolchain].build_wheel(
        kernel, BuildRequest(str(place), f"{place}/dist", package, "a"), kernel.enter_phase
    )
    rows = kernel.rows(str(place))
    made = [row for row in rows if row[0] == "create" and row[1] == "build/lib/p/_version.py"]
    assert len(made) == 2  # the copy, and the file anew
    assert len([row for row in rows if row[0] == "unlink" and "/scm_" in row[1] and row[3] == "ENOENT"]) == deleted
