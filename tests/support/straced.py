"""Run the simulator under strace: `python -m tests.support.straced`, and what starts it.

The ends of the part in which actors may move are marked by calls that harm nobody and that no other program makes:
a stat of a path that does not exist.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

from simulator.cli.main import entry
from tests.support.strace_log import MARKER, read_log
from tests.support.watched_run import arguments, mark, watched_run

ROOT = Path(__file__).parents[2]
COMMAND = "--command"

# -y: the path behind every descriptor, from the kernel. -s: file names are always whole; of data the head is enough,
# but a link's text counts as data. All calls are traced, as a filter by name would miss the calls that strace has no
# name for yet.
STRACE = ("strace", "-f", "-y", "-s", "256", "-qq")


def traced(folder, *options):
    """Make a run under strace in `folder`, by `watched_run`. Returns the log, read, and the steps as recorded."""
    report = f"{folder}/steps.json"
    log = _strace(folder, options[0], str(folder), report, *options[1:])
    with open(report, encoding="ascii") as file:
        document = json.load(file)
    return _read_away(log, document["sandbox"]), document["steps"]


def traced_command(folder, *options):
    """Run the command line under strace, sandbox and trace file in `folder`. Returns as `traced`.

    A trace file does not say what calls returned, so any result is right.
    """
    steps = f"{folder}/steps.jsonl"
    log = _strace(folder, COMMAND, *options, "--sandbox", str(folder), "--trace", steps)
    with open(steps, encoding="utf-8") as file:
        recorded = [json.loads(line) | {"detail": mock.ANY} for line in file]
    with open(log, encoding="ascii") as lines:
        made = [re.search(r'mkdir\("(.*/cachestorm-\d+-\d+)", 0700\) = 0', line) for line in lines]
    (sandbox,) = [match[1] for match in made if match]
    return _read_away(log, sandbox), recorded


def _strace(folder, *arguments):
    assert shutil.which("strace"), (
        "strace is what shows that no call is missed, so these tests need it: apt-get install strace"
    )
    log = f"{folder}/strace.log"
    driver = [sys.executable, "-m", "tests.support.straced", *arguments]
    done = subprocess.run([*STRACE, "-o", log, *driver], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return log


def _read_away(log, sandbox):
    """Read the log and remove it: shared memory is small in containers, and a log is not."""
    with open(log, encoding="ascii") as lines:
        read = read_log(lines, sandbox)
    os.unlink(log)
    return read


def _call(name):
    with contextlib.suppress(FileNotFoundError):
        os.stat(f"{MARKER}/{name}")


if __name__ == "__main__":
    mark(lambda: _call("begin"), lambda number, steps: _call(f"end/{number}/{steps}"))
    if sys.argv[1] == COMMAND:
        del sys.argv[1]
        entry()
    else:
        watched_run(arguments())
