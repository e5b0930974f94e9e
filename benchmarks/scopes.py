"""Small scopes, searched to their end and sampled: builds that fill and empty one directory, cleaners in the middle.

A build of k calls makes the first k of: mkdir w, create a file of its own in it, create another, unlink both, rmdir w.
A cleaner lists w, unlinks what it saw, and removes it. The shapes are those on which DPOR for file systems was first
tried; outcomes tell how each actor ended. Seconds are of CPU time, with everything.
"""

from __future__ import annotations

import os
import time
from functools import partial

import simulator
from benchmarks.cleaner.tables import Grid

# Builds, calls of each, cleaners, kills.
SEARCHED = ((2, 2, 1, 0), (2, 3, 1, 0), (1, 3, 2, 0), (2, 6, 1, 0), (2, 6, 1, 1))
SAMPLED = ((2, 6, 1, 0), (3, 3, 1, 0))
SAMPLERS = (("random", {}), *(("pct", {"depth": depth}) for depth in (2, 3, 5)), ("pos", {}), ("portfolio", {}))
SCHEDULES = 1000
_HOUR = 3600.0


def build(calls, number, directory):
    """The first so many calls of a build."""
    place = f"{directory}/w"
    mine = [f"{place}/{number}-{name}" for name in "fg"]
    makes = [partial(os.mkdir, place), *(partial(_create, path) for path in mine)]
    steps = [*makes, *(partial(os.unlink, path) for path in mine), partial(os.rmdir, place)]
    for step in steps[:calls]:
        try:
            step()
        except FileExistsError:
            continue


def _create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))


def clean(directory):
    """What it saw goes."""
    place = f"{directory}/w"
    for name in os.listdir(place):
        os.unlink(f"{place}/{name}")
    os.rmdir(place)


def nothing_is_wrong(directory):
    """Outcomes are counted here, and nobody judges them."""
    del directory


def explored(scope, ground, **how):
    """What an exploration finds, and the CPU seconds that it took."""
    builds, calls, cleaners, kills = scope
    actors = [(f"build-{number}", partial(build, calls, number)) for number in range(1, builds + 1)]
    actors += [(f"cleaner-{number}", clean) for number in range(1, cleaners + 1)]
    before = time.process_time()
    found = simulator.explore(actors=actors, oracle=nothing_is_wrong, kills=kills, budget=_HOUR, sandbox=ground, **how)
    return found, time.process_time() - before


def _told(scope):
    builds, calls, cleaners, kills = scope
    return f"{builds} x {calls} + {cleaners}" + (", every single kill" if kills else "")


def run(console, ground, rounds, *, schedules=SCHEDULES, searched=SEARCHED, sampled=SAMPLED):
    """Print the tables; `rounds` is not asked: counts need no repetition."""
    del rounds
    whole = Grid("builds x calls + cleaners, by dpor", ("", "runs", "outcomes", "complete", "CPU s"), [])
    for scope in searched:
        found, seconds = explored(scope, ground, strategy="dpor")
        cells = (f"{found.runs:,}", str(len(found.outcomes)), "yes" if found.complete else "no", f"{seconds:.2f}")
        whole.rows.append((_told(scope), *cells))
    names = [" ".join(map(str, (name, *parameters.values()))) for name, parameters in SAMPLERS]
    drawn = Grid(f"outcomes in {schedules:,} runs", ("", *names), [])
    for scope in sampled:
        found = [explored(scope, ground, strategy=name, schedules=schedules, **more)[0] for name, more in SAMPLERS]
        drawn.rows.append((_told(scope), *(str(len(each.outcomes)) for each in found)))
    for grid in (whole, drawn):
        console.print(grid.printed())
