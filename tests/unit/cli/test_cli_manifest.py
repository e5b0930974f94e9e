"""`manifest`, and an sdist in place of a package: `solo`, `run --package`, and the replay line that works."""

import json
import shlex

import pytest

from simulator.likeness.manifest import load_manifest
from tests.support.sdists import make_sdist, make_wheel

FILES = {
    "setup.py": "from setuptools import setup\nsetup(packages=['some'], scripts=['bin/run'])",
    "some/__init__.py": "",
    "some/module.py": "x",
    "bin/run": "#!/bin/sh\n",
}


@pytest.fixture
def sdist(tmp_path):
    return make_sdist(tmp_path, FILES)


def test_what_is_printed_is_a_manifest(cachestorm, tmp_path, sdist):
    result = cachestorm("manifest", sdist, "--index", "PyPI", "--as-of", "2024-05-10", "--how", "by a test")
    assert (result.exit_code, result.stderr) == (0, "")
    (tmp_path / "some.json").write_text(result.stdout)
    manifest = load_manifest(str(tmp_path / "some.json"))
    assert (manifest.name, manifest.build.packages) == ("some-name", ("some",))
    assert (manifest.source.index, manifest.source.as_of, manifest.source.how) == ("PyPI", "2024-05-10", "by a test")
    assert cachestorm(
        "manifest", sdist, "--index", "PyPI", "--as-of", "2024-05-10", "--how", "by a test", "--json"
    ).document == (json.loads(result.stdout))


def test_a_manifest_of_a_wheel(cachestorm, tmp_path, sdist):
    wheel = make_wheel(tmp_path, {"some/__init__.py": ""})
    assert cachestorm("manifest", wheel, "--json").document["kind"] == "wheel"
    result = cachestorm("manifest", wheel, "--wheel", wheel)
    assert result.exit_code == 2
    assert "is a wheel itself" in result.stderr


def test_a_wheel_supplies_what_is_computed(cachestorm, tmp_path):
    files = {**FILES, "setup.py": "import setuptools, x\nsetuptools.setup(packages=x.y)"}
    sdist = make_sdist(tmp_path, files)
    result = cachestorm("manifest", sdist, "--json")
    assert result.exit_code == 2
    assert result.document["kind"] == "not-told"
    assert result.stderr == (
        f"cachestorm: sdist '{sdist}': setup.py computes packages, and its egg-info does not tell;"
        " a wheel of it does: cachestorm manifest SDIST --wheel WHEEL\n"
    )
    document = cachestorm(
        "manifest", sdist, "--json", "--wheel", make_wheel(tmp_path, {"some/__init__.py": ""})
    ).document
    assert document["build"]["packages"] == ["some"]
    assert document["source"]["how"] == "read from the sdist and a wheel of it"


def test_notes_go_to_stderr(cachestorm, tmp_path):
    files = {**FILES, "setup.py": "import setuptools\nsetuptools.setup(packages=['some'], cmdclass={'build_py': 1})"}
    result = cachestorm("manifest", make_sdist(tmp_path, files))
    assert result.exit_code == 0
    assert (
        result.stderr == "cachestorm: setup.py replaces commands (build_py); what they do otherwise is not simulated\n"
    )
    assert json.loads(result.stdout)["kind"] == "sdist"


@pytest.mark.parametrize("command", [("manifest",), ("solo",), ("run", "--package")])
def test_bad_sdists_exit_2_with_one_line(cachestorm, tmp_path, command):
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(b"no archive")
    result = cachestorm(*command, bad)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cachestorm: '{bad}' is no sdist")
    assert result.stderr.count("\n") == 1
    missing = cachestorm(*command, "./gone.tar.gz")
    assert (missing.exit_code, missing.stderr) == (
        2,
        "cachestorm: sdist './gone.tar.gz' cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize("command", [("solo",), ("run", "--package")])
def test_an_unknown_package_is_told_the_nearest_and_how_an_sdist_is_given(cachestorm, command):
    result = cachestorm(*command, "opentracin")
    assert result.exit_code == 2
    assert result.stderr == (
        "cachestorm: unknown package 'opentracin'; nearest: opentracing;"
        " an sdist is given as a path, such as ./opentracin.tar.gz\n"
    )


def test_solo_builds_an_sdist(cachestorm, sdist, sandboxes):
    result = cachestorm("solo", sdist, "--sandbox", sandboxes)
    assert result.exit_code == 0
    assert "create\tbuild/lib/some/module.py\t\tok" in result.stdout
    assert "some_name-1.0.data/scripts/run" in result.stdout


def test_a_run_of_an_sdist_is_replayed_by_its_line(cachestorm, sdist, sandboxes, tmp_path):
    result = cachestorm("run", "--package", sdist, "--builds", "2", "--seed", "1", "--sandbox", sandboxes)
    assert result.exit_code in {0, 1}
    line = next(line for line in result.stdout.splitlines() if line.startswith("replay")).removeprefix("replay").strip()
    assert f"--package {shlex.quote(sdist)}" in line
    again = cachestorm(*shlex.split(line)[1:], "--sandbox", sandboxes)
    assert "replayed: the same" in again.stdout
    # The token is of this sdist: of another one it is told apart.
    other = make_sdist(tmp_path, {**FILES, "some/more.py": ""}, name="other-1.0.tar.gz")
    words = [other if word == sdist else word for word in shlex.split(line)[1:]]
    refused = cachestorm(*words, "--sandbox", sandboxes)
    assert refused.exit_code == 2
    assert "the token is of another run" in refused.stderr


def test_a_manifest_is_a_package_too(cachestorm, sdist, sandboxes, tmp_path):
    path = tmp_path / "some.json"
    path.write_text(cachestorm("manifest", sdist).stdout)
    rows = cachestorm("solo", path, "--sandbox", sandboxes)
    assert rows.exit_code == 0
    assert rows.stdout == cachestorm("solo", sdist, "--sandbox", sandboxes).stdout
    path.write_text("{}")
    refused = cachestorm("run", "--package", path)
    assert (refused.exit_code, refused.stderr) == (
        2,
        f"cachestorm: no manifest: {path}: schema is missing: expected a string\n",
    )
    path.write_text(cachestorm("manifest", make_wheel(tmp_path, {"some/__init__.py": ""})).stdout)
    assert "is of a wheel, which is never built" in cachestorm("solo", path).stderr
    assert "manifest './gone.json' cannot be read: No such file" in cachestorm("solo", "./gone.json").stderr


def test_a_run_takes_a_package_of_the_catalogue(cachestorm, sandboxes):
    common = ("--builds", "1", "--sandbox", sandboxes, "--json")
    one = cachestorm("run", "--package", "threadloop", *common).document
    assert one["token"] == cachestorm("run", "--package", "threadloop==1.0.2", *common).document["token"]
    refused = cachestorm("run", "--package", "six", *common)
    assert refused.exit_code == 2
    assert refused.document["kind"] == "not-built"
