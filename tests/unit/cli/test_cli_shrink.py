"""`cachestorm shrink`, schedules in files, and what must not swap: the commands."""

from __future__ import annotations

import json
import shlex

import pytest

pytestmark = pytest.mark.slow
SMALL = "issue-3515-small"


@pytest.fixture
def poisoned(cachestorm, sandboxes):
    """The token of a run that leaves a poisoned directory."""
    for seed in range(100):
        run = cachestorm("run", SMALL, "--seed", seed, "--sandbox", sandboxes, "--json").document
        if run["residue"]["poisoned"]:
            return run["token"]
    raise AssertionError("no seed poisons")


def test_a_token_becomes_a_short_one_that_replays(cachestorm, poisoned, sandboxes):
    told = cachestorm("shrink", poisoned, "--sandbox", sandboxes, "--budget", "1h", "--replays", "1000", "--json")
    assert told.exit_code == 0, told.output
    document = told.document
    assert list(document) == [
        "schema", "scenario", "seed", "token", "segments", "kept", "before", "after", "replays", "complete", "seconds",
        "violations",
    ]  # fmt: skip
    assert document["schema"] == "cachestorm/shrink/1"
    assert (document["kept"], document["complete"]) == ("poisoned directory", True)
    assert set(document["after"]) == {"turns", "actors", "steps", "injected"}
    assert document["after"]["turns"] <= document["before"]["turns"]
    assert len(document["token"]) <= 48 < len(poisoned)
    again = cachestorm("replay", document["token"], "--sandbox", sandboxes, "--json")
    assert again.exit_code == 1
    assert again.document["residue"]["poisoned"]
    assert again.document["token"] == document["token"]
    assert again.document["violations"] == document["violations"]


def test_the_report_ends_with_a_line_to_paste(cachestorm, poisoned, sandboxes):
    told = cachestorm("shrink", poisoned, "--sandbox", sandboxes, "--same-directory").stdout.splitlines()
    words = [line.split()[0] for line in told]
    assert words == ["kept", "was", "is", "after", "schedule", "token", "replay"]
    assert "poisoned directory local/" in told[0]
    line = shlex.split(told[-1].removeprefix("replay"))
    assert line[:2] == ["cachestorm", "replay"]
    assert line[-1] == "--explain"
    again = cachestorm(*line[1:], "--sandbox", sandboxes)
    assert again.exit_code == 1
    assert "what must not swap\nIf build-" in again.stdout
    assert "there would be no poisoned" in " ".join(again.stdout.split())


def test_overrides_of_the_run_are_in_the_line_and_the_strategy_is_not(cachestorm, sandboxes):
    options = ["--builds", "3", "--cache-lock", "--strategy", "pct", "--depth", "5", "--sandbox", sandboxes]
    for seed in range(30):
        run = cachestorm("run", SMALL, "--seed", seed, *options, "--json").document
        if run["violations"]:
            break
    signature = run["violations"][0]["signature"]
    told = cachestorm("shrink", run["token"], *options, "--signature", signature)
    assert told.exit_code == 0, told.output
    line = shlex.split(told.stdout.splitlines()[-1].removeprefix("replay"))
    assert line[3:] == ["--builds", "3", "--cache-lock", "--explain"]
    again = cachestorm(*line[1:], "--sandbox", sandboxes, "--json")
    assert again.exit_code == 1
    assert signature in {violation["signature"] for violation in again.document["violations"]}
    assert again.document["swap"]["kept"]


