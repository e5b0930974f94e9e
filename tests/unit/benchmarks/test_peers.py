"""The comparison with other tools: the page is what was measured, and what needs no peer is true today."""

from __future__ import annotations

import inspect
import math
import os
import subprocess
import sys

import pytest

from benchmarks.peers import comparing, environment, subjects, tables, with_ours
from benchmarks.peers.cell import CannotError
from benchmarks.peers.comparing import FRONTRUN, OURS, TOOLS, Tool
from benchmarks.peers.subjects import SUBJECTS, Awaited, Files, Memory, Stage, awaited, every_interleaving, markers_of

ACTORS = {actor.__name__: actor for subject in SUBJECTS.values() for actor in subject.actors}
OURS_DPOR = Tool(OURS, "dpor")
BESIDE = "memory and files"
MEASURE = "run: python -m benchmarks.peers measure"


# The page.


def test_the_page_shows_what_was_measured(tmp_path):
    page = tmp_path / "peers.md"
    page.write_text(tables.PAGE.read_text("utf-8"), "utf-8")
    tables.write_page(tables.load(), page)
    assert page.read_text("utf-8") == tables.PAGE.read_text("utf-8"), "run: python -m benchmarks.peers tables"


def test_everything_was_measured():
    results = tables.load()
    assert list(results["cells"]) == list(results["every"]) == list(SUBJECTS), MEASURE
    assert results["versions"] == environment.PINS, MEASURE
    for row in results["cells"].values():
        assert list(row) == [tool.key for tool in TOOLS], MEASURE
        for cell in row.values():
            assert "cannot" in cell or "found" in cell


# Ours, and what needs no tool: counted again.


def shown(finding):
    """Without how long the token is."""
    return {key: value for key, value in finding.items() if key != "replay"}


@pytest.mark.parametrize("name", SUBJECTS)
def test_ours_makes_the_runs_of_the_page(name, ground, tmp_path):
    stage, recorded = Stage(SUBJECTS[name], str(tmp_path / "directory")), tables.load()["cells"][name][OURS_DPOR.key]
    outcomes = set()
    if "cannot" in recorded:
        with pytest.raises(CannotError, match="no actor makes a call"):
            with_ours.find(stage, "dpor", 0, 60)
        return
    found = with_ours.find(stage, "dpor", 0, 60)
    ended = with_ours.enumerate_all(stage, "dpor", 0, 60, lambda run: outcomes.add(repr(run)))
    assert [shown(vars(found))] == list(map(shown, recorded["found"])), MEASURE
    assert (ended.runs, ended.said, len(outcomes)) == (recorded["runs"], "complete", recorded["outcomes"]), MEASURE
    if name == BESIDE:
        # The stated limit: memory that is shared beside files is not seen, and nothing says so.
        assert (found.said, ended.runs) == ("complete", 1)
        return
    assert (found.run is not None) == SUBJECTS[name].racy
    # Whole calls are coarser than system calls: nothing that they can do is missing.
    assert outcomes >= every_interleaving(SUBJECTS[name], stage.top)[1]


@pytest.mark.parametrize("name", SUBJECTS)
def test_interleavings_are_counted_as_on_the_page(name, tmp_path):
    runs, outcomes, wrong = every_interleaving(SUBJECTS[name], str(tmp_path / "directory"))
    assert {"runs": runs, "outcomes": len(outcomes), "wrong": wrong} == tables.load()["every"][name]
    assert bool(wrong) == SUBJECTS[name].racy


def test_every_interleaving_is_made_once(tmp_path):
    # Two actors with as many calls whatever happens: a binomial coefficient.
    assert every_interleaving(SUBJECTS["apart"], str(tmp_path / "directory"))[0] == math.comb(6, 3)
    assert every_interleaving(SUBJECTS["file counter"], str(tmp_path / "directory"))[0] == math.comb(4, 2)


# The subjects.


async def _at_once():
    pass


@pytest.mark.parametrize("name", ACTORS)
def test_the_awaited_form_does_the_same(name, tmp_path):
    ends = []
    for form in ("plain", "awaited"):
        (tmp_path / form).mkdir()
        (tmp_path / form / "n").write_text("")
        files = Files(str(tmp_path / form), "actor-1", Memory())
        if form == "plain":
            results = ACTORS[name](files)
        else:
            coroutine = awaited(ACTORS[name])(Awaited(files, _at_once))
            with pytest.raises(StopIteration) as stopped:
                coroutine.send(None)
            results = stopped.value.value
        ends.append((results, subjects.contents(files.top), files.memory.value))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ACTORS)
def test_every_call_has_a_marker_and_its_line(name):
    source = inspect.getsource(ACTORS[name])
    assert awaited(ACTORS[name]).__code__.co_firstlineno == ACTORS[name].__code__.co_firstlineno
    calls = [line for line in source.splitlines() if "files." in line and "rest()" not in line]
    assert calls
    assert all("# frontrun: " in line for line in calls)
    assert len(markers_of(ACTORS[name])) == len(calls)


