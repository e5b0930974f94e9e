"""Actors and oracles that misbehave: exit 70, one line that names what did, a document, and more with --debug."""

from __future__ import annotations

import pytest

from simulator import oracles
from simulator.actors.cleaners import CLEANERS, Cleaned, Cleaner

EXPLORE = ("explore", "issue-3515-small", "--schedules", "3")
RUN = ("run", "issue-3515-small")


def endless(kernel, root, identity, crew):
    kernel.lstat(root)
    while True:
        pass


def broken(evidence):
    raise KeyError("a bug")


def moody():
    runs = []

    def clean(kernel, root, identity, crew):
        runs.append(1)
        kernel.lstat(root if len(runs) == 1 else f"{root}/CACHEDIR.TAG")
        return Cleaned()

    return clean


def failed(result, *words):
    """The one line that there is beside notes."""
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("cachestorm:")]
    assert all(word in line for word in words), line
    assert result.exit_code == 70
    return line


@pytest.mark.parametrize("command", [RUN, EXPLORE])
def test_an_actor_that_computes_for_ever(cachestorm, monkeypatch, command):
    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(endless, "endless"))
    result = cachestorm(*command, "--cleaner", "rmtree", "--watchdog", "40ms", "--json")
    failed(result, "'cleaner' computed for 0.04 s without a call, at cli/test_cli_broken.py:", "in endless")
    assert (result.document["kind"], result.document["value"], result.document["exit"]) == (
        "stuck-actor",
        "cleaner",
        70,
    )


@pytest.mark.parametrize("command", [RUN, EXPLORE])
def test_an_oracle_that_raises(cachestorm, monkeypatch, command):
    monkeypatch.setitem(oracles.STORM_ORACLES, "outside", broken)
    result = cachestorm(*command, "--json")
    failed(result, "oracle 'outside' raised KeyError: 'a bug'", "the run is cs1.issue-3515-small.")
    assert (result.document["kind"], result.document["value"]) == ("oracle", "outside")
    told = cachestorm(*command, "--debug").stderr
    assert "in broken" in told
    assert 'raise KeyError("a bug")' in told
    assert "in broken" not in result.stderr


@pytest.mark.parametrize("strategy", ["random", "dpor"])
def test_an_actor_that_does_not_repeat(cachestorm, monkeypatch, tmp_path, strategy):
    monkeypatch.setitem(CLEANERS, "rmtree", Cleaner(moody(), "moody"))
    scenario = tmp_path / "live.toml"
    scenario.write_text(LIVE)
    result = cachestorm("explore", scenario, "--strategy", strategy, "--schedules", "3", "--json")
    failed(result, "'cleaner' is not deterministic: step ", "was 'cleaner lstat .' and is 'cleaner lstat CACHEDIR.TAG'")
    assert (result.document["kind"], result.document["value"]) == ("nondeterminism", "cleaner")


LIVE = """
version = 1
summary = "one build, and a cleaner beside it"

[storm]
builds = 1
install = "one-file"
protocol = "in-place"
toolchain = "setuptools-69.5.1-pinned"
builds_only = true

[cleaners]
during = ["rmtree"]
"""
