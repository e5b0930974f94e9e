"""All states, all cleaners: one cell after the other, and nothing of it left.

Cells run one at a time, so that what one takes is not taken from another, and no cleaner is in another's way.
Guarantees: when a run is over, however it ends, its places are gone, flags and foreign owners included, but for those
that were to be kept. Not guaranteed: that after SIGKILL; a later run in the same place sweeps.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cache_core.kernel import REAL
from scenarios.states.privileged import FLAGS, OWNERS, release
from simulator.torture.cell import STAGE, Terms, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scenarios.states.state import State
    from simulator.ground.sandbox import Sandbox
    from simulator.torture.cleaners import Cleaner
    from simulator.torture.verdicts import Cell

KEPT_PREFIX = "cachestorm-kept"
_KEPT_NAMES_MAX = 1_000


@dataclass(slots=True)
class Bench:
    """Where cells run.

    Attributes:
        sandbox: for places that go.
        terms: of all cells.
        keep: names of states whose places stay.
        kept: directories that stay, in the order in which they were made.
        before: told each cell before it runs: how many are done, how many there are, the state, the cleaner.
    """

    sandbox: Sandbox
    terms: Terms
    keep: frozenset[str] = frozenset()
    before: Callable[[int, int, State, Cleaner | None], None] | None = None
    kept: list[str] = field(default_factory=list)

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
            directory = self._kept_directory(state, cleaner)
            cell = run_cell(state, cleaner, directory, self.terms)
            return None if cell is None else replace(cell, kept=f"{directory}/{STAGE}")
        directory = self.sandbox.fresh()
        try:
            return run_cell(state, cleaner, directory, self.terms)
        finally:
            if state.recipe().needs & {FLAGS, OWNERS}:
                self.sandbox.require_own(directory)
                release(directory)

    def _kept_directory(self, state: State, cleaner: Cleaner | None) -> str:
        """A new directory beside the sandbox, that nobody sweeps."""
        who = "" if cleaner is None else "-" + re.sub(r"[^A-Za-z0-9.=]+", "-", cleaner.name)[:40].strip("-")
        parent = os.path.dirname(self.sandbox.path)
        for number in range(_KEPT_NAMES_MAX):
            path = f"{parent}/{KEPT_PREFIX}-{state.name}{who}" + (f"-{number}" if number else "")
            try:
                REAL.mkdir(path, 0o755)
            except FileExistsError:
                continue
            self.kept.append(path)
            return path
        raise FileExistsError(path)
