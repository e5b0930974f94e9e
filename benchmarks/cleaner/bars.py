"""What the cleaner is to keep to, beside what was measured. It is told, not asserted."""

from __future__ import annotations

import statistics

from benchmarks.cleaner.cleaners import IN_PROCESS, OURS, UV, UV_VERSION, base_of, limit_name
from benchmarks.cleaner.comparison import ratio
from benchmarks.cleaner.growth import growth_mib
from benchmarks.cleaner.tables import Grid

UNLINK_MILLISECONDS_MAX = 90
GROWTH_MIB_MAX = 64

# shape, cleaner, base (None: that of the shape), at most (None: the limit, which is approached)
BARS = (
    ("cache", OURS, None, 0.60),
    ("cache", OURS, f"{UV} {UV_VERSION}", 0.40),
    ("cache", OURS, limit_name(2), None),
    ("cache", OURS, limit_name(2, promises=True), None),
    ("flat", IN_PROCESS, None, 1.05),
    ("hostile", IN_PROCESS, None, 1.05),
    ("chain", IN_PROCESS, None, 1.30),
)


def grid(compared, to_unlink, grown):
    """One row for each bar."""
    rows = []
    for ground, found in compared.items():
        for shape, cleaner, other, most in BARS:
            base = other or base_of(shape)
            rows.append(_row(f"{cleaner}: {shape}, {ground}, of `{base}`", ratio(found, shape, cleaner, base), most))
    unlink = None if isinstance(to_unlink, str) else statistics.median(to_unlink)
    rows.append(_row("milliseconds to the first unlink", unlink, UNLINK_MILLISECONDS_MAX, "{:.0f}"))
    more = "MiB more for 1,000,000 entries in a directory than for 100"
    rows.append(_row(more, growth_mib(grown), GROWTH_MIB_MAX, "{:.0f}"))
    return Grid("bars", ("what", "at most", "measured", ""), rows)


def _row(what, measured, most, form="{:.2f}"):
    wanted = "as near to 1 as it gets" if most is None else form.format(most)
    if measured is None:
        return (what, wanted, "-", "not measured")
    said = "" if most is None else "kept" if measured <= most else "NOT kept"
    return (what, wanted, form.format(measured), said)
