"""How long it takes until our command removes something.

From execve(2) to the first unlink or rmdir of any of its processes, by strace, which stops it at these calls only; and
the whole command on a cache with one file, untraced.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.cleaner.cleaners import OURS, our_command
from benchmarks.cleaner.shapes import make
from benchmarks.cleaner.tables import Grid, middle

TIMES, QUICK_TIMES = 9, 1
SECONDS_MAX = 60

_REMOVALS = "unlink,unlinkat,rmdir"
# ``[pid] SECONDS call(arguments) = result``, split in two when another process made a call meanwhile.
_CALL = re.compile(r"^(?:[0-9]+ +)?(?P<seconds>[0-9]+\.[0-9]+) (?P<call>[a-z]+)\(", re.ASCII)


def start(sandbox, cleaners, progress, *, quick):
    """Milliseconds: (to the first unlink, or why not), (of a whole command)."""
    times = QUICK_TIMES if quick else TIMES
    ours = next(one for one in cleaners if one.name == OURS)
    to_unlink, whole = [], []
    strace = shutil.which("strace")
    for number in range(times):
        progress.line(f"start: {number + 1} of {times}")
        if strace is not None:
            to_unlink.append(_traced(strace, _small_cache(sandbox)))
        tree = _small_cache(sandbox)
        whole.append(ours.clean(tree, os.path.dirname(tree)).wall * 1000)
    if strace is None:
        return "skipped: no strace", whole
    if None in to_unlink:
        return "skipped: strace saw no unlink, or may not trace", whole
    return to_unlink, whole


def grid(to_unlink, whole):
    """Two rows."""
    first = to_unlink if isinstance(to_unlink, str) else middle(to_unlink, "{:.0f}")
    rows = [("from exec to the first unlink (strace)", first)]
    rows.append(("the whole command on one file", middle(whole, "{:.0f}")))
    return Grid(f"start of `{OURS}`, {len(whole)} times", ("what", "milliseconds"), rows)


def _small_cache(sandbox):
    tree = f"{sandbox.fresh()}/cache"
    make("flat", tree, 1)
    return tree


def _traced(strace, tree):
    """Milliseconds to the first unlink of one cleaning; None when there is none to see."""
    log = f"{os.path.dirname(tree)}/strace"
    options = ["-f", "--seccomp-bpf", "-qq", "-ttt", "-e", f"trace=execve,{_REMOVALS}", "-e", "signal=none", "-o", log]
    subprocess.run(
        [strace, *options, *our_command(), tree],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS_MAX,
    )
    return milliseconds(Path(log).read_text("utf-8", errors="replace")) if os.path.exists(log) else None


def milliseconds(log):
    """From the first execve to the first removal in a log of strace; None when one of them is missing."""
    begin = None
    for line in log.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        if call["call"] in _REMOVALS.split(","):
            return None if begin is None else (float(call["seconds"]) - begin) * 1000
        if begin is None:
            begin = float(call["seconds"])
    return None
