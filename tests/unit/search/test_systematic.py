"""A systematic search of a scenario: complete or not, whole or in pieces, and what it says of itself."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import trio

from simulator.engine.faults import parse_fault
from simulator.errors import BadInputError
from simulator.ground.sandbox import Sandbox
from simulator.report.exploration import ExplorationReport
from simulator.scenario_file import load_scenario
from simulator.search import checkpoint
from simulator.search.limits import Limits
from simulator.search.statement import ended_early
from simulator.search.subject import ScenarioSubject
from simulator.search.systematic import Systematic, check_size
from simulator.token import parse_token
from tests.support.runs import run_one


@pytest.fixture
def small():
    return load_scenario("issue-3515-small")


def searched(scenario, ground, *, schedules=60, budget_seconds=1e9, file=None, interrupted=bool, at=(), **options):
    """What a search finds; it goes on from a checkpoint, and leaves one, where there is a file.

    `at` are the kills that it begins with.
    """
    clock = options.pop("clock", None)

    async def main():
        with Sandbox.create(ground) as sandbox:
            subject = ScenarioSubject(scenario, sandbox, kills=bool(options.get("kills")), interrupted=interrupted)
            search = Systematic(subject, await subject.start(), **options)
            if file is not None and file.exists():
                checkpoint.restore(search, str(file))
            search.plan.places = at or search.plan.places
            limits = Limits(schedules, budget_seconds)
            found = await (search.run(limits, clock=clock) if clock else search.run(limits))
            if file is not None:
                checkpoint.save(search, str(file))
            return found

    return trio.run(main)


def without_time(exploration):
    return replace(exploration, seconds=0.0)


@pytest.mark.slow
def test_in_pieces_it_finds_what_it_finds_in_one_go(small, ground, tmp_path):
    file = tmp_path / "search.json"
    whole = searched(small, ground, schedules=45, kills=1, count_classes=True)
    for schedules in (10, 20, 45):
        found = searched(small, ground, schedules=schedules, kills=1, count_classes=True, file=file)
    assert without_time(found) == without_time(whole)
    assert whole.classes == 45


@pytest.mark.slow
def test_an_interrupted_run_is_made_again(small, ground, tmp_path):
    file = tmp_path / "search.json"
    asked = iter([False] * 2000 + [True] * 10)
    cut = searched(small, ground, file=file, interrupted=lambda: next(asked))
    assert cut.ended == "interrupted"
    assert 0 < cut.explored < 60
    assert "not complete: ended by a signal" in cut.bound
    assert without_time(searched(small, ground, file=file)) == without_time(searched(small, ground))


@pytest.mark.slow
def test_the_token_of_each_outcome_plays_it_again_kills_and_all(small, ground):
    found = searched(small, ground, kills=1, at=(("build-1", 9),))
    assert any("killed" in item.signature for item in found.outcomes)
    for item in found.outcomes:
        segments = parse_token(item.shown.token).segments
        schedule = replace(small.schedule, strategy="replay", segments=segments)
        report = run_one(replace(small, schedule=schedule), 0, ground)
        assert report.token == item.shown.token
        assert ("x" in segments) == ("killed" in item.signature)


@pytest.mark.slow
def test_who_kills_the_cleaner_in_the_middle_spares_the_one_after(ground):
    live = replace(load_scenario("issue-3515-live"), builds=1, protocol="entry-lock", cache_lock=True)
    found = searched(live, ground, kills=1, at=(("cleaner", 5),))
    assert {item.signature.partition("hardened: ")[2] for item in found.outcomes} == {"killed; hardened: empty"}
    assert not found.violations


def test_the_budget_ends_it_and_it_says_how_far_it_got(small, ground):
    seconds = iter(range(1000))
    found = searched(small, ground, budget_seconds=5, kills=1, clock=lambda: float(next(seconds)))
    assert not found.complete
    assert found.bound.startswith(
        "not complete: ended by the budget of 5 s, in the runs with no kill; 0 sets of kills finished; "
    )
    assert f"{found.explored} runs of issue-3515-small (" in found.bound
    assert found.document()["complete"] is False


def test_what_is_no_checkpoint_of_this_search_is_refused(small, ground, tmp_path):
    file = tmp_path / "search.json"
    searched(small, ground, schedules=2, file=file)
    with pytest.raises(BadInputError, match=r"is of another search: seed 0, not 1; kills 0, not 1; give another file"):
        searched(small, ground, schedules=2, file=file, seed=1, kills=1)
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "path": [{}]}))
    with pytest.raises(BadInputError, match="is no checkpoint, or a damaged one"):
        searched(small, ground, schedules=2, file=file)
    file.write_text(json.dumps({"schema": "something/1"}))
    with pytest.raises(BadInputError, match="is no checkpoint, or a damaged one"):
        searched(small, ground, schedules=2, file=file)
    for of in ({}, {"of": 5}, {"of": {}}):
        file.write_text(json.dumps({"schema": "cachestorm/checkpoint/1", **of}))
        with pytest.raises(BadInputError, match="is no checkpoint, or a damaged one"):
            searched(small, ground, schedules=2, file=file)
    file.write_text("{")
    with pytest.raises(BadInputError, match="is no checkpoint, or a damaged one"):
        searched(small, ground, schedules=2, file=file)
    with pytest.raises(BadInputError, match="cannot be written: No such file or directory"):
        searched(small, ground, schedules=2, file=tmp_path / "missing" / "search.json")
    directory = tmp_path / "directory"
    directory.mkdir()
    with pytest.raises(BadInputError, match="cannot be read: Is a directory"):
        searched(small, ground, schedules=2, file=directory)


def test_what_was_searched_before_counts_with_its_time(small, ground, tmp_path):
    file = tmp_path / "search.json"

    def piece(schedules):
        seconds = iter(range(1000))
        return searched(small, ground, schedules=schedules, file=file, clock=lambda: float(next(seconds)))

    one = piece(5)
    two = piece(8)
    assert two.seconds > one.seconds > 0
    assert two.timed
    assert two.bound.startswith("not complete: ended after 8 schedules, as asked; 8 runs of ")
    resumed = piece(3)
    assert "ended before another run: 3 schedules were asked for, and 8 made before; 8 runs of " in resumed.bound
    document = json.loads(file.read_text())
    del document["seconds"]
    file.write_text(json.dumps(document))
    untimed = piece(9)
    assert not untimed.timed
    report = io.StringIO()
    ExplorationReport(report, str).whole(untimed, small)
    assert "\n9 schedules, " in report.getvalue()
    assert "a second" not in report.getvalue()
    assert not piece(10).timed


@pytest.mark.parametrize("kills", [0, 1])
def test_a_search_is_no_sample_and_has_kills_to_come_only_with_kills(small, ground, kills):
    report = io.StringIO()
    ExplorationReport(report, str).whole(searched(small, ground, schedules=5, kills=kills), small)
    told = " ".join(report.getvalue().split())
    assert "Chao" not in told
    assert "sample" not in told
    assert ("more (very roughly), besides kills still to come." in told) == bool(kills)
    assert ("more (very roughly)." in told) == (not kills)


def test_schedules_that_were_cut_short_are_counted_where_a_number_was_asked_for():
    told = ended_early(
        "x", Limits(10, 1), ended="schedules", runs=7, kills=0, kill_sets=0, at=(), outcomes=1, last_new=1, pruned=3
    )
    assert told.startswith("not complete: ended after 10 schedules, as asked; 7 runs and 3 cut short of x, ")


@pytest.mark.parametrize("kills", [-1, 3])
def test_so_many_kills_cannot_be(small, ground, kills):
    with pytest.raises(BadInputError, match=f"--kills {kills}: 0 to 2 kills in one run"):
        searched(small, ground, kills=kills)


def test_a_scope_that_is_too_large_is_told_with_an_estimate(ground):
    async def main():
        with Sandbox.create(ground) as sandbox:
            await check_size(ScenarioSubject(load_scenario("issue-3515-loop"), sandbox))

    with pytest.raises(
        BadInputError, match=r"8 actors make [0-9,]+ steps, in some 10\^[0-9,]+ interleavings; choose a"
    ):
        trio.run(main)


@pytest.mark.slow
def test_a_build_that_stands_still_is_searched(small, ground):
    faults = (*small.faults, parse_fault("build-1:5:stall"))
    found = searched(replace(small, faults=faults), ground, schedules=1000)
    assert found.complete
    # Until the other one is done.
    assert found.explored == 6
