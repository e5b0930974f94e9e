"""Every cleaner on every shape, round by round, each time on a tree that was made for it."""

from __future__ import annotations

import statistics

from benchmarks.cleaner.cleaners import CHMOD_RM, base_of
from benchmarks.cleaner.disk import settle
from benchmarks.cleaner.shapes import SHAPES, make
from benchmarks.cleaner.tables import Grid, middle, ratios

NOT_HERE = "-"
WARM_UP_FILES = 75


def compare(ground, sandbox, cleaners, rounds, progress, *, quick):
    """What each took: {shape: {cleaner: [Took, ...]}}, as many as rounds, but one only if it cannot do it."""
    found = {}
    for shape in SHAPES:
        size = shape.quick_size if quick else shape.size
        taking_part = [one for one in cleaners if shape.name in one.shapes and not one.skipped]
        took = {one.name: [] for one in taking_part}
        for number in range(rounds):
            progress.line(f"{ground}, {shape.name}: {shape.text.format(size)}; round {number + 1} of {rounds}")
            # Nobody always comes first, or after the same other one.
            turn = number % len(taking_part)
            for cleaner in (*taking_part[turn:], *taking_part[:turn]):
                if any(one.cannot for one in took[cleaner.name]):
                    continue
                took[cleaner.name].append(once(sandbox, shape.name, size, cleaner, progress))
        found[shape.name] = took
    return found


def warm_up(sandbox, cleaners, progress):
    """Each once on a small tree, unmeasured: its program is in memory then, and ours is compiled."""
    for cleaner in cleaners:
        if not cleaner.skipped:
            once(sandbox, "cache", WARM_UP_FILES, cleaner, progress)


def once(sandbox, shape, size, cleaner, progress, **options):
    """Make a tree, have it removed."""
    place = sandbox.fresh()
    progress.now(f"making {shape}")
    make(shape, f"{place}/cache", size, **options)
    settle(place)
    progress.now(cleaner.name)
    return cleaner.clean(f"{place}/cache", place)


def grids(ground, found, cleaners, *, quick):
    """Two tables: wall and user+sys, as ratios."""
    sizes = {shape.name: shape.quick_size if quick else shape.size for shape in SHAPES}
    head = ("cleaner", *(f"{name}, {size:,}" for name, size in sizes.items()))
    for kind, title in (("wall", "wall clock"), ("cpu", "user+sys")):
        rows = [(one.name, *(_cell(found[shape], shape, one, kind) for shape in found)) for one in cleaners]
        rows.append(("seconds of 1.00", *(_seconds(found[shape], shape, kind) for shape in found)))
        yield Grid(f"{ground}, {title}, ratio to `rm -rf` (hostile: to `{CHMOD_RM}`)", head, rows)


def _cell(took, shape, cleaner, kind):
    if cleaner.skipped:
        return f"skipped: {cleaner.skipped}"
    if cleaner.name not in took:
        return NOT_HERE
    mine, base = took[cleaner.name], took[base_of(shape)]
    if mine[-1].cannot:
        return f"cannot ({mine[-1].cannot})"
    if mine is base:
        return "1.00"
    if base[-1].cannot:
        return middle([getattr(one, kind) for one in mine], "{:.2f} s")
    return middle(ratios(mine, base, kind))


def _seconds(took, shape, kind):
    base = took[base_of(shape)]
    return NOT_HERE if base[-1].cannot else middle([getattr(one, kind) for one in base], "{:.3f}")


def ratio(found, shape, cleaner, base):
    """The median ratio of two cleaners' wall seconds; None when one of them has none."""
    mine, other = (found[shape].get(name, []) for name in (cleaner, base))
    if not mine or not other or mine[-1].cannot or other[-1].cannot:
        return None
    return statistics.median(ratios(mine, other, "wall"))
