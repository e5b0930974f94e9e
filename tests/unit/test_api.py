"""The program as a function."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

import simulator
from simulator.errors import BadInputError, MachineError
from simulator.scenario_file import load_scenario


def test_a_scenario_by_name(tmp_path):
    report = simulator.run("issue-3515-loop", seed=5, sandbox=str(tmp_path))
    assert report.empty
    assert report.token == simulator.run("issue-3515-loop", seed=5).token
    assert os.listdir(tmp_path) == []


def test_a_scenario_that_was_changed():
    report = simulator.run(replace(load_scenario("issue-3515-loop"), builds=1, protocol="private"))
    assert [build.outcome for build in report.builds] == ["ok"]


def test_mistakes_come_out_as_typed_errors(tmp_path):
    with pytest.raises(BadInputError, match="nearest: issue-3515"):
        simulator.run("isue-3515")
    with pytest.raises(MachineError, match="--sandbox"):
        simulator.run("issue-3515", sandbox=str(tmp_path / "missing"))


def test_a_caller_that_permission_bits_do_not_stop_is_refused(monkeypatch):
    monkeypatch.setattr("simulator.ground.confined.permission_bits_stop_us", lambda _: False)
    with pytest.raises(MachineError, match="do not stop this process"):
        simulator.run("issue-3515")