def test_what_was_kept_is_what_the_line_explains(cachestorm, sandboxes):
    token = "cs1.issue-3515-real.f647a03a.s0_b1:35,b2:43,b1:11,b2:3.768a496f6e99dc6d.4odhigcnb3.7"
    kept = ["--signature", "wheel-whole:built:missing"]
    told = cachestorm("shrink", token, *kept, "--sandbox", sandboxes).stdout.splitlines()
    line = shlex.split(told[-1].removeprefix("replay"))
    assert line[3:] == ["--explain", *kept]
    again = cachestorm(*line[1:], "--sandbox", sandboxes)
    assert again.exit_code == 1
    assert "there would be no wheel-whole:built:missing" in " ".join(again.stdout.split())
    assert "what must not swap" in again.stdout
    assert " step  build-1 " in again.stdout
    # A swap is a story, too.
    assert "no story" not in again.stdout
    document = cachestorm(*line[1:], "--sandbox", sandboxes, "--json").document
    assert (document["swap"]["kept"], document["story"]) == ("wheel-whole:built:missing", None)
    # What it would explain by itself needs no asking.
    usual = cachestorm("shrink", token, "--signature", "build-hurt:chmod:ENOENT", "--sandbox", sandboxes)
    assert usual.stdout.endswith(" --explain\n")


def test_what_is_to_be_explained_must_be_there(cachestorm, poisoned, sandboxes):
    lost = cachestorm("replay", poisoned, "--explain", "--signature", "lost", "--sandbox", sandboxes, "--json")
    assert (lost.exit_code, lost.document["kind"]) == (2, "unknown-violation")
    alone = cachestorm("replay", poisoned, "--signature", "lost", "--sandbox", sandboxes, "--json")
    assert (alone.exit_code, alone.document["kind"]) == (2, "usage")
    assert "give --explain as well" in alone.document["message"]


def test_the_replays_that_it_may_make(cachestorm, poisoned, sandboxes):
    told = cachestorm("shrink", poisoned, "--replays", "1", "--sandbox", sandboxes)
    assert "the replays are used up: shrink the new token to go on" in told.stdout


def test_a_run_that_passes_is_refused(cachestorm, mine, sandboxes):
    run = cachestorm("run", mine, "--sandbox", sandboxes, "--json").document
    told = cachestorm("shrink", run["token"], "--scenario", mine, "--sandbox", sandboxes, "--json")
    assert told.exit_code == 2
    assert (told.document["kind"], told.document["value"]) == ("nothing-to-shrink", run["token"])
    assert "the run passes" in told.document["message"]
    explained = cachestorm("replay", run["token"], "--scenario", mine, "--sandbox", sandboxes, "--explain")
    assert explained.exit_code == 0
    assert "there is nothing that must not swap" in explained.stdout


