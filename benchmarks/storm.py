"""What the storm costs: ratios measured in one run, interleaved, medians. Prints tables, asserts nothing.

    python benchmarks/storm.py            (`make bench`)

1. The gate: the same calls of the same actors, bare and behind the gate under the trio host.
2. A seed: seconds of `issue-3515` for 2 to 64 builds, as a ratio to 8.
3. The cleaner: `rm -rf` and `cache_core.clean_sync` on the same tree, whole process.
Run it on an idle machine; user+sys stands beside wall, since a loaded machine lies about wall.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import trio
from rich.console import Console
from rich.table import Table

from cache_core import privileges
from cache_core.kernel import REAL
from simulator import orchestrator
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.ground.sandbox import Sandbox, default_parent
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.scenario_file import load_scenario
from simulator.strategies.sticky import Sticky

ROUNDS = 7
GROUND = default_parent(os.environ)
CLEAN = "import sys; from cache_core import clean_sync; sys.exit(not clean_sync(sys.argv[1], untagged=True).empty)"


class Spent:
    """Wall and CPU seconds of a block, children included."""

    def __enter__(self):
        self._wall, self._cpu = time.perf_counter(), self._used()
        return self

    def __exit__(self, *_):
        self.wall, self.cpu = time.perf_counter() - self._wall, self._used() - self._cpu

    @staticmethod
    def _used():
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(used.ru_utime + used.ru_stime for used in both)


def build_like(root, name):
    """Sixty calls in the proportions of a build."""

    def work(kernel):
        place = f"{root}/{name}"
        kernel.mkdir(place)
        for number in range(8):
            path = f"{place}/{number}"
            fd = kernel.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            kernel.write(fd, b"x" * 2000)
            kernel.close(fd)
            kernel.stat(path)
            kernel.chmod(path, 0o644)
        kernel.listdir(place)
        for number in range(8):
            kernel.unlink(f"{place}/{number}")
        kernel.rmdir(place)

    return work


def gate_overhead(console):
    """Table 1."""
    runs = 40
    bare, gated = [], []
    with tempfile.TemporaryDirectory(dir=GROUND) as root:
        os.mkdir(f"{root}/cache")

        async def behind_the_gate():
            for seed in range(runs):
                actors = [Actor(f"build-{number}", number) for number in range(4)]
                steps = []
                strategy = Sticky()
                strategy.begin(actors, steps, Randomness(seed, "schedule"))
                gate = Gate(strategy, actors, steps)
                parties = [Party(actor, build_like(f"{root}/cache", actor.name)) for actor in actors]
                await TrioHost(gate, Paths(root, "cache"), LogicalTimes()).run(parties)

        for _ in range(ROUNDS):
            with Spent() as spent:
                for _ in range(runs):
                    for number in range(4):
                        build_like(f"{root}/cache", f"build-{number}")(REAL)
            bare.append(spent)
            with Spent() as spent:
                trio.run(behind_the_gate)
            gated.append(spent)
    table = Table("actors' calls", "wall, ratio", "user+sys, ratio", title="the gate")
    table.add_row("bare", "1.00", "1.00")
    table.add_row("behind the gate, trio host", *(f"{value:.2f}" for value in ratios(gated, bare)))
    console.print(table)


def ratios(these, those):
    """Medians of pairwise ratios: wall, CPU."""
    pairs = list(zip(these, those, strict=True))
    return (
        statistics.median(one.wall / other.wall for one, other in pairs),
        statistics.median(one.cpu / other.cpu for one, other in pairs),
    )


def seconds_per_seed(console):
    """Table 2."""
    scenario = load_scenario("issue-3515")
    counts = (2, 8, 32, 64)
    spent_for = {count: [] for count in counts}

    async def measure():
        with Sandbox.create(GROUND) as sandbox:
            for seed in range(3):
                for count in counts:
                    with Spent() as spent:
                        await orchestrator.run(replace(scenario, builds=count), seed, sandbox)
                    spent_for[count].append(spent)

    trio.run(measure)
    base = statistics.median(spent.cpu for spent in spent_for[8])
    table = Table("builds", "seconds a seed (wall)", "user+sys, ratio to 8 builds", title="issue-3515, both rounds")
    for count in counts:
        wall = statistics.median(spent.wall for spent in spent_for[count])
        cpu = statistics.median(spent.cpu for spent in spent_for[count])
        table.add_row(str(count), f"{wall:.2f}", f"{cpu / base:.2f}")
    console.print(table)


def make_tree(root, entries=1000):
    """A cache's shape: 30 files in 4 directories, `entries` times."""
    for entry in range(entries):
        for directory in ("", "/package", "/package/data", "/package.dist-info"):
            os.mkdir(f"{root}/{entry}{directory}")
        for number in range(30):
            inside = ("/package", "/package/data", "/package.dist-info")[number % 3]
            with open(f"{root}/{entry}{inside}/{number}.py", "wb") as file:
                file.write(b"x" * 200)


def cleaner_speed(console):
    """Table 3."""
    commands = {
        "rm -rf": lambda tree: ["rm", "-rf", tree],
        "cache_core.clean_sync": lambda tree: [sys.executable, "-c", CLEAN, tree],
        "shutil.rmtree": lambda tree: [sys.executable, "-c", "import shutil, sys; shutil.rmtree(sys.argv[1])", tree],
    }
    spent_for = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            root = tempfile.mkdtemp(dir=GROUND)
            make_tree(root)
            with Spent() as spent:
                subprocess.run(command(root), check=True)
            spent_for[name].append(spent)
            shutil.rmtree(root, ignore_errors=True)
    table = Table("cleaner", "wall, ratio", "user+sys, ratio", title="30,000 files in 4,000 directories")
    for name, spent in spent_for.items():
        table.add_row(name, *(f"{value:.2f}" for value in ratios(spent, spent_for["rm -rf"])))
    console.print(table)


if __name__ == "__main__":
    if privileges.holds_override_capabilities():
        privileges.drop_override_capabilities()
    screen = Console()
    gate_overhead(screen)
    seconds_per_seed(screen)
    cleaner_speed(screen)
