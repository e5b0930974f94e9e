"""The fast tests, under every supported Python."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.command import ROOT
from tests.support.interpreters import environment_for


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_fast_tests_pass(version, pytestconfig):
    python = environment_for(version, pytestconfig.cache)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/unit", "tests/conformance"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
