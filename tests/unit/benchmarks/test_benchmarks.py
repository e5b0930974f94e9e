"""Benchmarks work: tiny sizes, one round, a table each. What they say about time is nobody's business here."""

from __future__ import annotations

import io
import os
import stat
import sys

import pytest
from rich.console import Console

from benchmarks import first_poison, gate, growth, samplers, scopes, shrinking, small
from benchmarks.__main__ import ROUNDS, main


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def text(console):
    return console.file.getvalue()


@pytest.mark.slow
def test_the_gate_is_measured_in_every_way(console, ground):
    gate.run(console, ground, 1)
    told = text(console)
    assert all(way.title in told for way in gate.WAYS)
    assert "straight on the kernel           │ 1.00" in told


def test_schedules_are_counted(console, ground):
    small.run(console, ground, 1, schedules=3)
    assert "of 3 poison" in text(console)
    assert "bare host" in text(console)


@pytest.mark.slow
def test_growth_is_measured_for_each_number_of_builds(console, ground):
    growth.run(console, ground, 1, counts=(1, 2))
    rows = [line.split("│")[1].strip() for line in text(console).splitlines() if line.startswith("│")]
    assert rows == ["1", "2"]


def test_nothing_stays_behind(console, ground):
    before = set(os.listdir(ground))
    small.run(console, ground, 1, schedules=1)
    left = set(os.listdir(ground)) - before
    assert not [name for name in left if name.startswith(f"cachestorm-{os.getpid()}-")]


def test_a_poisoned_cache_is_recognised(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    assert not first_poison.is_poisoned(str(tmp_path))
    (tmp_path / "a/b").chmod(stat.S_IWUSR)
    assert first_poison.is_poisoned(str(tmp_path))
    (tmp_path / "a/b").chmod(0o755)


@pytest.mark.slow
def test_our_side_of_the_first_poison_ends_at_the_first_one(ground):
    seconds, tries = first_poison.with_us(ground, 0)
    assert tries is not None
    assert 1 <= tries < first_poison.SEEDS
    assert seconds > 0


def test_a_name_that_is_none_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gaet"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("gaet", *ROUNDS))


@pytest.mark.slow
def test_samplers_are_measured_and_written_into_a_page(console, ground, tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "SCOPES", ("issue-3515-small",))
    few = {name: bug for name, bug in samplers.known_bugs().items() if "deadlock" in name}
    monkeypatch.setattr(samplers, "known_bugs", lambda: few)
    monkeypatch.setattr(samplers, "STORM", "issue-3515-small")
    page = tmp_path / "page.md"
    samplers.run(console, ground, 1, schedules=4, blocks=1, seeds=6, markdown=str(page))
    written = page.read_text()
    assert all(f"\n| {name} | " in written for name in samplers.SAMPLERS)
    assert "**issue-3515-small, 4 runs**" in written
    assert "| deadlock of two locks | " in written
    assert "more than 4" in written


def test_how_many_runs_are_enough():
    assert samplers.enough(5, 5) == 1
    assert samplers.enough(1, 2) == 20
    assert (
        (1 - 0.01) ** samplers.enough(10, 1000)
        <= samplers.FALSE_ALARM_MAX
        < (1 - 0.01) ** (samplers.enough(10, 1000) - 1)
    )


@pytest.mark.slow
def test_shrinking_tells_what_is_left(console, ground, monkeypatch):
    monkeypatch.setattr(shrinking, "SCENARIO", "issue-3515-small")
    shrinking.run(console, ground, 2)
    told = text(console)
    assert all(heading in told for heading in shrinking.ROWS)
    assert "2 failing seeds of issue-3515-small" in told
    assert "nothing left to try        │ 2 of 2" in told


@pytest.mark.slow
def test_scopes_are_searched_and_sampled(console, ground):
    scopes.run(console, ground, 1, schedules=5, searched=((2, 2, 1, 0), (1, 2, 1, 1)), sampled=((1, 2, 1, 0),))
    told = text(console)
    assert "2 x 2 + 1                    " in told
    assert "1 x 2 + 1, every single kill " in told
    assert told.count("│ yes ") == 2
    assert "outcomes in 5 runs" in told
