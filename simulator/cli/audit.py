"""`cachestorm audit`: what is in a cache, what of it is residue; changes nothing and drops no privilege."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import debug_option, examples, json_option
from simulator.words import files_and_directories, size

if TYPE_CHECKING:
    from cache_core.auditing import AuditReport, Residue


@click.command(
    "audit",
    short_help="Show what is in a cache, and what of it is residue.",
    epilog=examples("cachestorm audit ~/.cache/uv", "cachestorm audit ~/.cache/uv --json"),
)
@click.argument("path")
@json_option()
@debug_option()
def command(*, path: str, as_json: bool) -> int:
    """Show what is in the cache at PATH, and what failed builds and killed cleaners left there.

    That is: partial build trees, temporary names, trash, and directories that keep their owner out, with the entry that
    such a directory makes incomplete. Exit 0 when there is no residue, 1 when there is, or when a place could not be
    looked into.
    """
    from cache_core.auditing import audit  # noqa: PLC0415

    report = audit(path)
    if as_json:
        print_document({"schema": "cachestorm/audit/1", **report.document()})
    else:
        _print(report)
    return 1 if report.has_residue or report.unreadable else 0


def _print(report: AuditReport) -> None:
    from cache_core.errors import shown  # noqa: PLC0415

    counts = files_and_directories(report.files, report.directories)
    held = "empty" if os.path.lexists(report.path) else "nothing there"
    print(f"{shown(report.path)}: " + (held if report.empty else f"{counts}, {size(report.bytes)}"))
    seen_in_part = report.seen_in_part
    for item in report.residue:
        print(f"  {item.kind.replace('-', ' '):12}  {shown(item.path)}: {_with_it(item, seen_in_part)}")
    for poisoned in report.poisoned:
        print(f"  {poisoned.listed:12}  {shown(poisoned.path)}")
    for left in report.unreadable:
        print(f"  not read      {shown(left.path)}: {left.reason} ({left.errno})")
    if report.has_residue:
        print(f"residue; `cachestorm clean --residue-only {shown(report.path)}` removes it and keeps the rest")
    elif not report.unreadable:
        print("no residue")


def _with_it(item: Residue, seen_in_part: frozenset[str]) -> str:
    """What goes with residue."""
    if item.is_shut_shelf:
        return "what is in it is unknown; --residue-only opens it, looks, and keeps what is whole"
    counts = files_and_directories(item.files, item.directories) if item.directories else "1 file"
    return f"{counts}, and what is not read" if item.path in seen_in_part else counts