def test_each_kind_of_wrong_is_told():
    run = subjects.Run([[True, "ENOENT"], [None]], {}, 0)
    assert subjects.gone_before_read(run) == "the file that was there could not be read"
    assert subjects.gone_before_read(run._replace(results=[[False, None], [None]])) is None
    assert subjects.lost_in_memory(run) == "after two additions the value is 0"


# Processes.


@pytest.mark.slow
def test_a_cell_is_made_in_a_process_of_its_own(ground):
    made = comparing.cell(OURS_DPOR, "mkdir", None, ground, 1)
    assert list(map(shown, made["found"])) == list(map(shown, tables.load()["cells"]["mkdir"][OURS_DPOR.key]["found"]))
    assert made["cpu"] > 0
    assert "stopped" not in made


@pytest.mark.slow
def test_without_peers_ours_is_compared_alone(ground):
    results = comparing.compare(None, ground, subjects=("unlink",), tools=(OURS_DPOR, Tool(FRONTRUN, "dpor")), seeds=1)
    assert list(results["cells"]["unlink"]) == [OURS_DPOR.key]
    assert [grid.rows[0][0] for grid in tables.grids(results)] == [
        OURS_DPOR.key,
        OURS_DPOR.key,
        "every order of whole calls",
        OURS_DPOR.key,
    ]


@pytest.mark.slow
def test_what_has_no_end_is_ended_with_all_that_it_started(monkeypatch):
    monkeypatch.setattr(comparing, "PROCESS_SECONDS_MAX", 0.3)
    sleeping = "import subprocess, sys; print('{}', flush=True); subprocess.run(['sleep', '60'])"
    printed, stopped = comparing.ended([sys.executable, "-c", sleeping])
    assert (printed, stopped) == ("{}\n", "no end in 0.3 s")


def test_a_complaint_is_kept():
    assert comparing.ended([sys.executable, "-c", "raise SystemExit('no such engine')"]) == ("", "no such engine")


def test_lines_of_a_cell_are_one_document():
    assert comparing.read('frontrun says hello\n{"found": []}\n{"runs": 3}\n') == {"found": [], "runs": 3}


# No peers.


def test_an_interpreter_without_the_peers_is_named():
    told = f"'{sys.executable}' has frontrun \\(none\\), and 0.7.0 is compared"
    with pytest.raises(environment.UnavailableError, match=told), environment.interpreter(sys.executable):
        pass


def test_an_interpreter_that_is_none_is_named():
    with pytest.raises(environment.UnavailableError, match="'/nowhere/python' does not start"):
        environment.check("/nowhere/python")


@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_said(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told = "frontrun==0.7.0 and detangle==0.1.0 cannot be installed: ERROR: No matching distribution"
    with pytest.raises(environment.UnavailableError, match=told), environment.interpreter():
        pass


@pytest.mark.slow
def test_measuring_without_peers_ends_with_one_line():
    command = [sys.executable, "-m", "benchmarks.peers", "measure", "--python", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=comparing.ROOT, env=os.environ)
    assert done.returncode == 1
    assert done.stderr.startswith("the peers cannot be had: ")
    assert done.stderr.count("\n") == 1


# Tables.


def a_finding(run=None, said=""):
    return {"run": run, "said": said, "again": 10, "replay": "token of 6 characters"}


def test_what_a_cell_of_the_first_table_says():
    nothing = {"found": [a_finding(said="holds")], "runs": 1}
    assert tables.found(nothing, racy=True) == "**holds, 1 run**"
    assert tables.found({**nothing, "runs": 1200}, racy=False) == "holds, 1,200 runs"
    assert tables.found({"found": [a_finding(2)], "runs": 6}, racy=True) == "2"
    drawn = {"found": [a_finding(4), a_finding(1), a_finding(said="holds"), a_finding(9)], "runs": 200}
    assert tables.found(drawn, racy=True) == "4 (1-9), not by 1 of 4 seeds"
    assert tables.found({"cannot": "refuses"}, racy=True) == "refuses"
    assert tables.found({"stopped": "no end in 3 s"}, racy=True) == "no end in 3 s"


def test_what_a_cell_of_a_whole_search_says():
    cell = {"runs": 1680, "outcomes": 9, "said": "complete", "cpu": 1.5}
    assert tables.whole(cell, 9) == "1,680: 9"
    assert tables.whole(cell, 10) == "**1,680: 9**"
    assert tables.whole({**cell, "said": "not through"}, 9) == "1,680: 9, not through"
    assert tables.whole({"cannot": "refuses"}, 9) == "-"
    assert tables.whole({"found": [], "stopped": "no end in 3 s"}, 9) == "no end in 3 s"
    assert (tables.cpu(cell), tables.cpu({"cannot": "refuses"})) == ("1.50", "-")
