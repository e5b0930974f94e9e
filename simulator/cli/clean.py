"""`cachestorm clean`, as click reads it: help, and what is wrong with its arguments.

What is right comes here only from Python: the console script reads it without click (`clean_arguments`, to which every
option here belongs as well), because that is most of the time before the first entry goes.
"""

from __future__ import annotations

from typing import Any

import click

from simulator.cli import clean_arguments
from simulator.cli.parameters import Duration, debug_option, examples, json_option
from simulator.cli.signals import is_own_process


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
@click.option("--follow-root", is_flag=True, help="If PATH is a symbolic link, clean the cache that it leads to.")
@click.option("--verbose", is_flag=True, help="List every path that is removed, one a line.")
@json_option()
@debug_option()
def command(**options: Any) -> int:
    """Empty the cache at PATH, whatever state it is in, and touch nothing else.

    Exit 0 when it is empty (with --residue-only: when no residue is left); 1 when something stays, and then every
    path that stays is named with the reason.
    """
    contradiction = clean_arguments.excluded(options)
    if contradiction is not None:
        raise click.UsageError(contradiction)
    from simulator.cli.cleaning import clean  # noqa: PLC0415

    return clean(**options, own_process=is_own_process())
