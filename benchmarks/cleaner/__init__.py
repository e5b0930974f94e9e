"""The cleaner as users run it, beside others, on trees of several shapes, in memory and on a disk.

Every measurement is of a whole process, from its start to its end, on a tree that was made for it; rounds are
interleaved, ratios are taken within a round, and medians are shown with the least and the most. One row is the
library's call in an interpreter that runs already. One that leaves something, or says that it failed, "cannot", with
its exit code and how many entries it left. Ours keeps the root of the cache with three small files; others remove it.

`--quick` makes the trees small: to see that it works, not how fast.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks.cleaner import bars, growth, start
from benchmarks.cleaner.cleaners import all_cleaners
from benchmarks.cleaner.comparison import compare, grids, warm_up
from benchmarks.cleaner.disk import Disk
from benchmarks.cleaner.shapes import SHAPES
from benchmarks.cleaner.tables import Grid, write
from simulator.ground.sandbox import Sandbox, survey

# Above it, somebody else has a core for half of the time or more.
LOAD_MAX = 0.5


class Progress:
    """What is being done, on stderr: a line for each round, and on a terminal what happens at this moment."""

    def __init__(self):
        self._terminal = sys.stderr.isatty()

    def line(self, text):
        """A line that stays."""
        print(f"{self._clear()}cleaner: {text}", file=sys.stderr, flush=True)

    def now(self, text):
        """Something that passes."""
        if self._terminal:
            print(f"{self._clear()}  {text}", end="", file=sys.stderr, flush=True)

    def _clear(self):
        return "\r\x1b[K" if self._terminal else ""


def run(console, ground, rounds, *, disk=None, quick=False, markdown=None):
    """Print the tables; with `markdown`, put them into that page, too."""
    progress = Progress()
    disk = Disk() if disk is None else disk
    load = os.getloadavg()[0]
    if load >= LOAD_MAX:
        progress.line(f"the load average is {load:.1f}: what uses several cores looks slower than it is")
    tables = []

    def show(grid):
        tables.append(grid)
        console.print(grid.printed())

    with Sandbox.create(ground) as work:
        # No round's directory: what is built in it is needed until the end.
        cleaners = all_cleaners(work.fresh(), progress.line)
        with Sandbox.create(ground) as sandbox:
            warm_up(sandbox, cleaners, progress)
        compared = {}
        for name, path in ((_kind(ground), ground), ("ext4", disk.path)):
            if path is None:
                show(Grid("ext4", ("", ""), [("ext4 on a loop device", f"skipped: {disk.skipped}")]))
                continue
            with Sandbox.create(path) as sandbox:
                compared[name] = compare(name, sandbox, cleaners, rounds, progress, quick=quick)
            for grid in grids(name, compared[name], cleaners, quick=quick):
                show(grid)
        with Sandbox.create(ground) as sandbox:
            grown = growth.grow(sandbox, cleaners, rounds, progress, quick=quick)
            show(growth.grid(grown))
            to_unlink, whole = start.start(sandbox, cleaners, progress, quick=quick)
            show(start.grid(to_unlink, whole))
    show(bars.grid(compared, to_unlink, grown))
    said = machine(rounds, load)
    console.print(said)
    if markdown is not None:
        shapes = "\n".join(f"- {one.name}: {one.text.format(one.quick_size if quick else one.size)}" for one in SHAPES)
        write(markdown, [said, shapes, *(grid.markdown() for grid in tables)])


def machine(rounds, load):
    """What the numbers are from, without its name."""
    release = ".".join(platform.release().split(".")[:2])
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, Linux {release}, CPython {platform.python_version()}, {rounds} rounds; load average at the"
        f" beginning {load:.1f}"
    )


def _kind(ground):
    return "tmpfs" if survey(ground).is_tmpfs else "the sandbox's disk"
