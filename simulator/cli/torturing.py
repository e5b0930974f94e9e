"""What `cachestorm torture` does between its arguments and its report."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from cache_core.errors import shown
from cache_core.kernel import REAL
from scenarios.states import GROUPS, STATES
from scenarios.states.privileged import MOUNTS
from scenarios.states.state import RANDOM
from simulator.cli.output import note
from simulator.errors import BadInputError, MachineError
from simulator.naming import unknown_message
from simulator.report.matrix import Row
from simulator.torture.bench import Bench
from simulator.torture.cell import Terms
from simulator.torture.cleaners import DEFAULT, find_cleaners
from simulator.torture.verdicts import VERDICTS, count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from scenarios.states.hostile_trees import HostileTree
    from scenarios.states.state import State
    from simulator.cli.signals import Interruption
    from simulator.torture.cleaners import Cleaner
    from simulator.torture.random_states import Shrunk
    from simulator.torture.verdicts import Cell


# Of a terminal, less than the narrowest that people use.
_COLUMNS = 78


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        states: in the order in which they run.
        cleaners: likewise; None stands for nobody.
        keep: names of states that are left for a look.
        trees: of random states, in the same order; empty for named ones.
        seed: of random ones.
    """

    states: list[State]
    cleaners: Sequence[Cleaner | None]
    keep: frozenset[str] = frozenset()
    trees: Sequence[HostileTree] = ()
    seed: int = 0

    @property
    def groups(self) -> dict[str, str]:
        """The group of each state."""
        return {state.name: state.group for state in self.states}

    def rows(self) -> list[Row]:
        """For the table."""
        return [Row(state.group, state.name) for state in self.states]


@dataclass(slots=True)
class Outcome:
    """What came of it, as far as it came."""

    cells: list[Cell] = field(default_factory=list)
    shrunk: list[Shrunk] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "cells": [cell.document() for cell in self.cells if cell.cleaner],
            "counts": {cleaner: dict(numbers) for cleaner, numbers in count(self.cells).items() if cleaner},
            "shrunk": [one.document() for one in self.shrunk],
            "kept": [
                {"state": cell.state, "cleaner": cell.cleaner or None, "path": cell.kept}
                for cell in self.cells
                if cell.kept is not None
            ],
        }


def wanted(cleaners: Sequence[str], states: Sequence[str], keep: Sequence[str], *, named: bool) -> Wanted:
    """Read the arguments, and have the cleaners ready.

    Raises:
        BadInputError: A name that is none, a command that cannot be run, a state that cannot be kept.
        MachineError: A release of a real tool cannot be had.
    """
    chosen = _states(keep or states) if named else []
    for state in chosen if keep else ():
        if MOUNTS in state.recipe().needs:
            raise BadInputError(
                "bad-state",
                state.name,
                f"--keep '{state.name}': its mounts go with the run, and nothing would be left to look at; how it is"
                f" made: cachestorm list states {state.name}",
            )
    names = list(cleaners) or ([] if keep else list(DEFAULT))
    ready: list[Cleaner | None] = [*trio.run(partial(find_cleaners, names, note))]
    return Wanted(chosen, ready or [None], frozenset(state.name for state in chosen) if keep else frozenset())


def with_random_states(chosen: Wanted, number: int, seed: int, interruption: Interruption) -> Wanted:
    """The same with so many random states of a seed.

    Raises:
        InterruptedRunError: A signal came while they were drawn.
    """
    from simulator.torture import random_states  # noqa: PLC0415 - Hypothesis takes a while

    try:
        trees = random_states.draw(number, seed, interruption)
    except KeyboardInterrupt:
        raise interruption.error() from None
    return replace(chosen, states=random_states.states(trees, seed), trees=trees, seed=seed)


def _states(names: Sequence[str]) -> list[State]:
    groups = {group.name: group.states for group in GROUPS}
    chosen: dict[str, State] = {}
    for name in names:
        if name in STATES:
            chosen[name] = STATES[name]
        elif name in groups:
            chosen.update({state.name: state for state in groups[name]})
        elif name.startswith(f"{RANDOM}-"):
            chosen[name] = _random_state(name)
        else:
            message = unknown_message("state", shown(name), [*STATES, *groups], listed=list(groups))
            raise BadInputError("unknown-state", name, message)
    # In one order, whatever the order of the arguments: groups stay together.
    order = {name: place for place, name in enumerate(STATES)}
    in_order = sorted(chosen.values(), key=lambda state: order.get(state.name, len(order)))
    return in_order if names else list(STATES.values())


