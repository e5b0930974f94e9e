"""The report of a run for people: builds, residue as `ls -l` shows it, cleaners, verdict, token.

Guarantees: no control character of a name reaches the terminal; plain text where the output is no terminal, nothing
cut off or wrapped, so that it can be searched and pasted; ASCII but for names.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cache_core.errors import shown
from simulator.engine.trace import errno_name
from simulator.report.story import story_rows
from simulator.report.swap import swap_rows
from simulator.running.outcome import FAILED, KILLED, OK
from simulator.tools.failures import EXIT, TIMEOUT
from simulator.words import files_and_directories

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from simulator.explaining.poisoning import Story
    from simulator.explaining.swap import Explanation
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, Residue, RunReport, Violation
    from simulator.scenario import Scenario

_STYLES = {OK: "green", FAILED: "red", KILLED: "magenta"}
# A file or an issue takes wider lines than the 80 columns of a terminal that nobody knows.
_WIDTH_ELSEWHERE = 100
_PARTIAL = "partial tree"


class Report:
    """Prints sections of a report.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def width(self) -> int:
        """Of the terminal, in columns."""
        return self._console.width if self._console.is_terminal else _WIDTH_ELSEWHERE

    def line(self, text: str = "", style: str = "", aside: str = "") -> None:
        """One line, on the stream at once; what is said aside is dim."""
        self._console.print(Text(text, style=style).append(aside, style="dim"))
        self._console.file.flush()

    def title(self, scenario: Scenario, seed: int, tool: str | None = None) -> None:
        """What runs; with a tool, for real."""
        self.line(f"{shown(scenario.name)}: {shown(scenario.summary)}", "bold")
        how = f"protocol {scenario.protocol}" if tool is None else f"real installs by {tool}"
        self.line(f"seed {seed}, {scenario.builds} builds, {how}, toolchain {scenario.toolchain}", "dim")

    def builds(self, builds: Sequence[BuildOutcome]) -> None:
        """A row a build."""
        real = any(item.seconds is not None for item in builds)
        rows = [("build", "outcome", "phase", "seconds" if real else "steps", "error")]
        rows += [(item.actor, item.outcome, item.phase, _length(item), _why(item)) for item in builds]
        widths = [max(len(row[place]) for row in rows) for place in range(4)]
        self.line()
        for number, row in enumerate(rows):
            text = Text(f"{row[0]:<{widths[0]}}  ")
            text.append(f"{row[1]:<{widths[1]}}", style=_STYLES.get(row[1], ""))
            text.append(f"  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]}")
            text.rstrip()
            text.stylize("" if number else "bold")
            self._console.print(text)
        self.line(summary_of_builds(builds))

    def residue(self, residue: Residue) -> None:
        """Partial trees and poisoned directories, by the directory that they are in."""
        self.line()
        self.line(f"residue: {files_and_directories(residue.files, residue.directories)} in the cache", "bold")
        if not residue.partial_trees and not residue.poisoned:
            self.line("  no partial build trees, no poisoned directories")
            return
        places = common_places([*residue.partial_trees, *(item.path for item in residue.poisoned)])
        for place in dict.fromkeys(places.values()):
            self.line(f"  {shown(place)}:" if place else "  .:")
            for path in residue.partial_trees:
                if places[path] == place:
                    self.line(f"    {_PARTIAL}  {shown(_below(path, place))}", "yellow")
            for item in residue.poisoned:
                if places[item.path] == place:
                    mode = stat.filemode(stat.S_IFDIR | item.mode)
                    self.line(f"    {mode}    {shown(_below(item.path, place))}", "red")

    def cleaner(self, outcome: CleanerOutcome) -> None:
        """What a cleaner did, and said."""
        counts = f"{files_and_directories(outcome.files_removed, outcome.directories_removed)} removed"
        if outcome.killed:
            verdict, style = "killed", "magenta"
        elif outcome.empty is None:
            verdict, style = ("done" if outcome.ok else "failed"), "" if outcome.ok else "red"
            verdict += " (in the storm)"
        else:
            verdict, style = ("cache is empty", "green") if outcome.empty else ("cache is NOT empty", "red")
        self.line(f"{outcome.name}: {verdict}; {counts}", style)
        if outcome.error and not outcome.killed:
            for line in outcome.error.splitlines():
                self.line(f"  {shown(line)}")

    def idle_faults(self, faults: Sequence[str]) -> None:
        """The faults that did not strike, so that nobody reads their absence as a result."""
        for fault in faults:
            self.line(f"the fault {shown(fault)} did not strike: its actor takes no part, or ended before", "yellow")

    def violations(self, violations: Sequence[Violation]) -> None:
        """The unexpected ones in full; of the expected, one of each kind and their number."""
        self.line()
        if not violations:
            self.line("no violations", "green")
            return
        for item in violations:
            if not item.expected:
                self.line(f"UNEXPECTED violation of {item.oracle}: {shown(item.sentence)}", "bold red")
        counts = Counter(item.signature for item in violations if item.expected)
        if counts:
            self.line("violations that the scenario expects:")
        for signature, count in sorted(counts.items()):
            first = next(item for item in violations if item.signature == signature and item.expected)
            more = f" (and {count - 1} more like it)" if count > 1 else ""
            self.line(f"  {first.oracle}: {shown(_shortened(first.sentence))}{more}")

    def token(self, report: RunReport, replay: str) -> None:
        """What to paste."""
        self.line()
        self.line(f"token   {report.token}")
        self.line(f"replay  {replay}")

    def story(self, story: Story | None) -> None:
        """How the first poisoning came about."""
        self.line()
        if story is None:
            self.line("no directory was poisoned in this run: there is no story to tell")
            return
        self.line("the story of the first poisoning", "bold")
        for row, note in story_rows(story, self.width):
            self.line(shown(row), aside=note)

    def swap(self, explanation: Explanation | None) -> None:
        """What must not swap."""
        self.line()
        if explanation is None:
            self.line("no violation and no poisoned directory: there is nothing that must not swap")
            return
        self.line("what must not happen" if explanation.kills else "what must not swap", "bold")
        for row, note in swap_rows(explanation, self.width):
            self.line(shown(row), aside=note)

    def whole(self, report: RunReport, scenario: Scenario, replay: str) -> None:
        """Everything that a run found; `replay` is the line that plays it again, which a real one has not."""
        self.title(scenario, report.seed, report.tool)
        self.builds(report.builds)
        if report.steps is not None:
            self.line(f"{report.steps:,} steps, {report.switches or 0:,} switches")
        self.residue(report.residue)
        self.line()
        for outcome in report.cleaners:
            self.cleaner(outcome)
        self.idle_faults(report.idle_faults)
        self.violations(report.violations)
        if report.token is not None:
            self.token(report, replay)


