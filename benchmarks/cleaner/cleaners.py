"""What is compared. A cleaner that cannot be had here stays in the table, with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from benchmarks.cleaner.launching import launch
from cache_core.errors import CacheError
from simulator.errors import CachestormError
from simulator.tools.enclosure import Place, variables
from simulator.tools.kinds import parse_cleaner

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, IN_PROCESS = "cachestorm clean", "cachestorm clean, without its start"
# What its parts cost: the same call with less. The last is what a program that uses the library has.
PARTS = {
    IN_PROCESS: "crew=Forked(), fence=LandlockFence(remove_root=False)",
    "that, bytes not counted": "crew=Forked(), fence=LandlockFence(remove_root=False), measure=False",
    "that, bytes not counted, no fence": "crew=Forked(), measure=False",
    "clean_sync, one process": "",
    "clean_sync, one process, bytes not counted": "measure=False",
}
RM, CHMOD_RM, UV = "rm -rf", "chmod -R u+rwx && rm -rf", "uv cache clean"
UV_VERSION = "0.13.9"
ONLY_HOSTILE, NOT_HOSTILE = frozenset(("hostile",)), frozenset(("cache", "flat", "chain"))
ANY = ONLY_HOSTILE | NOT_HOSTILE
# Behind a fence each removal deep in a chain takes as long as the way up: ours moves it up, and the C program does not.
NOT_CHAIN = ANY - {"chain"}

C_SOURCE = Path(__file__).with_name("limit.c")

RMTREE = "import shutil, sys; shutil.rmtree(sys.argv[1])"
# From the call to its return, in an interpreter that runs already.
CALL = """
import resource, sys, time
from cache_core import clean_sync
from cache_core.crew import Forked
from cache_core.fence import LandlockFence
def used():
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)
cpu, wall = used(), time.perf_counter()
report = clean_sync(sys.argv[1], %s)
print(time.perf_counter() - wall, used() - cpu)
sys.exit(not report.empty)
"""


@dataclass(frozen=True, slots=True)
class Cleaner:
    """One row of a table.

    Attributes:
        name: of the row.
        clean: (tree, place) -> Took.
        skipped: why it is not measured here; empty if it is.
        shapes: on which it is measured.
    """

    name: str
    clean: Callable
    skipped: str = ""
    shapes: frozenset = ANY


def base_of(shape):
    """The cleaner that a shape's ratios are taken to."""
    return CHMOD_RM if shape in ONLY_HOSTILE else RM


def all_cleaners(place, tell):
    """All rows; what needs to be built or downloaded is, into `place` or the store of tools."""
    python, rm, find = sys.executable, _program("rm"), _program("find")
    chmod_rm = ["/bin/sh", "-c", 'chmod -R u+rwx "$1" && exec rm -rf "$1"', "sh"]
    return [
        Cleaner(RM, _run(rm, "-rf")),
        # Elsewhere it would be slower than the base, and nobody would use it.
        Cleaner(CHMOD_RM, _run(*chmod_rm), shapes=ONLY_HOSTILE),
        Cleaner("find -delete", lambda tree, place: launch([find, tree, "-delete"], tree, place)),
        Cleaner("shutil.rmtree", _run(python, "-c", RMTREE)),
        _uv(tell),
        Cleaner(OURS, _run(*our_command())),
        *(Cleaner(name, _run(python, "-c", CALL % how, in_process=True)) for name, how in PARTS.items()),
        *_limits(place, tell),
    ]


def our_command():
    """`cachestorm clean`, as users have it: the script beside the interpreter."""
    script = os.path.join(os.path.dirname(sys.executable), "cachestorm")
    if os.access(script, os.X_OK):
        return [script, "clean"]
    return [sys.executable, "-c", "from simulator.cli.main import entry; entry()", "clean"]


def _program(name):
    # Not found: the attempt to start it says so.
    return shutil.which(name) or f"/usr/bin/{name}"


def _run(*command, in_process=False):
    return lambda tree, place: launch([*command, tree], tree, place, in_process=in_process)


def _not_to_be_had(tree, place):
    raise AssertionError(f"{tree}, {place}: who is skipped cleans nothing")


def _uv(tell):
    name = f"{UV} {UV_VERSION}"
    try:
        real = trio.run(partial(parse_cleaner(f"uv=={UV_VERSION}").cleaner, tell))
    except (CachestormError, CacheError) as error:
        return Cleaner(name, _not_to_be_had, skipped=str(error))

    def clean(tree, place):
        home = Place("cleaner", tree, f"{place}/uv", f"{place}/uv")
        os.makedirs(home.temporary, exist_ok=True)
        return launch(real.command, tree, place, variables(home, os.environ))

    return Cleaner(name, clean)


def limit_name(threads, *, promises=False):
    """The row of the C program; with `promises`, with the byte count, the mount check and the fence that ours has."""
    kept = ", bytes counted, mounts checked, fenced" if promises else ""
    return f"C, {threads} thread{'s' if threads > 1 else ''}{kept}"


def _limits(place, tell):
    program, skipped = f"{place}/limit", ""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        skipped = "no C compiler"
    else:
        tell(f"compiling {C_SOURCE.name}")
        command = [compiler, "-O2", "-pthread", "-o", program, str(C_SOURCE)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            skipped = f"{compiler} failed: {(made.stderr.splitlines() or ['no reason given'])[0]}"
    for threads in (1, 2):
        yield Cleaner(limit_name(threads), _limit(program, threads), skipped=skipped)
    kept = _limit(program, 2, "bmf")
    yield Cleaner(limit_name(2, promises=True), kept, skipped=skipped, shapes=NOT_CHAIN)


def _limit(program, threads, *promises):
    return lambda tree, place: launch([program, str(threads), tree, *promises], tree, place)
