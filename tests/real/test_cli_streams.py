"""Standard streams that are closed, or that a full disk is behind: the work is done, the exit code tells."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.main import entry; entry()"]
CONSOLE = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()"]
SECONDS_MAX = 60


def run(redirections, *arguments, program=PROGRAM, **keywords):
    """Run the program as a shell would with these redirections; what is not redirected is captured."""
    command = ["sh", "-c", f'"$@" {redirections}', "sh", *program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, **keywords)


def commands(tmp_path):
    """What to try, and its exit code when everything is in order."""
    return [
        (("list", "cleaners"), 0),
        (("--help",), 0),
        (("clean", tmp_path / "none"), 0),
        (("audit", tmp_path / "none"), 0),
        (("run", "--builds", "0", "--sandbox", tmp_path), 0),
        (("solo", "opentracing", "--sandbox", tmp_path), 0),
        (("run", "--builds", "0", "--seeds", "0:2", "--sandbox", tmp_path), 0),
        (("clean", "/"), 2),
        (("clean", "/", "--json"), 2),
        (("clean", "/", "--debug"), 2),
        (("nope",), 2),
    ]


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_what_nobody_reads_changes_no_exit_code(tmp_path, redirections):
    for arguments, code in commands(tmp_path):
        done = run(redirections, *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert "a bug of ours" not in done.stderr


@pytest.mark.parametrize("redirections", [">/dev/full", ">/dev/full 2>/dev/full"])
def test_output_that_is_lost_is_a_failure(tmp_path, redirections):
    for arguments, code in commands(tmp_path):
        done = run(redirections, *arguments)
        assert done.returncode == (code or 3), (arguments, done.stderr)
        if "2>" not in redirections:
            assert "Traceback" not in done.stderr or "--debug" in arguments
            assert ("make room for the output" in done.stderr) == (code == 0), arguments


def test_whoever_has_no_sandbox_is_told_of_none(tmp_path):
    for arguments, _ in commands(tmp_path)[:7]:
        for program in (PROGRAM, CONSOLE):
            told = run(">/dev/full", *arguments, program=program).stderr
            assert told.endswith(" with --sandbox\n") == (arguments[0] in ("run", "solo")), (arguments, told)
            assert "make room for the output" in told


@pytest.mark.parametrize("program", [PROGRAM, CONSOLE], ids=["click", "console"])
def test_a_listing_that_is_lost_is_a_failure_when_all_is_done(tmp_path, program):
    def clean(redirections, *options):
        (tmp_path / "cache" / "entry").mkdir(parents=True)
        return run(redirections, "clean", tmp_path / "cache", "--untagged", *options, program=program)

    done = clean("2>/dev/full", "--verbose", "--json")
    report, error = map(json.loads, done.stdout.splitlines())
    assert (report["empty"], report["directories_removed"]) == (True, 1)
    assert (done.returncode, error["exit"], error["kind"]) == (3, 3, "space")
    assert clean("2>&-", "--verbose", "--json").returncode == 0
    assert clean("2>/dev/full", "--json").returncode == 0
    assert clean("2>/dev/full", "--verbose").returncode == 0
    assert clean(">/dev/full", "--verbose").returncode == 3
    reading, writing = os.pipe()
    os.close(reading)
    (tmp_path / "cache" / "entry").mkdir()
    arguments = [*program, "clean", str(tmp_path / "cache"), "--untagged", "--verbose", "--json"]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=writing, check=False, timeout=SECONDS_MAX)
    os.close(writing)
    assert (done.returncode, json.loads(done.stdout)["empty"]) == (141, True)


def test_a_closed_stream_s_number_is_not_given_to_a_file(tmp_path):
    trace = tmp_path / "trace.jsonl"
    done = run("<&- >&- 2>&-", "run", "--builds", "1", "--sandbox", tmp_path, "--trace", trace)
    assert done.returncode == 0
    # Every line of it is a step: nothing that was meant for a terminal went there.
    assert all("operation" in json.loads(line) for line in trace.read_text().splitlines())


def test_no_input_is_an_empty_one():
    done = run("<&-", "replay", "-")
    assert done.returncode == 2
    assert "neither one token nor a document" in done.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_went_away_is_told_from_a_failure(tmp_path, stream):
    reading, writing = os.pipe()
    os.close(reading)
    arguments = {"stdout": ["--help"], "stderr": ["run", "--builds", "1", "--sandbox", str(tmp_path)]}[stream]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writing}
    done = subprocess.run([*PROGRAM, *arguments], text=True, check=False, timeout=SECONDS_MAX, **streams)
    os.close(writing)
    assert done.returncode == 141
    assert os.listdir(tmp_path) == []
    assert not done.stdout
    assert not done.stderr
