"""Let a cleaner have a tree, and see what it took and what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cleaner.shapes import KEPT
from cache_core.removal import remove_tree

LAUNCHER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
# The slowest takes some seconds on the biggest tree; a lock that nobody gives up must not stop a whole run.
SECONDS_MAX = 600


@dataclass(frozen=True, slots=True)
class Took:
    """What a command took.

    Attributes:
        wall: seconds.
        cpu: user+sys seconds, those of its children included.
        peak_kib: resident memory of the biggest of its processes at its height; None where it is not measured.
        cannot: why it does not count; empty when the cache is empty, or gone.
    """

    wall: float
    cpu: float
    peak_kib: int | None
    cannot: str = ""


def launch(command, tree, place, variables=None, *, in_process=False):
    """Run a command that is to empty the cache at `tree`; `place` is a directory for what is needed meanwhile.

    With `in_process`, the command itself prints wall and user+sys seconds, and those count.
    """
    report = f"{place}/report"
    process = subprocess.Popen(
        [*LAUNCHER, report, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": place, **(variables or {})},
        process_group=0,
    )
    try:
        printed, errors = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return Took(SECONDS_MAX, 0, None, f"not done after {SECONDS_MAX} s")
    finally:
        _end(process)
    wall, cpu, peak, code = (float(field) for field in Path(report).read_text("ascii").split())
    cannot = left_over(int(code), tree)
    if cannot and errors:
        print(f"  {command[0]}: {errors.decode(errors='replace').splitlines()[-1]}"[:200], file=sys.stderr)
    if in_process and not cannot:
        wall, cpu = (float(field) for field in printed.split())
    return Took(wall, cpu, int(peak), cannot)


def _end(process):
    """Nothing of it goes on, whether it ended by itself or we were interrupted."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def left_over(code, tree):
    """Why a cleaner that ended with this exit code did not clean, for a cell of a table; empty if it did.

    What it left is removed, which counts it.
    """
    kept = os.listdir(tree) if os.path.lexists(tree) else None
    if code == 0 and (kept is None or KEPT.issuperset(kept)):
        return ""
    how = f"exit {code}" if code >= 0 else signal.Signals(-code).name
    if kept is None:
        return f"{how}, all gone"
    removal = remove_tree(tree)
    # Without what an empty cache has: the root and its files.
    files = removal.files_removed - len(KEPT.intersection(kept))
    return f"{how}, left {files + removal.directories_removed - 1:,}"
