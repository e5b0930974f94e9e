"""`cachestorm explore` as a command: its report, its document, and that every line of it plays the same again."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys

import pytest

from tests.support.command import ENTRY, ROOT, cachestorm

pytestmark = pytest.mark.slow

SECONDS_MAX = 60
SMALL = ("issue-3515-small", "--schedules", "60")
HURT = """
version = 1
summary = "two builds in one place, and nothing of what that brings is expected"

[storm]
builds = 2
install = "one-module"
protocol = "in-place"
toolchain = "setuptools-69.5.1-staging"

[schedule]
strategy = "pct"
depth = 4

[cleaners]
after = ["hardened"]
"""


@pytest.fixture
def place(tmp_path):
    """Where sandboxes go; each test leaves it as it was."""
    made = tmp_path / "place"
    made.mkdir()
    yield made
    assert os.listdir(made) == []


def explore(place, *arguments, **options):
    return cachestorm("explore", *arguments, "--sandbox", str(place), **options)


def document(place, *arguments, code=0, **options):
    done = explore(place, *arguments, "--json", **options)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def replay_lines(done):
    return [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("  cachestorm replay ")]


def test_the_document(place):
    told = document(place, *SMALL)
    assert list(told) == [
        "schema", "scenario", "strategy", "explored", "complete", "bound", "seconds", "outcomes", "last_new",
        "classes", "estimate_unseen", "estimate_runs", "violations", "sometimes",
    ]  # fmt: skip
    assert (told["schema"], told["scenario"]) == ("cachestorm/explore/1", "issue-3515-small")
    assert (told["strategy"], told["explored"], told["complete"]) == ("sticky", 60, False)
    assert sum(item["count"] for item in told["outcomes"]) == 60
    kept = {"signature", "count", "first", "violates", "token", "seed", "run", "switches", "steps"}
    assert set(told["outcomes"][0]) == kept
    # Whoever fails here is hurt by another, and alone all is well.
    assert [item["violates"] for item in told["outcomes"]] == [
        not item["signature"].startswith("ok;") for item in told["outcomes"]
    ]
    assert set(told["violations"][0]) >= {"oracle", "signature", "token", "sentence", "expected", "count"}
    assert told["sometimes"]["a directory was poisoned"] > 0
    assert told["classes"] is None
    again = document(place, *SMALL)
    assert {**again, "seconds": 0} == {**told, "seconds": 0}


def test_classes_are_counted_when_they_are_asked_for(place):
    told = document(place, "issue-3515-small", "--schedules", "15", "--classes")
    assert len(told["outcomes"]) <= told["classes"] <= 15
    done = explore(place, "issue-3515-small", "--schedules", "15", "--classes")
    assert f" in {told['classes']} classes of storms" in " ".join(done.stdout.split())


def test_the_report_fits_and_says_what_it_was(place):
    # One change of priorities never poisons.
    done = explore(place, *SMALL, "--strategy", "pct", "--depth", "2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(len(line) <= 100 for line in lines if not line.startswith("  cachestorm replay "))
    assert ["runs", "share", "seed", "switches", "outcome"] in [line.split() for line in lines]
    counts = [int(line.split()[0]) for line in lines if re.match(r" *[0-9]+  +[0-9.]+ %  ", line)]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 60
    told = done.stdout[done.stdout.rindex("\n\n") :].replace("\n  ", " ")
    assert "60 schedules in " in told
    assert "0 unexpected violations" in told
    assert "sampled by pct (depth 2), seeds 0 to 59; ended after 60 schedules, as asked. It is a sample" in told
    assert "\nin none: " in done.stdout


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("--strategy", "random"),
        ("--strategy", "pct", "--depth", "5"),
        ("--strategy", "pos", "--builds", "3"),
        ("--builds", "3", "--cache-lock", "--fault", "build-2:install_lib:stall"),
        ("--strategy", "pct", "--protocol", "shared", "--toolchain", "setuptools-69.5.1", "--no-cache-lock"),
    ],
    ids=" ".join,
)
def test_every_violation_replays_to_the_same_with_the_overrides_in_its_line(place, overrides):
    arguments = ("issue-3515-small", "--schedules", "12", *overrides)
    told = document(place, *arguments)
    lines = replay_lines(explore(place, *arguments))
    assert len(lines) == len(told["violations"]) > 0
    for line, violation in zip(lines, told["violations"], strict=True):
        assert line[:3] == ["cachestorm", "replay", violation["token"]]
        done = cachestorm(*line[1:], "--json", "--sandbox", str(place))
        assert done.returncode == 1, done.stderr
        again = json.loads(done.stdout)
        assert again["token"] == violation["token"]
        assert violation["sentence"] in [item["sentence"] for item in again["violations"]]
    # An outcome is the seed's that the table names, as `run` makes it.
    first = told["outcomes"][0]
    run = cachestorm(
        "run", "issue-3515-small", "--seed", str(first["seed"]), *overrides, "--json", "--sandbox", str(place)
    )
    assert json.loads(run.stdout)["token"] == first["token"]


def test_a_portfolio_has_seeds_and_mutants_and_all_of_them_replay(place):
    arguments = ("issue-3515-small", "--schedules", "300", "--strategy", "portfolio")
    told = document(place, *arguments)
    assert re.search(r"sampled by portfolio, seeds 0 to 299 \([0-9]+ mutants in place of some\); ended", told["bound"])
    tokens = {item["token"] for item in (*told["outcomes"], *told["violations"])}
    # What is no seed's is a schedule.
    mutants = {token for token in tokens if token.startswith("cs2.")}
    assert mutants
    assert tokens - mutants
    for token in tokens:
        done = cachestorm("replay", token, "--strategy", "portfolio", "--json", "--sandbox", str(place))
        assert done.returncode in {0, 1}, done.stderr
        assert json.loads(done.stdout)["token"] == token


def test_what_a_scenario_does_not_expect_is_exit_1_and_comes_first(place, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(HURT)
    done = explore(place, str(mine), "--schedules", "40")
    assert done.returncode == 1, done.stderr
    assert "UNEXPECTED, in " in done.stdout
    assert "sampled by pct (depth 4)" in done.stdout
    line = replay_lines(done)[0]
    # The scenario says which strategy; the line, where the scenario is.
    assert line[3:] == ["--scenario", str(mine)]
    again = cachestorm(*line[1:], "--sandbox", str(place))
    assert again.returncode == 1
    assert "UNEXPECTED violation of build-hurt" in again.stdout


def test_the_budget_ends_it(place):
    told = document(place, "issue-3515-small", "--schedules", "100000", "--budget", "300ms")
    assert 0 < told["explored"] < 100000
    assert told["bound"].endswith("ended by the budget of 0.3 s, before 100,000 schedules")
    assert told["seconds"] >= 0.3


def test_another_first_seed(place):
    told = document(place, "issue-3515-small", "--schedules", "3", "--seed", "500")
    assert {item["seed"] for item in told["outcomes"]} <= {500, 501, 502}
    assert "seeds 500 to 502" in told["bound"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_tells_what_it_has(place, number):
    command = [sys.executable, "-c", ENTRY, "explore", "issue-3515-small", "--schedules", "1000000", "--budget", "1h"]
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*command, "--json", "--sandbox", str(place)],
        stdout=subprocess.PIPE,
        stderr=child,
        env={**os.environ, "PYTHONPATH": ROOT},
        start_new_session=True,
    )
    os.close(child)
    shown = b""
    # The line on the terminal says when there is something to tell.
    while b" schedules, " not in shown:
        shown += os.read(parent, 1000)
    assert b" outcomes, " in shown
    assert b" s left" in shown
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS_MAX)
    os.close(parent)
    assert process.returncode == 128 + number
    (line,) = out.decode().splitlines()
    told = json.loads(line)
    assert (told["schema"], told["kind"], told["exit"]) == ("cachestorm/error/1", "interrupted", 128 + number)
    report = told["report"]
    assert report["explored"] == sum(item["count"] for item in report["outcomes"]) > 0
    assert "interrupted before 1,000,000 schedules" in report["bound"]


def test_two_processes_find_the_same_under_other_hashes(place):
    arguments = (*SMALL, "--strategy", "pct", "--depth", "6")
    told = [document(place, *arguments, environment={"PYTHONHASHSEED": hashes}) for hashes in ("0", "77")]
    assert {**told[0], "seconds": 0} == {**told[1], "seconds": 0}
