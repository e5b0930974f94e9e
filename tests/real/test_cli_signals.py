"""Ctrl-C and its kin at several moments: the sandbox is gone, nothing is left running, JSON stays JSON."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.main import entry; entry()"]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# Generous: it is there to end a test that hangs.
SECONDS_MAX = 60


def start(*arguments):
    return subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def read_until(stream, text):
    """Read lines up to the one with `text`: the moment to strike."""
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"the program never said {text!r}")


def assert_nothing_is_left(process, sandboxes):
    assert os.listdir(sandboxes) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


MOMENTS = [
    ("the storm", ["--pace", "1ms"]),
    (" builds", ["--pace", "1ms"]),
    # Slow steps, so that the moment lasts.
    ("the cleaner model:uv-0.1.42", ["--builds", "0", "--pace", "50ms"]),
    ("the same storm again", ["--builds", "0", "--pace", "50ms"]),
]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("moment", "options"), MOMENTS)
def test_a_signal_in_the_middle_of_a_run(tmp_path, number, moment, options):
    process = start("run", *options, "--sandbox", str(tmp_path))
    read_until(process.stderr, moment)
    process.send_signal(number)
    out, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 128 + number, errors
    assert errors.splitlines()[-1].startswith(f"cachestorm: interrupted by {number.name}")
    assert out == ""
    assert_nothing_is_left(process, tmp_path)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_or_within_seeds(tmp_path, number):
    process = start("run", "--seeds", "0:100000", "--json", "--sandbox", str(tmp_path))
    first = process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS_MAX)
    documents = [json.loads(line) for line in (first + out).splitlines()]
    assert documents[0]["schema"] == "cachestorm/run/1"
    assert documents[-1]["schema"] == "cachestorm/error/1"
    assert (documents[-1]["exit"], documents[-1]["kind"]) == (128 + number, "interrupted")
    assert process.returncode == 128 + number
    assert_nothing_is_left(process, tmp_path)


def test_ctrl_c_again_and_again(tmp_path):
    process = start("demo", "--pace", "1ms", "--sandbox", str(tmp_path))
    read_until(process.stdout, " builds")
    for _ in range(20):
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130, errors
    assert len(errors.splitlines()) == 1
    assert_nothing_is_left(process, tmp_path)


def test_a_slow_pace_does_not_delay_the_answer(tmp_path):
    process = start("run", "--pace", "1h", "--sandbox", str(tmp_path))
    read_until(process.stderr, "the storm")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130
    assert_nothing_is_left(process, tmp_path)


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path):
    process = start("run", "--pace", "1ms", "--sandbox", str(tmp_path))
    read_until(process.stderr, " builds")
    process.kill()
    process.communicate(timeout=SECONDS_MAX)
    assert os.listdir(tmp_path) != []
    following = start("run", "--builds", "0", "--sandbox", str(tmp_path))
    following.communicate(timeout=SECONDS_MAX)
    assert following.returncode == 0
    assert_nothing_is_left(following, tmp_path)


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    process = start("run", "--seeds", "0:100000", "--builds", "1", "--json", "--sandbox", str(tmp_path))
    json.loads(process.stdout.readline())
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(SECONDS_MAX) == 141
    assert errors == ""
    process.stderr.close()
    assert_nothing_is_left(process, tmp_path)


@pytest.mark.parametrize("command", ["list", "--help"])
def test_short_output_to_nobody_is_quiet(command):
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run([*PROGRAM, command], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert process.stderr == ""
    assert process.returncode == 141


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_input_is_awaited(tmp_path, number):
    fifo = tmp_path / "never.toml"
    os.mkfifo(fifo)
    process = start("run", str(fifo), "--json")
    # Opens once the program has opened its end, and so is about to wait for what never comes.
    writing = os.open(fifo, os.O_WRONLY)
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS_MAX)
    os.close(writing)
    assert process.returncode == 128 + number
    assert json.loads(out)["kind"] == "interrupted"
