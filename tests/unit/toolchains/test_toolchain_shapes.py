"""Source distributions of many shapes, built by every release that was traced: the rows of the real builds."""

import os
import zipfile

import pytest

from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import BuildRequest
from simulator.actors.toolchains.releases import RELEASES
from simulator.ground.stage import place_source
from simulator.likeness.fidelity import compare, from_tsv
from tests.support.recording import RecordingKernel
from tests.support.shapes import SHAPES, manifest

TRACES = os.path.join(os.path.dirname(__file__), "../../data/traces/shapes")
CASES = [(name, release) for name in SHAPES for release in RELEASES if os.path.exists(f"{TRACES}/{name}-{release}.tsv")]


def built(name, release, directory):
    """Steps of a build alone, and what is in its wheel."""
    os.umask(0o022)
    package = manifest(name)
    place_source(package, directory)
    kernel = RecordingKernel()
    kernel.mkdir(f"{directory}/dist")
    request = BuildRequest(directory, f"{directory}/dist", package, "a")
    filename = TOOLCHAINS[release].build_wheel(kernel, request, kernel.enter_phase)
    with zipfile.ZipFile(f"{directory}/dist/{filename}") as wheel:
        held = {member: wheel.read(member) for member in wheel.namelist() if not member.endswith("/RECORD")}
    return kernel, filename, held


def test_every_shape_was_traced_under_the_oldest_and_the_newest():
    newest = list(RELEASES)[-1]
    assert {name for name, release in CASES if release == "setuptools-69.5.1"} == set(SHAPES)
    assert {name for name, release in CASES if release == newest} == set(SHAPES)


@pytest.mark.parametrize(("name", "release"), CASES)
def test_a_build_of_any_shape_makes_the_rows_of_the_real_one(name, release, tmp_path):
    kernel, _, _ = built(name, release, str(tmp_path))
    with open(f"{TRACES}/{name}-{release}.tsv", encoding="utf-8") as stream:
        comparison = compare(kernel.rows(str(tmp_path)), from_tsv(stream.read()))
    assert comparison.first_differences == ()
    assert comparison.f1 == 1.0
    assert comparison.exact_differences == 0
    assert comparison.phase_order_same


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", SHAPES)
def test_a_wheel_of_any_shape_holds_what_the_oracle_expects(name, release, tmp_path):
    _, _, held = built(name, release, str(tmp_path))
    assert held == TOOLCHAINS[release].expected_files(manifest(name))


@pytest.mark.parametrize(
    ("release", "wheel", "dist_info"),
    [
        ("setuptools-69.5.1", "All.of_it-1.0b1.dev3-2-py2.py3-none-any.whl", "All.of_it-1.0b1.dev3.dist-info"),
        ("setuptools-84.2.1", "all_of_it-1.0b1.dev3-2-py2.py3-none-any.whl", "all_of_it-1.0b1.dev3.dist-info"),
    ],
)
def test_names_are_the_release_s(release, wheel, dist_info, tmp_path):
    _, filename, held = built("All.of-it", release, str(tmp_path))
    assert filename == wheel
    data = filename.partition("-py2")[0] + ".data"
    assert {f"{dist_info}/METADATA", f"{data}/scripts/go", f"{data}/data/d/root.txt"} <= set(held)
    assert "All.of_it-1.0b1.dev3-py3.11-nspkg.pth" in held
    assert "ns/__init__.py" not in held


@pytest.mark.parametrize(
    ("release", "licenses"),
    [
        ("setuptools-69.5.1", {"LICENSE", "AUTHORS", "BSD.txt", "MIT.txt"}),
        ("setuptools-75.6.0", {"LICENSE", "AUTHORS", "BSD.txt", "MIT.txt"}),
        (
            "setuptools-84.2.1",
            {"licenses/LICENSE", "licenses/AUTHORS", "licenses/licenses/BSD.txt", "licenses/licenses/MIT.txt"},
        ),
    ],
)
def test_license_files_are_where_the_release_puts_them(release, licenses, tmp_path):
    _, _, held = built("data-in-src", release, str(tmp_path))
    inside = {member.partition(".dist-info/")[2] for member in held if ".dist-info/" in member}
    assert inside - {"METADATA", "WHEEL", "top_level.txt"} == licenses
