"""What a person at a terminal sees of a long cleaning, and nobody else."""

import os
import subprocess
import sys
import termios

import pytest

from cache_core.layout import TAG_TEXT

pytestmark = pytest.mark.slow

# Whatever takes any time at all takes long.
IMPATIENT = """
from simulator.cli import progress_line
progress_line._FIRST_SECONDS = progress_line._NEXT_SECONDS = 0
from simulator.cli.entry import entry
entry()
"""
SECONDS_MAX = 60


@pytest.fixture
def cache(tmp_path):
    root = tmp_path / "cache"
    (root / "entry").mkdir(parents=True)
    for number in range(3_000):
        (root / "entry" / f"file-{number}").touch()
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    return root


def clean(cache, *options, terminal, columns=0):
    """Clean; returns what stderr and stdout got."""
    reading, writing = os.openpty() if terminal else os.pipe()
    if columns:
        termios.tcsetwinsize(writing, (24, columns))
    command = [sys.executable, "-c", IMPATIENT, "clean", str(cache), *options]
    with subprocess.Popen(command, stderr=writing, stdout=subprocess.PIPE, text=True) as process:
        os.close(writing)
        told = b""
        try:
            while piece := os.read(reading, 65_536):
                told += piece
        except OSError:
            # EIO: a terminal that nobody has open any more.
            assert terminal
        os.close(reading)
        out = process.stdout.read()
        assert process.wait(SECONDS_MAX) == 0
    return told.decode(), out


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_progress_is_a_line_that_goes_away(cache, options):
    told, out = clean(cache, *options, terminal=True)
    shown = told.split("\r\x1b[K")
    assert shown[0] == shown[-1] == ""
    assert len(shown) > 3
    assert all(" files and " in line and " removed" in line for line in shown[1:-1])
    assert " a second" in shown[-2]
    assert "\x1b" not in out


@pytest.mark.parametrize("columns", [1, 20, 200])
def test_a_line_fits_on_a_row(cache, columns):
    told, _ = clean(cache, terminal=True, columns=columns)
    shown = told.split("\r\x1b[K")
    assert shown[0] == shown[-1] == ""
    whole = [line for line in shown[1:-1] if line.endswith((" removed", " a second"))]
    assert len(shown) > 3
    assert all(len(line) < columns for line in shown)
    assert bool(whole) == (columns == 200)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_no_terminal_no_progress(cache, options):
    told, _ = clean(cache, *options, terminal=False)
    assert told == ""


def test_a_listing_is_progress_enough(cache):
    told, out = clean(cache, "--verbose", terminal=True)
    assert told == ""
    *listed, verdict = out.splitlines()
    assert sorted(listed) == sorted(["entry", *(f"entry/file-{number}" for number in range(3_000))])
    assert verdict.startswith("cache is empty; removed 3,000 files and 1 directory, ")
