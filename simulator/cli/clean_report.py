"""What `cachestorm clean` says: of whom it waits for, of what it did, of what stays. Words only."""

from __future__ import annotations

import os

from cache_core.errors import shown
from cache_core.report import LOCK_UNAVAILABLE
from simulator.cli.output import note, print_document
from simulator.words import counted, files_and_directories, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.holders import Holder
    from cache_core.report import CleanReport
    from simulator.errors import InterruptedRunError


def waiting(path: str, holders: tuple[Holder, ...]) -> str:
    """Who keeps the cache, and what can be done about it."""
    from cache_core.holders import in_words  # noqa: PLC0415 - only who waits pays for it

    return (
        f"waiting for {in_words(holders)} to finish with '{shown(path)}'; --force goes on without, --timeout gives up"
    )


def interrupted(error: InterruptedRunError, report: CleanReport) -> InterruptedRunError:
    """The error, with the report so far."""
    done = f"{files_and_directories(report.files_removed, report.directories_removed)} ({size(report.bytes_freed)})"
    if report.dry_run:
        error.message = f"interrupted by {error.value}; nothing was changed"
    elif report.cancelled:
        error.message = f"interrupted by {error.value} after {done} were removed; run it again to finish"
    else:
        error.message = f"interrupted by {error.value} when all was done: {done} removed; {_verdict(report)}"
    error.report = report.document()
    return error


def show(report: CleanReport, *, as_json: bool) -> None:
    """The report on stdout; on stderr what its reader should beware of."""
    if report.lock == LOCK_UNAVAILABLE:
        note(
            f"cleaned without its lock: '{shown(report.path)}/.lock' can be neither opened nor made"
            f" ({report.lock_error or 'something else is there'}); a build that used the cache was not waited for"
        )
    if as_json:
        print_document({"schema": "cachestorm/clean/1", **report.document()})
        return
    counts = files_and_directories(report.files_removed, report.directories_removed)
    if report.dry_run:
        print(f"would remove {counts}, {size(report.bytes_freed)}; nothing was changed")
    for left in report.left:
        # On a line by itself "." says nothing.
        path = report.path if left.path == "." else left.path
        print(f"  left: {shown(path)}: {left.reason} ({left.errno})")
    if report.dry_run:
        if report.empty or report.left:
            print(_verdict(report))
        return
    repaired = counted(report.permissions_repaired, "directory", "directories")
    extra = f", {repaired} made accessible" if report.permissions_repaired else ""
    freed = f"{size(report.bytes_freed)} freed"
    print(f"{_verdict(report)}; removed {counts}, {freed}{extra}, {report.seconds:.2f} s")


def _verdict(report: CleanReport) -> str:
    if report.absent:
        path = f"'{shown(report.path)}'"
        return f"there is nothing where {path} leads" if os.path.islink(report.path) else f"there is nothing at {path}"
    if report.dry_run:
        unread = f"{counted(len(report.left), 'place')} could not be read"
        return "the cache is empty already" if report.empty else unread
    if report.residue_only:
        return "residue is left" if report.left else "no residue is left"
    return "cache is empty" if report.empty else f"cache is NOT empty: {counted(len(report.left), 'path')} left"
