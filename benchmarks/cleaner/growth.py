"""How our command grows with the number of entries: time, and memory at its height.

The files are empty here: a million of them with something in them would take 4 GB of memory. Memory is that of the
biggest process of the command (getrusage(2) has no sum).
"""

from __future__ import annotations

import statistics

from benchmarks.cleaner.cleaners import OURS, RM
from benchmarks.cleaner.comparison import once
from benchmarks.cleaner.tables import Grid, middle, ratios

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (100, 1_000)
GROWING = ("cache", "flat")
# Of kernel memory an empty file in memory takes about one: what is asked for leaves the machine room to breathe.
KIB_PER_ENTRY = 2
# So many entries a size are enough: small trees are made often, the million once.
ENTRIES_PER_SIZE = 300_000


def rounds_for(size, rounds):
    """How often a size is measured."""
    return max(1, min(rounds, ENTRIES_PER_SIZE // size))


def grow(sandbox, cleaners, rounds, progress, *, quick):
    """What ours and `rm -rf` took: {(shape, size): {cleaner: [Took, ...]}}, or, for a size, why it is skipped."""
    measured = [one for one in cleaners if one.name in {OURS, RM}]
    found = {}
    for size in QUICK_SIZES if quick else SIZES:
        for shape in GROWING:
            lacking = size * KIB_PER_ENTRY - available_kib()
            if lacking > 0:
                found[shape, size] = f"skipped: {lacking // 1024:,} MiB of free memory are missing"
                continue
            took = {one.name: [] for one in measured}
            for number in range(rounds_for(size, rounds)):
                progress.line(f"growth: {shape}, {size:,} files; round {number + 1} of {rounds_for(size, rounds)}")
                for one in measured:
                    if any(before.cannot for before in took[one.name]):
                        continue
                    took[one.name].append(once(sandbox, shape, size, one, progress, content=b""))
            found[shape, size] = took
    return found


def available_kib():
    """Memory that could be had now (proc_meminfo(5))."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def grid(found):
    """A row for each shape and size."""
    head = ("shape", "files", "seconds", "seconds per 100,000", "ratio to `rm -rf`", "peak, MiB", "`rm -rf`, MiB")
    rows = []
    for (shape, size), took in sorted(found.items()):
        if isinstance(took, str):
            rows.append((shape, f"{size:,}", took, *("-",) * 4))
            continue
        ours, base = took[OURS], took[RM]
        if ours[-1].cannot:
            rows.append((shape, f"{size:,}", f"cannot ({ours[-1].cannot})", *("-",) * 4))
            continue
        seconds = [one.wall for one in ours]
        rows.append(
            (
                shape,
                f"{size:,}",
                middle(seconds),
                middle([one * 100_000 / size for one in seconds]),
                middle(ratios(ours, base, "wall")),
                f"{peak_mib(ours):.0f}",
                f"{peak_mib(base):.0f}",
            )
        )
    return Grid(f"`{OURS}` as the tree grows: tmpfs, empty files, wall clock", head, rows)


def peak_mib(took):
    """The median of the peaks."""
    return statistics.median(one.peak_kib for one in took) / 1024


def growth_mib(found):
    """How much more memory the most entries in one directory take than the fewest; None when not measured."""
    flat = {size: took for (shape, size), took in found.items() if shape == "flat" and not isinstance(took, str)}
    if len(flat) < len(SIZES) or any(took[OURS][-1].cannot for took in flat.values()):
        return None
    return peak_mib(flat[max(flat)][OURS]) - peak_mib(flat[min(flat)][OURS])
