"""Under every supported Python: the fast tests pass, and a run is the same run by any strategy under any host."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import trio

from simulator.strategies import SAMPLERS
from tests.support.command import ROOT
from tests.support.digests import SCENARIOS, digests
from tests.support.interpreters import environment_for

OTHERS = ("3.12", "3.13")

pytestmark = pytest.mark.slow


@pytest.fixture(params=OTHERS)
def python(request, pytestconfig):
    found = environment_for(request.param, pytestconfig.cache)
    if found is None:
        pytest.skip(f"no Python {request.param} on this machine")
    return found


@pytest.fixture(scope="module")
def here():
    return trio.run(digests, None)


def run(python, *arguments):
    return subprocess.run(
        [python, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_the_fast_tests_pass(python):
    done = run(python, "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/unit", "tests/conformance")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_a_run_is_the_same_by_every_strategy_and_under_both_hosts(python, here):
    done = run(python, "tests.support.digests", json.dumps(here["schedules"]))
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == here


def test_hosts_agree_and_a_recorded_schedule_is_the_run_it_was_recorded_of(here):
    found = here["digests"]
    for name in SCENARIOS:
        of_one = {key: digest for key, digest in found.items() if key.startswith(f"{name} ")}
        by_strategy = {key.rpartition(" ")[0] for key in of_one}
        assert len(by_strategy) == len(SAMPLERS) + 1
        assert all(of_one[f"{key} bare"] == of_one[f"{key} trio"] for key in by_strategy)
        assert found[f"{name} replay bare"] == found[f"{name} sticky bare"]
