"""Random states: so many hostile trees of a seed, and of a failing one the smallest that fails the same way.

Hypothesis draws and shrinks. The same seed gives the same trees with the same version of Hypothesis (its choices are
its own business); what lasts is the shell commands. Guarantees: a shrunk tree was run, and had the verdict that is
said. Not guaranteed: that it is the smallest there is; shrinking ends after `SHRINK_SECONDS_MAX`.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir

from scenarios.states.hostile_trees import HostileTree, hostile_trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenarios.states.state import State
    from simulator.torture.verdicts import Cell

SHRINK_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest random state that a cleaner was found to fail on.

    Attributes:
        cleaner: as it was given.
        state: the name of the one that was shrunk.
        cell: what comes of the smallest.
        commands: for bash, in an empty directory: they make it.
    """

    cleaner: str
    state: str
    cell: Cell
    commands: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {**self.cell.document(), "state": self.state, "cleaner": self.cleaner, "commands": list(self.commands)}


def name_of(seed_number: int, index: int) -> str:
    """What the random state with this index is called."""
    return f"random-{seed_number}-{index}"


def draw(number: int, seed_number: int, interrupted: Callable[[], bool] = lambda: False) -> list[HostileTree]:
    """So many trees of a seed.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    trees: list[HostileTree] = []

    @seed(seed_number)
    @_settings(number, Phase.generate)
    @given(hostile_trees())
    def take(tree: HostileTree) -> None:
        if interrupted():
            raise KeyboardInterrupt
        trees.append(tree)

    with _no_files():
        take()
    return trees[:number]


def states(trees: Sequence[HostileTree], seed_number: int) -> list[State]:
    """The states of trees."""
    return [tree.state(name_of(seed_number, index)) for index, tree in enumerate(trees)]


def shrink(
    trees: Sequence[HostileTree],
    index: int,
    found: Cell,
    *,
    seed_number: int,
    run: Callable[[HostileTree], Cell | None],
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """Find a smaller tree with the same verdict.

    Args:
        trees: all that were drawn of the seed, in order.
        index: which one failed, the first of them.
        found: what came of it.
        seed_number: of which they were drawn.
        run: what comes of a tree; None when it was interrupted.
        clock: monotonic seconds.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    # The trees before it have been run, and need not be run again.
    known: dict[HostileTree, Cell | None] = dict.fromkeys(trees[:index])
    known[trees[index]] = found
    smallest = (trees[index], found)
    deadline = clock() + SHRINK_SECONDS_MAX

    def fails(tree: HostileTree) -> bool:
        nonlocal smallest
        if tree not in known:
            if clock() > deadline:
                raise _TimeIsUpError
            cell = run(tree)
            if cell is None:
                raise KeyboardInterrupt
            known[tree] = cell
        cell = known[tree]
        if cell is None or cell.verdict != found.verdict:
            return False
        if len(tree.commands()) <= len(smallest[0].commands()):
            smallest = (tree, cell)
        return True

    @seed(seed_number)
    @_settings(len(trees), Phase.generate, Phase.shrink)
    @given(hostile_trees())
    def fail(tree: HostileTree) -> None:
        if fails(tree):
            raise _FoundError

    with _no_files(), contextlib.suppress(_TimeIsUpError):
        # What it raises is the shrunk one, which has been noted.
        with contextlib.suppress(_FoundError):
            fail()
        # It takes back choices, and not all that follow from one: an entry may be left that has nothing to do with it.
        while any(fails(tree) for tree in smallest[0].smaller() if tree not in known):
            continue
    tree, cell = smallest
    return Shrunk(found.cleaner, found.state, cell, tuple(tree.commands()))


@contextlib.contextmanager
def _no_files() -> Iterator[None]:
    """Hypothesis keeps notes in the working directory, which is our user's: not here."""
    with tempfile.TemporaryDirectory(prefix="cachestorm-") as directory:
        set_hypothesis_home_dir(directory)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


class _FoundError(Exception):
    """A tree has the verdict that is looked for."""


class _TimeIsUpError(BaseException):
    """Shrinking has taken long enough. No Exception: Hypothesis would take that for a failure, and shrink it."""


def _settings(number: int, *phases: Phase) -> settings:
    return settings(
        max_examples=number,
        phases=phases,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
