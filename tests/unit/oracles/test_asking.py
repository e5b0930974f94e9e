"""An oracle that raises: the others are asked, and the error says which oracle and which run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator import oracles
from simulator.cli.failures import report as show
from simulator.errors import OracleError
from simulator.oracles.asking import Raised, ask
from simulator.running.outcome import Violation
from simulator.scenario_file import load_scenario
from tests.support.exploring import explored
from tests.support.runs import run_one

FOUND = Violation("two", "two:x", "x")


def test_everybody_is_asked_and_the_first_that_raised_is_told():
    def one(evidence):
        raise KeyError(evidence)

    def three(evidence):
        raise ValueError

    found, raised = ask({"one": one, "two": lambda evidence: [FOUND], "three": three}, "it")
    assert found == [FOUND]
    assert isinstance(raised, Raised)
    assert (raised.oracle, type(raised.error)) == ("one", KeyError)
    assert ask({}, "it") == ([], None)


@pytest.fixture
def small():
    return replace(load_scenario("issue-3515-small"), cleaners_after=("hardened", "rmtree"))


def broken(evidence):
    raise ZeroDivisionError("division\nby zero")


@pytest.mark.parametrize("table", [oracles.STORM_ORACLES, oracles.CLEANER_ORACLES])
def test_the_error_names_the_oracle_and_the_whole_run(small, ground, monkeypatch, table):
    whole = run_one(small, 3, ground)
    with monkeypatch.context() as patch:
        patch.setitem(table, "outside", broken)
        with pytest.raises(OracleError) as caught:
            run_one(small, 3, ground)
    error = caught.value
    assert (error.kind, error.value, error.exit_code) == ("oracle", "outside", 70)
    # The token is that of the run, which plays when the oracle is mended.
    assert error.token == whole.token
    assert error.message == (
        f"oracle 'outside' raised ZeroDivisionError: division by zero; the run is {whole.token},"
        " --debug shows where in the oracle"
    )


def test_an_exploration_has_the_token_as_well(small, ground, monkeypatch):
    token = run_one(small, 5, ground).token
    monkeypatch.setitem(oracles.STORM_ORACLES, "outside", broken)
    with pytest.raises(OracleError) as caught:
        explored(small, ground, schedules=3, first_seed=5)
    assert caught.value.token == token


def test_it_is_one_line_and_with_debug_the_place(small, ground, monkeypatch, capsys):
    monkeypatch.setitem(oracles.STORM_ORACLES, "outside", broken)
    with pytest.raises(OracleError) as caught:
        run_one(small, 0, ground)
    assert show(caught.value, as_json=False, debug=False) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"cachestorm: {caught.value.message}\n"
    show(caught.value, as_json=False, debug=True)
    assert "in broken" in capsys.readouterr().err
