"""The outcome of a run in one line, the same for the same kind of result, whatever the schedule.

What came of the builds, what they left, what each cleaner made of it, what else an oracle found. Builds are not told
apart and not counted: it says which ends there were (``ok``, ``rmdir ENOTEMPTY``), not whose, nor how many of them. So
two of eight that fail alike are the outcome that three of eight are; of two builds it says all there is to say. Paths,
numbers of files and the phase of a failure are left out likewise.

Guarantees: a function of the report alone. Costs: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.trace import errno_name, mode_digits
from simulator.running.outcome import FAILED, OK

if TYPE_CHECKING:
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, RunReport

# Their violations are told by the ends of builds and of cleaners.
_TOLD_BY_ENDS = frozenset({"build-hurt", "cache-empty", "cleaner-failed"})


def signature(report: RunReport) -> str:
    """``ok, rmdir ENOTEMPTY; poisoned 0200, partial tree; hardened: empty``."""
    ends = {_end(build) for build in report.builds}
    parts = [", ".join(sorted(ends, key=lambda end: (end != OK, end))) or "no builds", _left(report)]
    parts += [f"{cleaner.name}: {_verdict(cleaner)}" for cleaner in report.cleaners]
    parts += sorted({item.signature for item in report.violations if item.oracle not in _TOLD_BY_ENDS})
    return "; ".join(parts)


def _end(build: BuildOutcome) -> str:
    failure = build.failure
    if build.outcome != FAILED or failure is None:
        return build.outcome
    what = errno_name(failure.errno) or failure.type
    call = f"{failure.operation} {what}" if failure.operation else what
    return f"{call} (injected)" if failure.injected else call


def _left(report: RunReport) -> str:
    modes = sorted({item.mode for item in report.residue.poisoned})
    kinds = [f"poisoned {mode_digits(mode)}" for mode in modes]
    kinds += ["partial tree"] if report.residue.partial_trees else []
    return ", ".join(kinds) or "no residue"


def _verdict(cleaner: CleanerOutcome) -> str:
    if cleaner.killed:
        return "killed"
    failed = "" if cleaner.reported_success else f"failed {errno_name(cleaner.errno) or ''}".rstrip()
    if cleaner.empty is None:
        return failed or "done"
    state = "empty" if cleaner.empty else "not empty"
    return f"{state}, {failed}" if failed else state
