"""States against cleaners as a table: a sign and a word a cell, so that no colour is needed to read it.

Guarantees: 100 columns at most, whatever names there are (more cleaners than fit make further tables), but for shell
commands, which stay whole; signs in ASCII; plain text where the output is no terminal. Costs: nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cache_core.errors import shown
from scenarios.states.control import ORDINARY
from scenarios.states.state import RANDOM
from simulator.torture.verdicts import CLEAN, FAILED, HARMED, LIED, REPORTED, SKIPPED, TIMEOUT, VERDICTS, count
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from simulator.torture.random_states import Shrunk
    from simulator.torture.verdicts import Cell

WIDTH = 100
_CELL = 10
_NAME_MIN = 22
_INDENT = "  "
# Beyond so many, lines about single cells are no help; they are in the document.
_DETAILS_MAX = 12
_DETAILS_EACH = 2
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

SIGNS = {CLEAN: "+", REPORTED: "=", SKIPPED: ".", FAILED: "-", LIED: "?", TIMEOUT: "~", HARMED: "!"}
_STYLES = {
    CLEAN: "green",
    REPORTED: "green",
    SKIPPED: "dim",
    FAILED: "yellow",
    LIED: "red",
    TIMEOUT: "red",
    HARMED: "bold red",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A state and the group that it is told under."""

    group: str
    state: str


def word(verdict: str) -> str:
    """A verdict with its sign."""
    return f"{SIGNS[verdict]}{verdict}"


def heading(cleaner: str) -> str:
    """What a column is called, if that fits."""
    return cleaner.replace("==", " ")


class Matrix:
    """Prints what came of cells.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def whole(self, rows: Sequence[Row], cells: Sequence[Cell], shrunk: Sequence[Shrunk]) -> None:
        """Tables, counts, what was wrong, what random states shrank to, the verdict."""
        # Of random states there are many, and nothing is to be said of those that all cleaners empty.
        bad = {cell.state for cell in cells if not cell.good}
        rows = [row for row in rows if row.group != RANDOM or row.state in bad]
        cleaners = list(dict.fromkeys(cell.cleaner for cell in cells))
        letters = self._legend(cleaners)
        name = max([_NAME_MIN, *(len(row.state) for row in rows)]) + len(_INDENT) + 1
        fit = max(1, (WIDTH - name) // _CELL)
        for start in range(0, len(cleaners), fit):
            self._table(rows, cells, {one: letters[one] for one in cleaners[start : start + fit]}, name)
            self._line()
        self._details(cells)
        for one in shrunk:
            self._shrunk(one)
        self._line(_summary(cells))

    def _line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _legend(self, cleaners: list[str]) -> dict[str, str]:
        """The heading of each cleaner's column: its name, or a letter that is explained."""
        named = {}
        letters = (letter + again for again in ("", *_LETTERS) for letter in _LETTERS)
        for cleaner in cleaners:
            fits = len(heading(cleaner)) < _CELL and cleaner.isprintable()
            named[cleaner] = heading(cleaner) if fits else next(letters)
            if not fits:
                for line in _wrapped(f"{named[cleaner]}  {shown(cleaner)}"):
                    self._line(line)
        if any(named[cleaner] != heading(cleaner) for cleaner in cleaners):
            self._line()
        return named

    def _table(self, rows: Sequence[Row], cells: Sequence[Cell], columns: dict[str, str], name: int) -> None:
        found = {(cell.state, cell.cleaner): cell.verdict for cell in cells}
        self._line(" " * name + "".join(f"{title:<{_CELL}}" for title in columns.values()).rstrip(), "bold")
        group = None
        for row in rows:
            if row.group != group:
                group = row.group
                self._line(group, "bold")
            line = Text(f"{_INDENT}{row.state:<{name - len(_INDENT)}}")
            for cleaner in columns:
                verdict = found.get((row.state, cleaner))
                text = "" if verdict is None else word(verdict)
                line.append(f"{text:<{_CELL}}", style=_STYLES.get(verdict or "", ""))
            line.rstrip()
            self._console.print(line)
        self._counts(cells, columns, name)

    def _counts(self, cells: Sequence[Cell], columns: dict[str, str], name: int) -> None:
        counts = count(cells)
        self._line("counts", "bold")
        for verdict in VERDICTS:
            numbers = [counts[cleaner][verdict] for cleaner in columns]
            if any(numbers):
                told = "".join(f"{number or '':<{_CELL}}" for number in numbers)
                self._line(f"{_INDENT}{word(verdict):<{name - len(_INDENT)}}{told}".rstrip(), _STYLES[verdict])

    def _details(self, cells: Sequence[Cell]) -> None:
        """The first few of each cleaner and verdict, the worst verdicts first."""
        told = 0
        bad = [cell for cell in cells if not cell.good]
        for verdict in reversed(VERDICTS):
            for cleaner in dict.fromkeys(cell.cleaner for cell in bad):
                same = [cell for cell in bad if (cell.cleaner, cell.verdict) == (cleaner, verdict)]
                few = same if len(bad) <= _DETAILS_MAX else same[:_DETAILS_EACH]
                told += len(few)
                for cell in few:
                    for line in _wrapped(f"{cell.state}, {shown(cleaner)}: {verdict}: {cell.error}"):
                        self._line(line)
        if told < len(bad):
            self._line(f"and {len(bad) - told:,} more; --json has all of them")
        if any(cell.state == ORDINARY for cell in bad):
            self._line(f"whoever fails on the state '{ORDINARY}' may have been started wrongly: look at the command")
        for reason in dict.fromkeys(cell.error for cell in cells if cell.verdict == SKIPPED):
            states = dict.fromkeys(cell.state for cell in cells if cell.verdict == SKIPPED and cell.error == reason)
            for line in _wrapped(f"skipped: {', '.join(states)}: {reason}"):
                self._line(line)
        if bad or any(cell.verdict == SKIPPED for cell in cells):
            self._line()

    def _shrunk(self, one: Shrunk) -> None:
        for line in _wrapped(f"{shown(one.cleaner)}: {one.state}, shrunk: {one.cell.verdict}: {one.cell.error}"):
            self._line(line, "bold")
        for command in one.commands:
            self._line(f"{_INDENT}{command}")
        self._line()


def _summary(cells: Sequence[Cell]) -> str:
    counts = Counter(cell.verdict for cell in cells)
    told = [f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict]]
    return f"{counted(len(cells), 'cell')}: {', '.join(told) or 'none'}"


def _wrapped(text: str) -> Iterator[str]:
    """Lines of at most `WIDTH` columns; further ones are indented."""
    while len(text) > WIDTH:
        cut = text.rfind(" ", len(_INDENT) + 1, WIDTH + 1)
        cut = cut if cut > 0 else WIDTH
        yield text[:cut].rstrip()
        text = _INDENT + text[cut:].lstrip()
    yield text
