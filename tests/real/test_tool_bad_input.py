"""Real installs that cannot be: one clear line each, the exit code of the contract, nothing left."""

import json
import os

import pytest

from tests.support.command import cachestorm
from tests.support.real_storms import packages, processes_that_mention
from tests.support.tools_store import tools_store

__all__ = ["packages", "tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("packages")]

CLOSED_PORT = "http://127.0.0.1:9/simple"


@pytest.fixture
def sandboxes(tmp_path):
    place = tmp_path / "sandboxes"
    place.mkdir()
    yield place
    assert os.listdir(place) == []
    assert processes_that_mention(str(place)) == []


def refused(sandboxes, *options, **variables):
    """Exit code, kind and the line."""
    done = cachestorm("run", "issue-3515-loop", "--sandbox", str(sandboxes), *options, environment=variables)
    as_json = cachestorm(
        "run", "issue-3515-loop", "--sandbox", str(sandboxes), *options, "--json", environment=variables
    )
    document = json.loads(as_json.stdout)
    # What is told beside the error: what takes long, and what the place is not made for.
    lines = [line for line in done.stderr.splitlines() if not (": making " in line or "is a tmpfs" in line)]
    assert len(lines) == 1, done.stderr
    assert lines[0] == f"cachestorm: {document['message']}"
    assert done.stdout == ""
    assert done.returncode == as_json.returncode == document["exit"]
    return document["exit"], document["kind"], document["message"]


def test_a_version_that_does_not_exist(sandboxes):
    code, kind, line = refused(sandboxes, "--tool", "uv==0.1.9999")
    assert (code, kind) == (2, "unknown-version")
    assert line.startswith("uv==0.1.9999 does not exist; nearest: 0.1.")
    assert refused(sandboxes, "--cleaner", "uv==0.1.9999")[:2] == (2, "unknown-version")


def test_no_network(sandboxes, tmp_path):
    store = {"CACHESTORM_TOOLS": str(tmp_path / "empty")}
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": CLOSED_PORT, "PIP_EXTRA_INDEX_URL": "", **store}
    nowhere |= {"PIP_FIND_LINKS": "", "PIP_CONSTRAINT": ""}
    code, kind, line = refused(sandboxes, "--tool", "uv==0.1.42", **nowhere)
    assert (code, kind) == (3, "index")
    assert "check the network" in line


def test_a_tool_that_needs_a_newer_python(sandboxes, tmp_path):
    """An index with one release that asks for a Python that nobody has."""
    from tests.real.test_environments import make_wheel

    make_wheel(tmp_path, "uv", "99.0", requires_python=">=3.99")
    index = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    code, kind, line = refused(sandboxes, "--tool", "uv==99.0", CACHESTORM_TOOLS=str(tmp_path / "tools"), **index)
    assert (code, kind) == (3, "tool-python")
    assert line.startswith("uv==99.0 needs Python >=3.99 and would run on 3.")


def test_packages_that_are_not_there(sandboxes, tmp_path):
    code, kind, line = refused(sandboxes, "--tool", "uv==0.1.42", "--packages", str(tmp_path))
    assert (code, kind) == (3, "packages")
    command = f"cachestorm fetch-packages {tmp_path} --scenario issue-3515-loop"
    assert line.endswith(f"setuptools==69.5.1, wheel==0.43.0; fetch them with: {command}")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tool", "cargo"], "unknown tool 'cargo'; write build, uv==VERSION or pip==VERSION, such as uv==0.1.42"),
        (["--tool", "uv"], "unknown tool 'uv'; write build, uv==VERSION or pip==VERSION, such as uv==0.1.42"),
        (["--cleaner", "cargo==1"], "unknown cleaner 'cargo==1'; write uv==VERSION or pip==VERSION"),
        (["--tool", "uv==0.1.42", "--protocol", "shared"], "uv==0.1.42 has its own way to share a cache"),
        (["--tool", "build", "--fault", "build-1:9:kill"], "real builds have no steps to count"),
        (["--tool", "build", "--fault", "build-1:install_lib:build-error"], "faults are signals: kill or stall"),
        (["--tool", "build", "--trace", "steps.jsonl"], "real installs have no steps to write"),
        (["--tool", "build", "--pace", "1ms"], "real installs go as fast as they go"),
        (["--timeout", "3s"], "--timeout goes with real installs; give --tool, or leave it out"),
        (["--packages", "x"], "--packages goes with real installs"),
        (["--keep-output", "x"], "--keep-output goes with real installs"),
        (["--tool", "build", "--timeout", "soon"], "'soon' is no duration"),
    ],
)
def test_options_that_do_not_go_together(sandboxes, options, told):
    code, _, line = refused(sandboxes, *options)
    assert code == 2
    assert told in line
    assert not os.path.exists("steps.jsonl")


def test_output_that_cannot_be_kept(sandboxes, tmp_path):
    (tmp_path / "file").touch()
    place = f"{tmp_path}/file/below"
    code, kind, line = refused(sandboxes, "--tool", "build", "--keep-output", place)
    assert (code, kind) == (2, "bad-output")
    assert line == f"--keep-output '{place}' cannot be made: Not a directory"
