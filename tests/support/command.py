"""The command line, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
ENTRY = "from simulator.cli.main import entry; entry()"


def cachestorm(*arguments, python=sys.executable, cwd=None, environment=(), prefix=()):
    """Run the command; returns the finished process with its output as text."""
    variables = {**os.environ, "PYTHONPATH": ROOT, "NO_COLOR": "1", **dict(environment)}
    return subprocess.run(
        [*prefix, python, "-c", ENTRY, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
    )


def document(*arguments, **options):
    """The JSON document that a command prints; the process's errors when it prints none."""
    done = cachestorm(*arguments, "--json", **options)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