BAD_INPUT = {
    "no replays": (["--replays", "0"], "usage", "0 is not in the range x>=1"),
    "no time": (["--budget", "0"], "usage", "--budget 0: a replay needs some time"),
    "two failures": (["--same-directory", "--signature", "x"], "usage", "exclude each other"),
    "another failure": (["--signature", "lost"], "unknown-violation", "the run has no violation 'lost'; it has build-"),
    "another run": (["--builds", "3"], "divergence", "the token is of another run"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line(cachestorm, poisoned, sandboxes, case):
    arguments, kind, message = BAD_INPUT[case]
    told = cachestorm("shrink", poisoned, *arguments, "--sandbox", sandboxes, "--json")
    assert told.exit_code == 2
    assert told.document["kind"] == kind
    assert message in told.document["message"]
    assert "\n" not in told.document["message"]


def test_damaged_and_foreign_schedules(cachestorm, poisoned, sandboxes):
    token = cachestorm("shrink", poisoned, "--sandbox", sandboxes, "--json").document["token"]
    for command in ("replay", "shrink"):
        told = cachestorm(command, token.replace("b1", "b3", 1), "--sandbox", sandboxes, "--json")
        assert (told.exit_code, told.document["kind"]) == (2, "bad-token")
        assert "check character" in told.document["message"]
        foreign = cachestorm(command, token, "--scenario", "issue-3515-loop", "--sandbox", sandboxes, "--json")
        assert (foreign.exit_code, foreign.document["kind"]) == (2, "divergence")
        assert "the token is of another run" in foreign.document["message"]


def test_a_schedule_that_this_scenario_cannot_follow_names_the_step(cachestorm, sandboxes):
    from simulator.engine.trace import Fingerprint
    from simulator.running.identity import unscheduled_digest
    from simulator.scenario_file import load_scenario
    from simulator.token import token_for

    digest = unscheduled_digest(load_scenario(SMALL), "b1:9999,b2")
    token = str(token_for(SMALL, digest, 0, "b1:9999,b2", Fingerprint("0" * 16, 1, "a" * 8)))
    told = cachestorm("replay", token, "--sandbox", sandboxes, "--json")
    assert (told.exit_code, told.document["kind"]) == (2, "divergence")
    assert "by segment 1 of the schedule (b1:9999) build-1 moves, but it is done; step " in told.document["message"]


# Files.


def test_a_run_saved_by_its_schedule_replays_from_the_file(cachestorm, sandboxes, tmp_path):
    file = tmp_path / "schedule.json"
    run = cachestorm("run", SMALL, "--seed", "7", "--save", file, "--sandbox", sandboxes, "--json").document
    saved = json.loads(file.read_text())
    assert saved["schema"] == "cachestorm/schedule/1"
    assert saved["token"].startswith(f"cs2.{SMALL}.")
    again = cachestorm("replay", file, "--sandbox", sandboxes, "--json").document
    assert again["trace_digest"] == run["trace_digest"]
    assert cachestorm("shrink", file, "--sandbox", sandboxes).exit_code == 0


def test_what_an_exploration_saved_replays_one_after_another(cachestorm, sandboxes, tmp_path):
    file = tmp_path / "found.json"
    options = ["--schedules", "60", "--strategy", "dpor", "--sandbox", sandboxes]
    found = cachestorm("explore", SMALL, *options, "--save", file, "--json").document
    assert len(found["violations"]) > 1
    replayed = cachestorm("replay", file, "--sandbox", sandboxes, "--json")
    assert replayed.exit_code == 1
    assert len(replayed.documents) == len(found["violations"])
    for document, violation in zip(replayed.documents, found["violations"], strict=True):
        assert violation["signature"] in {item["signature"] for item in document["violations"]}
    several = cachestorm("shrink", file, "--sandbox", sandboxes, "--json")
    assert several.exit_code == 2
    assert f"holds {len(found['violations'])} schedules; give the token of one" in several.document["message"]
    against = cachestorm("replay", file, "--against", file, "--sandbox", sandboxes, "--json")
    assert (against.exit_code, against.document["kind"]) == (2, "usage")


@pytest.mark.parametrize(
    "command", [["run", SMALL], ["explore", SMALL, "--schedules", "2"]], ids=lambda words: words[0]
)
def test_a_file_that_cannot_be_written_is_named(cachestorm, command, sandboxes, tmp_path):
    told = cachestorm(*command, "--save", tmp_path / "no" / "where", "--sandbox", sandboxes, "--json")
    assert (told.exit_code, told.document["kind"]) == (2, "bad-save")
    assert "cannot be written" in told.document["message"]


@pytest.mark.parametrize("wrong", [["--kills", "3"], ["--builds", "100000"]])
def test_a_file_is_as_it_was_when_nothing_was_explored(cachestorm, sandboxes, tmp_path, wrong):
    kept, new = tmp_path / "kept.json", tmp_path / "new.json"
    kept.write_text("kept\n")
    for file in (kept, new):
        told = cachestorm("explore", SMALL, "--strategy", "dpor", *wrong, "--save", file, "--sandbox", sandboxes)
        assert told.exit_code == 2
    assert kept.read_text() == "kept\n"
    assert not new.exists()


def test_what_was_in_the_file_gives_way_to_what_was_found(cachestorm, sandboxes, tmp_path):
    file = tmp_path / "found.json"
    file.write_text("before\n" * 1000)
    assert cachestorm("run", SMALL, "--save", file, "--sandbox", sandboxes).exit_code in {0, 1}
    assert json.loads(file.read_text())["schema"] == "cachestorm/schedule/1"


def test_the_schedule_of_many_seeds_is_not_saved(cachestorm):
    told = cachestorm("run", SMALL, "--seeds", "0:3", "--save", "x.json", "--json")
    assert (told.exit_code, told.document["kind"]) == (2, "usage")
    assert "leave out --seeds" in told.document["message"]
