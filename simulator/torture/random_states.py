"""Random states: so many hostile trees of a seed, and of a failing one the smallest that fails the same way.

Hypothesis draws and shrinks. The same seed gives the same trees, however many are taken, with the same version of
Hypothesis (its choices are its own business); what lasts is the shell commands.

Guarantees: a shrunk tree was run, and had the verdict that is
said. Not guaranteed: that it is the smallest there is; shrinking ends after `SHRINK_SECONDS_MAX`.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir

from cache_core.errors import shown
from scenarios.states.hostile_trees import HostileTree, hostile_trees
from scenarios.states.state import RANDOM
from simulator.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenarios.states.state import State
    from simulator.torture.verdicts import Cell

SHRINK_SECONDS_MAX = 20.0
NUMBER_MAX = 10_000
# How many Hypothesis is told to draw at a time, however many are taken: what it draws depends on that. It begins with
# small ones, a tenth of them.
_BATCH = 100
_NAME = re.compile(rf"{RANDOM}-(?P<seed>0|[1-9][0-9]{{0,17}})-(?P<index>0|[1-9][0-9]{{0,3}})", re.ASCII)


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
    return f"{RANDOM}-{seed_number}-{index}"


def state_by_name(name: str) -> State:
    """The random state with this name.

    Raises:
        BadInputError: it is none.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        message = f"unknown state '{shown(name)}'; random states are called {RANDOM}-SEED-N, N below {NUMBER_MAX:,}"
        raise BadInputError("unknown-state", name, message)
    index = int(match["index"])
    return draw(index + 1, int(match["seed"]))[index].state(name)


def draw(number: int, seed_number: int, interrupted: Callable[[], bool] = lambda: False) -> list[HostileTree]:
    """So many trees of a seed, at most `NUMBER_MAX`; of a larger number the first are those of a smaller one.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    trees: list[HostileTree] = []
    with _no_files():
        for batch in range(-(-number // _BATCH)):
            trees += _draw_batch(min(_BATCH, number - len(trees)), _seed_of(seed_number, batch), interrupted)
    return trees


def _draw_batch(number: int, of: str, interrupted: Callable[[], bool]) -> list[HostileTree]:
    trees: list[HostileTree] = []

    @seed(of)
    @_settings(Phase.generate)
    @given(hostile_trees())
    def take(tree: HostileTree) -> None:
        if interrupted():
            raise KeyboardInterrupt
        trees.append(tree)
        if len(trees) == number:
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        take()
    return trees


def _seed_of(seed_number: int, batch: int) -> str:
    return f"{seed_number} {batch}"


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
    # The trees of its batch before it have been run, and need not be run again.
    batch = index // _BATCH
    known: dict[HostileTree, Cell | None] = dict.fromkeys(trees[batch * _BATCH : index])
    known[trees[index]] = found
    smallest = (trees[index], found)
    deadline = clock() + SHRINK_SECONDS_MAX

    def fails(tree: HostileTree) -> bool:
        nonlocal smallest
        if tree not in known:
            if clock() > deadline:
                raise _EnoughError
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

    @seed(_seed_of(seed_number, batch))
    @_settings(Phase.generate, Phase.shrink)
    @given(hostile_trees())
    def fail(tree: HostileTree) -> None:
        if fails(tree):
            raise _FoundError

    with _no_files(), contextlib.suppress(_EnoughError):
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


class _EnoughError(BaseException):
    """It has gone on long enough. No Exception: Hypothesis would take that for a failure, and shrink it."""


def _settings(*phases: Phase) -> settings:
    return settings(
        max_examples=_BATCH,
        phases=phases,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
