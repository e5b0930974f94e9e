"""The built wheel, installed in a clean environment, does the main job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests.support.command import ROOT
from tests.support.interpreters import make_environment


@pytest.mark.slow
def test_the_built_wheel_runs_the_main_job(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]
    assert "scenarios/issue-3515.toml" in names
    assert "scenarios/packages/six-1.16.0.json" in names
    make_environment(tmp_path / "environment", sys.executable, str(wheel))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(tmp_path / "environment/bin/cachestorm"), "run", "--seed", "3", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "cachestorm/run/1"
    assert document["empty"] is True
    assert document["residue"]["poisoned"]
