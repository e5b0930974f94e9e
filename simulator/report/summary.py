"""Many runs of one scenario in a few lines: a compact line each, and what they have in common."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.report.text import summary_of_builds
from simulator.running.outcome import FAILED

if TYPE_CHECKING:
    from simulator.running.outcome import CleanerOutcome, RunReport


def line_of(report: RunReport) -> str:
    """One run in one line."""
    unexpected = sum(not item.expected for item in report.violations)
    parts = [
        f"seed {report.seed}: {summary_of_builds(report.builds)}",
        f"{len(report.residue.poisoned)} poisoned, {len(report.residue.partial_trees)} partial",
        *(f"{_label(cleaner)} {'ok' if cleaner.ok else 'failed'}" for cleaner in report.cleaners),
        f"{len(report.violations) - unexpected} expected violations",
    ]
    if unexpected:
        parts.append(f"{unexpected} UNEXPECTED")
    return "; ".join((*parts, report.token or f"real installs by {report.tool}"))


@dataclass(slots=True)
class Summary:
    """What many runs have in common.

    Attributes:
        seeds: How many runs.
        poisoned: In how many of them a directory was poisoned.
        unexpected: In how many an oracle said no that the scenario does not tolerate.
        builds, failed: Of all runs.
        switches: Of each run.
        cleaner_failures: How often each cleaner failed.
    """

    seeds: int = 0
    poisoned: int = 0
    unexpected: int = 0
    builds: int = 0
    failed: int = 0
    switches: list[int] = field(default_factory=list)
    cleaner_failures: dict[str, int] = field(default_factory=dict)

    def add(self, report: RunReport) -> None:
        """Count one run."""
        self.seeds += 1
        self.poisoned += bool(report.residue.poisoned)
        self.unexpected += not report.as_expected
        self.builds += len(report.builds)
        self.failed += sum(build.outcome == FAILED for build in report.builds)
        if report.switches is not None:
            self.switches.append(report.switches)
        for cleaner in report.cleaners:
            label = _label(cleaner)
            self.cleaner_failures[label] = self.cleaner_failures.get(label, 0) + (not cleaner.ok)

    def lines(self, seconds: float) -> list[str]:
        """The table.

        Args:
            seconds: How long all of it took.
        """
        rows = [
            ("seeds", f"{self.seeds}, {self.unexpected} with an unexpected violation"),
            ("poisoned", _share(self.poisoned, self.seeds, "seeds")),
            ("builds failed", _share(self.failed, self.builds, "builds")),
            *(
                (f"{name} failed", _share(count, self.seeds, "seeds"))
                for name, count in sorted(self.cleaner_failures.items())
            ),
            *([("switches", f"{statistics.median(self.switches):,.0f} a run (median)")] if self.switches else []),
            ("time", f"{seconds / max(1, self.seeds):.2f} s a seed"),
        ]
        width = max(len(name) for name, _ in rows)
        return [f"{name:<{width}}  {value}" for name, value in rows]


def _label(cleaner: CleanerOutcome) -> str:
    return f"{cleaner.name} (in the storm)" if cleaner.empty is None else cleaner.name


def _share(part: int, whole: int, of: str) -> str:
    return f"{part} of {whole} {of}" + (f" ({100 * part / whole:.0f} %)" if whole else "")
