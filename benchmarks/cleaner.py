"""The cleaner as a whole process beside `rm -rf` and the interpreter's own rmtree, on a tree of a cache's shape."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from rich.table import Table

from benchmarks.measure import Spent, ratios

CLEAN = "import sys; from cache_core import clean_sync; sys.exit(not clean_sync(sys.argv[1], untagged=True).empty)"
COMMANDS = {
    "rm -rf": lambda tree: ["rm", "-rf", tree],
    "cache_core.clean_sync": lambda tree: [sys.executable, "-c", CLEAN, tree],
    "shutil.rmtree": lambda tree: [sys.executable, "-c", "import shutil, sys; shutil.rmtree(sys.argv[1])", tree],
}
ENTRIES = 1000


def make_tree(root, entries):
    """30 files in 4 directories, `entries` times."""
    for entry in range(entries):
        for directory in ("", "/package", "/package/data", "/package.dist-info"):
            os.mkdir(f"{root}/{entry}{directory}")
        for number in range(30):
            inside = ("/package", "/package/data", "/package.dist-info")[number % 3]
            with open(f"{root}/{entry}{inside}/{number}.py", "wb") as file:
                file.write(b"x" * 200)


def run(console, ground, rounds, entries=ENTRIES):
    """Print the table."""
    spent_for = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            root = tempfile.mkdtemp(dir=ground)
            make_tree(root, entries)
            with Spent() as spent:
                subprocess.run(command(root), check=True)
            spent_for[name].append(spent)
            shutil.rmtree(root, ignore_errors=True)
    title = f"{30 * entries:,} files in {4 * entries:,} directories"
    table = Table("cleaner", "wall, ratio", "user+sys, ratio", title=title)
    for name, spent in spent_for.items():
        table.add_row(name, *(f"{value:.2f}" for value in ratios(spent, spent_for["rm -rf"])))
    console.print(table)
