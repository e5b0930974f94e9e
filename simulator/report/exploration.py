"""An exploration for people: outcomes, violations with the line that plays each again, counters, what it was.

Guarantees: outcomes and counters in 100 columns at most; a line to paste is never cut or wrapped; ASCII but for names;
plain text where the output is no terminal. Costs: nothing.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cache_core.errors import shown
from simulator.token import CHARACTERS_MAX, SHORT
from simulator.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from simulator.scenario import Scenario
    from simulator.search.found import Outcome, Violated
    from simulator.search.result import Exploration

WIDTH = 100
_HEADINGS = ("runs", "share", "seed", "switches")


class ExplorationReport:
    """Prints what was found.

    Args:
        stream: where to.
        replay: the line that plays the run of a token again.
    """

    def __init__(self, stream: TextIO, replay: Callable[[str], str]) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._replay = replay

    def whole(self, found: Exploration, scenario: Scenario) -> None:
        """Everything, the verdict last."""
        self._wrapped(f"{shown(scenario.name)}: {shown(scenario.summary)}", "bold")
        self._line(f"{scenario.builds} builds, protocol {scenario.protocol}, toolchain {scenario.toolchain}", "dim")
        self._outcomes(found)
        self._violations(found)
        self._counters(found)
        self._last(found)

    def _line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _outcomes(self, found: Exploration) -> None:
        rows = [_cells(item, found.explored) for item in found.outcomes]
        widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
        indent = sum(widths) + 2 * len(widths)
        self._line()
        self._line("  ".join(f"{title:>{width}}" for title, width in zip(_HEADINGS, widths, strict=True)) + "  outcome")
        for row, item in zip(rows, found.outcomes, strict=True):
            start = "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) + "  "
            text = textwrap.wrap(shown(item.signature), WIDTH - indent, break_on_hyphens=False)
            for number, part in enumerate(text):
                self._line((" " * indent if number else start) + part)
        self._line("(seed, switches: the run with the fewest switches; the token of each is in --json)", "dim")

    def _violations(self, found: Exploration) -> None:
        self._line()
        if not found.violations:
            self._line("no violations", "green")
            return
        for item in found.violations:
            self._violation(item, found.explored)
        self._line("(`shrink` for `replay`: a smaller run that fails in the same way; `--explain`: why it does)", "dim")

    def _violation(self, item: Violated, explored: int) -> None:
        violation = item.violation
        runs = f"in {item.count:,} of {counted(explored, 'run')}"
        if violation.expected:
            sentence = re.sub(r"[^\s(]+?/build/", "build/", violation.sentence)
            self._wrapped(f"expected, {runs}: {violation.oracle}: {shown(sentence)}")
        else:
            self._wrapped(f"UNEXPECTED, {runs}: {violation.oracle}: {shown(violation.sentence)}", "bold red")
        token = item.shown.token
        if len(token) > CHARACTERS_MAX:
            self._wrapped("  its schedule is too long for a token: --save FILE keeps it, for `replay FILE`", "dim")
        else:
            self._line(f"  {self._replay(token)}")

    def _wrapped(self, text: str, style: str = "") -> None:
        # A path stays in one piece, however long.
        for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False):
            self._line(line, style)

    def _counters(self, found: Exploration) -> None:
        width = len(f"{found.explored:,}")
        self._line()
        self._line("in how many runs:", "bold")
        for name, number in found.sometimes.items():
            if number:
                self._line(f"  {number:>{width},}  {name}")
        never = [name for name, number in found.sometimes.items() if not number]
        if never:
            self._wrapped(f"in none: {'; '.join(never)}", "yellow")

    def _last(self, found: Exploration) -> None:
        self._line()
        unexpected = sum(not item.violation.expected for item in found.violations)
        classes = "" if found.classes is None else f" in {counted(found.classes, 'class', 'classes')} of storms"
        more = (
            ""
            if found.complete or found.searched
            else f"; about {found.estimate_unseen:,} more to come (a rough estimate, Chao 1984)"
        )
        self._wrapped(
            f"{counted(found.explored, 'schedule')}{_time(found)},"
            f" {counted(len(found.outcomes), 'outcome')}{classes}, the last new one in run {found.last_new:,}{more};"
            f" {counted(unexpected, 'unexpected violation')}"
        )
        self._wrapped(f"{found.bound}. {self._caveat(found)}".rstrip())

    @staticmethod
    def _caveat(found: Exploration) -> str:
        if not found.searched:
            return "It is a sample: what it did not find may be there all the same."
        if found.complete or not found.estimate_runs:
            return ""
        besides = ", besides kills still to come" if found.kills else ""
        return f"Perhaps {counted(found.estimate_runs, 'run')} more (very roughly){besides}."


def _time(found: Exploration) -> str:
    """How long it took; nothing where the time of some of the runs is not known."""
    if not found.timed:
        return ""
    rate = f"{found.explored / found.seconds:,.0f} a second" if found.seconds else "in no time"
    return f" in {found.seconds:.1f} s ({rate})"


def _cells(item: Outcome, explored: int) -> tuple[str, str, str, str]:
    share = 100 * item.count / explored
    # A schedule that was found is no seed's.
    seed = "-" if item.shown.token.startswith(f"{SHORT}.") else str(item.shown.seed)
    return (f"{item.count:,}", f"{share:.1f} %", seed, f"{item.shown.switches:,}")
