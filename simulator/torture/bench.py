"""All states, all cleaners: one cell after the other, and nothing of it left.

Cells run one at a time, so that what one takes is not taken from another, and no cleaner is in another's way.
Guarantees: when a run is over, however it ends, its places are gone, flags and foreign owners included, but for those
that were to be kept. Not guaranteed: that after SIGKILL; a later run in the same place sweeps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from scenarios.states.privileged import FLAGS, OWNERS, release
from simulator.ground.sandbox import Sandbox
from simulator.torture.cell import STAGE, Terms, run_cell
from simulator.torture.verdicts import HARMED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from scenarios.states.state import State
    from simulator.torture.cleaners import Cleaner
    from simulator.torture.verdicts import Cell

KEPT_PREFIX = "cachestorm-kept"
_KEPT_NAMES_MAX = 1_000


@dataclass(slots=True)
class Bench:
    """Where cells run; a context manager, after which nothing is left but what was to be kept.

    Attributes:
        parent: absolute path of the directory that places are made in.
        terms: of all cells.
        keep: names of states whose places stay.
        kept: directories that stay, in the order in which they were made.
        before: told each cell before it runs: how many are done, how many there are, the state, the cleaner.
    """

    parent: str
    terms: Terms
    keep: frozenset[str] = frozenset()
    before: Callable[[int, int, State, Cleaner | None], None] | None = None
    kept: list[str] = field(default_factory=list)
    _sandbox: Sandbox | None = None

    def __enter__(self) -> Self:
        """Make a sandbox.

        Raises:
            MachineError: None can be made there.
        """
        self._sandbox = Sandbox.create(self.parent, confined=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            sandbox.__exit__(kind, error, traceback)

    def run(self, states: Sequence[State], cleaners: Sequence[Cleaner | None]) -> Iterator[Cell]:
        """Each cell, when it has run; ends early when it is interrupted.

        Raises:
            MachineError, InternalError: as `run_cell`; a place cannot be removed.
        """
        whole = len(states) * len(cleaners)
        for number, (state, cleaner) in enumerate((state, cleaner) for state in states for cleaner in cleaners):
            if self.before is not None:
                self.before(number, whole, state, cleaner)
            cell = self.one(state, cleaner)
            if cell is None:
                return
            yield cell

    def one(self, state: State, cleaner: Cleaner | None) -> Cell | None:
        """One cell; None when it was interrupted."""
        if state.name in self.keep:
            return self._kept(state, cleaner)
        sandbox = self._sandbox
        assert sandbox is not None, "a bench is used as a context manager"  # noqa: S101
        directory = sandbox.fresh()
        try:
            cell = run_cell(state, cleaner, directory, self.terms)
        finally:
            in_place = sandbox.is_in_place(sandbox.path) and sandbox.is_in_place(directory)
            if in_place and state.recipe().needs & {FLAGS, OWNERS}:
                release(directory)
        if cell is None or in_place:
            return cell
        # What is left of it, wherever it is, goes with the old sandbox.
        self.__exit__(None, None, None)
        self.__enter__()
        harm = "a directory above the one that holds the cache: was removed, moved or replaced"
        return replace(cell, verdict=HARMED, error=harm, harm=(*cell.harm, harm))

    def _kept(self, state: State, cleaner: Cleaner | None) -> Cell | None:
        directory = self._kept_directory(state, cleaner)
        cell = run_cell(state, cleaner, directory, self.terms)
        if cell is not None and cell.verdict == SKIPPED and cell.error is not None:
            # There is nothing to look at.
            remove_tree(directory)
            self.kept.remove(directory)
            return cell
        return None if cell is None else replace(cell, kept=f"{directory}/{STAGE}")

    def _kept_directory(self, state: State, cleaner: Cleaner | None) -> str:
        """A new directory beside the sandbox, that nobody sweeps."""
        who = "" if cleaner is None else "-" + re.sub(r"[^A-Za-z0-9=]+", "-", cleaner.name)[:40].strip("-")
        for number in range(_KEPT_NAMES_MAX):
            path = f"{self.parent}/{KEPT_PREFIX}-{state.name}{who}" + (f"-{number}" if number else "")
            try:
                REAL.mkdir(path, 0o755)
            except FileExistsError:
                continue
            self.kept.append(path)
            return path
        raise FileExistsError(path)
