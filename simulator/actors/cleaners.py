"""Cleaners as actors: the shipped one, the interpreter's, and models of other tools'. A line each in the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.cleaner import clean_sync
from cache_core.surroundings import NOWHERE
from simulator.actors.interpreter import rmtree_of_this_interpreter
from simulator.actors.uv_cleaners import UvCleanError, clean_as_0_1_42, clean_as_0_13_9

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.crew import Crew
    from cache_core.kernel import Kernel
    from simulator.actors.uv_cleaners import Cleaner as UvCleaner


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleaner says of itself.

    Attributes:
        files_removed, directories_removed: as it counted; 0 where it does not count.
        error: what it printed when it failed, None when it reported success.
        errno: number of the failed call behind `error`.
    """

    files_removed: int = 0
    directories_removed: int = 0
    error: str | None = None
    errno: int | None = None


@dataclass(frozen=True, slots=True)
class Cleaner:
    """A way to empty a cache.

    Attributes:
        run: takes a kernel, the cache's absolute path, the actor's name and who helps it.
        summary: for people.
        depends_on_interpreter: whether its calls differ between Python versions.
        workers: how many do the work on a cache that is not small, itself included.
    """

    run: Callable[[Kernel, str, str, Crew], Cleaned]
    summary: str
    depends_on_interpreter: bool = False
    workers: int = 1


def _hardened(kernel: Kernel, root: str, identity: str, crew: Crew) -> Cleaned:
    del identity
    # Another cleaner may have had the tag before it stopped; that this is a cache, and nobody's home or working
    # directory, the simulator knows.
    report = clean_sync(root, kernel=kernel, untagged=True, surroundings=NOWHERE, crew=crew, wait_in_kernel=True)
    if report.empty:
        return Cleaned(report.files_removed, report.directories_removed)
    left = report.left[0] if report.left else None
    error = f"{left.path}: {left.reason}" if left else "the cache was refilled while it was cleaned"
    return Cleaned(report.files_removed, report.directories_removed, error)


def _rmtree(kernel: Kernel, root: str, identity: str, crew: Crew) -> Cleaned:
    del identity, crew
    try:
        rmtree_of_this_interpreter(kernel)(root)
    except OSError as error:
        return Cleaned(error=f"{type(error).__name__}: {error.strerror}", errno=error.errno)
    except RecursionError as error:
        return Cleaned(error=f"RecursionError: {error}")
    return Cleaned()


def _model(clean: UvCleaner) -> Callable[[Kernel, str, str, Crew], Cleaned]:
    def run(kernel: Kernel, root: str, identity: str, crew: Crew) -> Cleaned:
        del crew
        try:
            removed = clean(kernel, root, identity)
        except UvCleanError as error:
            return Cleaned(error.removed.files, error.removed.directories, str(error), error.errno)
        return Cleaned(removed.files, removed.directories)

    return run


CLEANERS: dict[str, Cleaner] = {
    "hardened": Cleaner(_hardened, "cache_core: the hardened cleaner of this project, the code that ships", workers=2),
    "rmtree": Cleaner(_rmtree, "shutil.rmtree of the interpreter that runs this", depends_on_interpreter=True),
    "model:uv-0.1.42": Cleaner(_model(clean_as_0_1_42), "model of `uv cache clean` 0.1.42 (before the fix)"),
    "model:uv-0.13.9": Cleaner(_model(clean_as_0_13_9), "model of `uv cache clean` 0.13.9 (after the fix)"),
}
