"""Every tool with every setting on every subject, each in a process of its own with a time limit."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers.environment import PINS
from benchmarks.peers.subjects import SUBJECTS, every_interleaving

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/peers.json"
OURS, FRONTRUN, DETANGLE = "cachestorm", "frontrun", "detangle"
# What draws is asked so often, with other seeds.
SEEDS = 9
# For a search that ends by itself if it can, and for the process.
SECONDS, PROCESS_SECONDS_MAX = 20, 240


@dataclass(frozen=True)
class Tool:
    """A row.

    Attributes:
        name: of the program.
        setting: as its module in this folder has it.
        draws: whether a seed makes a difference.
    """

    name: str
    setting: str
    draws: bool = False

    @property
    def key(self):
        return f"{self.name}: {self.setting}"

    def command(self, python, wish):
        """That makes one cell; `python` has the peers."""
        module = ["-m", "benchmarks.peers.with_ours" if self.name == OURS else f"benchmarks.peers.with_{self.name}"]
        if self.name == OURS:
            return [sys.executable, *module, wish]
        # frontrun wants its command around the program.
        around = [python, "-m", "frontrun.cli"] if self.name == FRONTRUN else []
        return [*around, python, *module, wish]


TOOLS = (
    Tool(OURS, "dpor"),
    Tool(OURS, "pos", draws=True),
    Tool(FRONTRUN, "dpor"),
    Tool(FRONTRUN, "dpor, no bound"),
    Tool(FRONTRUN, "random", draws=True),
    Tool(FRONTRUN, "markers"),
    Tool(DETANGLE, "auto", draws=True),
    Tool(DETANGLE, "dfs, 3 delays"),
    Tool(DETANGLE, "dfs, no bound"),
)


def compare(python, ground, *, tools=TOOLS, subjects=tuple(SUBJECTS), seeds=SEEDS, progress=None):
    """All of it, as in peers.json.

    Args:
        python: an interpreter that has the peers; None: ours alone.
        ground: a directory; best in memory.
        tools, subjects, seeds: what to compare.
        progress: told the name of each cell.
    """
    cells = {}
    for subject in subjects:
        for tool in tools:
            if python is None and tool.name != OURS:
                continue
            if progress is not None:
                progress(f"{subject}, {tool.key}")
            cells.setdefault(subject, {})[tool.key] = cell(tool, subject, python, ground, seeds if tool.draws else 1)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"Linux {platform.release().partition('-')[0]}, {platform.machine()}",
        "python": platform.python_version(),
        "versions": PINS if python is not None else {},
        "every": {subject: every(subject, ground) for subject in subjects},
        "cells": cells,
    }


def cell(tool, subject, python, ground, seeds):
    """What one tool makes of one subject: see `benchmarks.peers.cell`; `stopped` where it did not come to its end."""
    with tempfile.TemporaryDirectory(prefix="cachestorm-peers-", dir=ground) as top:
        wish = {
            "subject": subject,
            "setting": tool.setting,
            "seeds": list(range(seeds)),
            "seconds": SECONDS,
            "ground": top,
        }
        printed, stopped = ended(tool.command(python, json.dumps(wish)))
    return {**read(printed), **({"stopped": stopped} if stopped else {})}


def ended(command):
    """(what a process printed, why it did not come to its end or None); what it started ends with it."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        try:
            printed, complaint = process.communicate(timeout=PROCESS_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0], f"no end in {PROCESS_SECONDS_MAX} s"
    if process.returncode:
        lines = complaint.strip().splitlines() or [f"exit {process.returncode}"]
        return printed, lines[-1]
    return printed, None


def read(printed):
    """The lines of a cell as one document."""
    made = {}
    for line in printed.splitlines():
        if line.startswith("{"):
            made |= json.loads(line)
    return made


def every(subject, ground):
    """How many interleavings of whole calls there are, with how many outcomes, and how many are wrong."""
    with tempfile.TemporaryDirectory(prefix="cachestorm-peers-", dir=ground) as top:
        runs, outcomes, wrong = every_interleaving(SUBJECTS[subject], f"{top}/directory")
    return {"runs": runs, "outcomes": len(outcomes), "wrong": wrong}
