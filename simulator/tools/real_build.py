"""One real build alone, under strace: the rows to compare a simulated one with.

The archive is unpacked into the sandbox, and one PEP 517 build (`simulator.tools.pep517_build`) runs on it, its home
and temporary files in the sandbox too. Its environment has the pinned back end, and what else the archive requires to
be built (`simulator.tools.build_requirements`).

Guarantees: when `real_rows` returns or raises, nothing that it started is alive; the build sees no setting of the
user's. Not guaranteed: that a build does no harm: it is somebody's setup script, and it runs.
Costs: the environment, once; then one to three seconds, most of them strace's.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.kernel import REAL
from simulator.errors import BadInputError, MachineError
from simulator.sdists.archive import unpack
from simulator.tools.build_requirements import build_environment
from simulator.tools.enclosure import Place, variables
from simulator.tools.groups import Group, no_orphans, read_output, run_group
from simulator.tools.interpreters import with_our_packages
from simulator.tools.strace_rows import TRACED, rows_of_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.likeness.fidelity import Row
    from simulator.tools.environments import Environment

# What makes two builds of one archive alike; the first is the day before which a zip file has no dates.
REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
_FULL = os.strerror(errno.ENOSPC)


@dataclass(frozen=True, slots=True)
class RealBuild:
    """What to build, and with what.

    Attributes:
        archive: path of the source distribution.
        toolchain: its name; its real packages are installed.
        python: version of the Python that runs the back end, e.g. ``3.11``.
        timeout_seconds: after which the build is killed.
    """

    archive: str
    toolchain: str
    python: str | None = None
    timeout_seconds: float = math.inf


def require_strace() -> str:
    """Path of strace.

    Raises:
        MachineError: there is none.
    """
    found = shutil.which("strace")
    if found is None:
        raise MachineError(
            "strace", "strace", "strace shows what a real build does, and is not on PATH; apt-get install strace"
        )
    return found


async def prepare(build: RealBuild, directory: str, tell: Callable[[str], None]) -> Environment:
    """What a build needs of this machine, made if it is not there.

    Args:
        build: what.
        directory: as of `real_rows`; still empty afterwards.
        tell: gets a line about each thing that takes long, and each requirement that the toolchain overrules.

    Raises:
        BadInputError, MachineError: as `require_strace` and `build_environment`.
    """
    require_strace()
    return await build_environment(
        build.archive,
        build.toolchain,
        f"{directory}/asked",
        python=build.python,
        timeout_seconds=build.timeout_seconds,
        tell=tell,
    )


async def real_rows(build: RealBuild, made: Environment, directory: str) -> list[Row]:
    """Build, and read what it did.

    Args:
        build: what.
        made: from `prepare`.
        directory: an empty directory in a sandbox, absolute and without symbolic links.

    Raises:
        BadInputError: the archive is none; or its build failed, or did not end in time.
        MachineError: strace does not work here.
    """
    source = unpack(build.archive, directory)
    place = Place("build-1", f"{directory}/cache", made.directory, f"{directory}/home")
    place.make()
    log, output = f"{directory}/strace.log", f"{directory}/output"
    tracer = [require_strace(), "-f", "-y", "-qq", "-s", "0", "--seccomp-bpf", "-e", f"trace={TRACED}", "-o", log]
    builder = [sys.executable, "-m", "simulator.tools.pep517_build", source, made.python, f"{source}/dist"]
    group = Group()
    with no_orphans():
        await run_group(
            group,
            [*tracer, *builder],
            variables=with_our_packages({**variables(place, os.environ), **REPRODUCIBLE}),
            directory=directory,
            output=output,
            timeout_seconds=build.timeout_seconds,
        )
    _must_have_built(build, group, read_output(output))
    return _read_away(log, source)


def _read_away(log: str, source: str) -> list[Row]:
    """Read the log and remove it: shared memory is small in containers, and a log is not."""
    with open(log, encoding="ascii") as lines:
        rows = rows_of_log(lines, source)
    REAL.unlink(log)
    return rows


def _must_have_built(build: RealBuild, group: Group, printed: str) -> None:
    what = f"the real build of '{build.archive}' with {build.toolchain}"
    if group.timed_out:
        raise BadInputError(
            "timeout",
            build.archive,
            f"{what} has not ended after {build.timeout_seconds:g} s and was killed; give it more with --timeout",
        )
    if group.code == 0:
        return
    if _FULL in printed:
        raise MachineError("space", "sandbox", f"{what} ran out of room; give a larger place with --sandbox")
    lines = [line for line in printed.splitlines() if line.strip()] or [f"exit code {group.code}"]
    if any(line.startswith("strace: ") for line in lines):
        reason = next(line for line in lines if line.startswith("strace: "))
        raise MachineError("strace", "strace", f"strace does not work here ({reason}); allow ptrace to this process")
    raise BadInputError("real-build", build.archive, f"{what} failed: {' / '.join(lines[-3:])}")
