"""Plain code under the gate makes no call beside it: strace sees a call for each step, and a step for each call."""

from __future__ import annotations

import pytest

from tests.support.bridged_traced import difference
from tests.support.interpreters import environment_for
from tests.support.plain_code import ALL

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ALL)
def test_each_call_is_a_step(tmp_path, name):
    assert difference(tmp_path, name) is None


@pytest.mark.parametrize("version", ["3.12", "3.13"])
@pytest.mark.parametrize("name", ["by_pathlib", "by_shutil", "by_open"])
def test_under_other_pythons(tmp_path, pytestconfig, version, name):
    python = environment_for(version, pytestconfig.cache)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    assert difference(tmp_path, name, python) is None


def test_a_call_beside_the_gate_is_seen(tmp_path):
    assert "and the call was" in difference(tmp_path, "sneaks")
