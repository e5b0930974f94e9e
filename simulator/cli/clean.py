"""`cachestorm clean`: the hardened cleaner as a product.

Starts fast: before the first entry goes, nothing is loaded but click and `cache_core`. Drops no privilege: root must
be able to empty another user's cache.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from simulator.cli.output import note, print_document
from simulator.cli.parameters import Duration, debug_option, examples, json_option
from simulator.cli.signals import Interruption
from simulator.report.words import counted, files_and_directories, size

if TYPE_CHECKING:
    from cache_core.cleaner import CleanReport
    from cache_core.outcome import Progress

_PROGRESS_SECONDS = 0.2


@click.command(
    "clean",
    short_help="Empty a cache, whatever state it is in.",
    epilog=examples(
        "cachestorm clean ~/.cache/uv",
        "cachestorm clean ~/.cache/uv --dry-run",
        "cachestorm clean ~/.cache/uv --residue-only --timeout 30s",
    ),
)
@click.argument("path")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would go.")
@click.option("--residue-only", is_flag=True, help="Remove what failed builds left, keep the rest of the cache.")
@click.option("--force", is_flag=True, help="Do not wait for builds that use the cache; nothing else is forced.")
@click.option("--untagged", is_flag=True, help="Clean a directory without a valid CACHEDIR.TAG, too.")
@click.option("--timeout", type=Duration(), metavar="S", help="Seconds to wait for builds that use the cache.")
@click.option("--remove-root", is_flag=True, help="Remove the directory itself as well.")
@json_option()
@debug_option()
def command(
    *,
    path: str,
    dry_run: bool,
    residue_only: bool,
    force: bool,
    untagged: bool,
    timeout: float | None,
    remove_root: bool,
    as_json: bool,
) -> int:
    """Empty the cache at PATH, whatever state it is in, and touch nothing else.

    Exit 0 when it is empty (with --residue-only: when no residue is left); 1 when something stays, and then every
    path that stays is named with the reason.
    """
    if residue_only and remove_root:
        raise click.UsageError("--residue-only keeps the cache and --remove-root removes it; give one of them")
    if residue_only and dry_run:
        raise click.UsageError("--residue-only with --dry-run: `cachestorm audit PATH` shows what it would remove")
    from cache_core.cleaner import clean_sync  # noqa: PLC0415

    with Interruption() as interruption:
        progress = _ProgressLine()
        try:
            report = clean_sync(
                path,
                force=force,
                untagged=untagged,
                dry_run=dry_run,
                remove_root=remove_root,
                residue_only=residue_only,
                timeout=timeout,
                progress=progress.show if sys.stderr.isatty() else None,
                cancelled=interruption,
                on_wait=lambda _: note(
                    f"waiting for builds that use '{path}'; --force goes on without, --timeout gives up"
                ),
            )
        finally:
            progress.clear()
        if report.cancelled or interruption():
            raise _interrupted(interruption, report)
    if as_json:
        print_document({"schema": "cachestorm/clean/1", **report.document()})
    else:
        _print(report)
    return 0 if report.succeeded else 1


def _interrupted(interruption: Interruption, report: CleanReport) -> Exception:
    error = interruption.error()
    done = files_and_directories(report.files_removed, report.directories_removed)
    error.message = f"interrupted by {error.value} after {done} were removed; run it again to finish"
    return error


def _print(report: CleanReport) -> None:
    from cache_core.errors import shown  # noqa: PLC0415

    counts = files_and_directories(report.files_removed, report.directories_removed)
    if report.dry_run:
        print(f"would remove {counts}, {size(report.bytes_freed)}; nothing was changed")
    else:
        repaired = counted(report.permissions_repaired, "directory", "directories")
        extra = f", {repaired} made accessible" if report.permissions_repaired else ""
        print(f"removed {counts}, {size(report.bytes_freed)} freed{extra}, {report.seconds:.2f} s")
    for left in report.left:
        print(f"  left: {shown(left.path)}: {left.reason} ({left.errno})")
    print(_verdict(report))


def _verdict(report: CleanReport) -> str:
    if report.dry_run:
        return (
            "the cache is empty already" if report.empty else f"{counted(len(report.left), 'place')} could not be read"
        )
    if report.residue_only:
        return "residue is left" if report.left else "no residue is left"
    return "cache is empty" if report.empty else f"cache is NOT empty: {counted(len(report.left), 'path')} left"


class _ProgressLine:
    """One line on the terminal, while it takes long."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PROGRESS_SECONDS
        self._shown = False

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._shown = now + _PROGRESS_SECONDS, True
        done = files_and_directories(progress.files_removed, progress.directories_removed)
        print(f"\r\x1b[K{done} removed", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