def summary_of_builds(builds: Iterable[BuildOutcome]) -> str:
    """``1 ok, 6 failed, 1 killed``."""
    counts = Counter(item.outcome for item in builds)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in (OK, FAILED, KILLED))


def common_places(paths: Iterable[str]) -> dict[str, str]:
    """For each path the directory to show it under: what is above its `build` directory, else its parent."""
    return {path: _place(path) for path in paths}


def _place(path: str) -> str:
    above, found, _ = f"/{path}".partition("/build/")
    return above.lstrip("/") if found else path.rpartition("/")[0]


def _below(path: str, place: str) -> str:
    return path.removeprefix(place).lstrip("/") if place else path


def _length(build: BuildOutcome) -> str:
    return f"{build.steps:,}" if build.seconds is None else f"{build.seconds:.1f}"


def _why(build: BuildOutcome) -> str:
    failure = build.failure
    if failure is None:
        return ""
    what = errno_name(failure.errno) or failure.type
    if failure.type in {EXIT, TIMEOUT}:
        # No row of the table of real failures: what it said is all that is known.
        return shown(failure.message)
    # Of a real build the call is not always known.
    call = f" {failure.operation}" if failure.operation else ""
    where = "" if failure.path is None else f"{call} {shown(_below(failure.path, _place(failure.path)))}"
    return f"{what}{where}" + (" (injected)" if failure.injected else "")


def _shortened(sentence: str) -> str:
    """A sentence whose paths begin at their `build` directory."""
    return re.sub(r"[^\s(]+?/build/", "build/", sentence)