def _random_state(name: str) -> State:
    from simulator.torture import random_states  # noqa: PLC0415 - Hypothesis takes a while

    return random_states.state_by_name(name)


def work(chosen: Wanted, parent: str, timeout: float, interruption: Interruption, *, show: bool) -> Outcome:
    """Run all cells, and shrink what random states found; ends early when a signal comes.

    Raises:
        MachineError: No sandbox, no room, a cleaner that cannot be started.
    """
    outcome = Outcome()
    view = View(sys.stderr) if show else None
    terms = Terms(timeout, os.environ, interruption)
    with Bench(os.path.realpath(parent), terms, chosen.keep, None if view is None else view.before) as bench:
        try:
            for cell in bench.run(chosen.states, chosen.cleaners):
                outcome.cells.append(cell)
                if view is not None:
                    view.after(cell)
            if chosen.trees and not interruption():
                _shrink(chosen, bench, outcome, view)
        except KeyboardInterrupt:
            # Interrupted while it shrank: what was found is told.
            if not interruption():
                raise
        finally:
            outcome.kept = bench.kept
            if view is not None:
                view.clear()
    return outcome


def _shrink(chosen: Wanted, bench: Bench, outcome: Outcome, view: View | None) -> None:
    """For each cleaner and each bad verdict the first random state that has it, made small."""
    from simulator.torture import random_states  # noqa: PLC0415 - loaded already

    names = [state.name for state in chosen.states]
    for cleaner in chosen.cleaners:
        assert cleaner is not None  # noqa: S101 - random states are not kept
        bad = [cell for cell in outcome.cells if cell.cleaner == cleaner.name and not cell.good]
        # The first of each kind, the worst kind first.
        for verdict in reversed(VERDICTS):
            first = next((cell for cell in bad if cell.verdict == verdict), None)
            if first is None:
                continue
            if view is not None:
                view.tell(f"shrinking {first.state} for {shown(cleaner.name)}")
            run = partial(_again, bench, cleaner)
            index = names.index(first.state)
            outcome.shrunk.append(random_states.shrink(chosen.trees, index, first, seed_number=chosen.seed, run=run))


def _again(bench: Bench, cleaner: Cleaner, tree: HostileTree) -> Cell | None:
    return bench.one(tree.state("shrinking"), cleaner)


def check_can_write(path: str) -> None:
    """Make sure that a file can be written, and leave what is there as it is.

    Raises:
        BadInputError: It cannot.
    """
    there = os.path.lexists(path)
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        raise BadInputError("bad-output", path, f"--junit '{path}' cannot be written: {error.strerror}") from error
    if not there:
        REAL.unlink(path)


def write_junit(path: str, outcome: Outcome, chosen: Wanted) -> None:
    """Write the verdicts as test results.

    Raises:
        MachineError: There is no room, or the like.
    """
    from simulator.report.junit import junit  # noqa: PLC0415 - only who asks for it pays for it

    text = junit([cell for cell in outcome.cells if cell.cleaner], chosen.groups)
    try:
        with open(path, "wb") as file:
            file.write(text)
    except OSError as error:
        raise MachineError("space", path, f"--junit '{path}' was not written: {error.strerror}") from error


class View:
    """Progress on stderr: a line that gives way to the next on a terminal, a line for each state elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._state: str | None = None
        self._line: list[str] = []
        self._bad = 0

    def before(self, number: int, whole: int, state: State, cleaner: Cleaner | None) -> None:
        """A cell begins."""
        if self._live:
            who = shown(cleaner.name) if cleaner is not None else "to be kept"
            self.tell(
                f"{number + 1} of {whole}: {state.name}, {who}" + (f"; {self._bad} bad so far" if self._bad else "")
            )

    def after(self, cell: Cell) -> None:
        """It has ended."""
        self._bad += not cell.good
        if self._live:
            return
        if cell.state != self._state:
            self.clear()
            self._state = cell.state
        self._line.append(f"{shown(cell.cleaner)} {cell.verdict}" if cell.cleaner else "laid")

    def tell(self, text: str) -> None:
        """What takes long now."""
        if self._live:
            self._stream.write(f"\r\x1b[K{text[:_COLUMNS]}")
            self._stream.flush()

    def clear(self) -> None:
        """Finish the line, or leave the terminal as if nothing had been."""
        if self._live:
            self._stream.write("\r\x1b[K")
        elif self._line:
            self._stream.write(f"{self._state}: {', '.join(self._line)}\n")
            self._line = []
        self._stream.flush()
