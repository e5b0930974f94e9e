"""The arguments of `clean`, read by a table: what is right this reads, and for what is wrong there is click.

Guarantees: what it reads, click reads the same (a test holds the two together). It accepts only what it knows to the
letter; the rest (mistakes, `--help`, abbreviations, `--debug`, `--`) is click's, and so is every message about it.
Costs: nothing, and that is what it is for: click takes longer to load than a small cache takes to clean.
"""

from __future__ import annotations

from simulator.cli.durations import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

FLAGS = {
    "--dry-run": "dry_run",
    "--residue-only": "residue_only",
    "--force": "force",
    "--untagged": "untagged",
    "--remove-root": "remove_root",
    "--follow-root": "follow_root",
    "--verbose": "verbose",
    "--json": "as_json",
}
TIMEOUT = "--timeout"

# Which two options exclude each other, and what click's program says then.
EXCLUDED = {
    ("residue_only", "remove_root"): "--residue-only keeps the cache and --remove-root removes it; give one of them",
    ("residue_only", "dry_run"): "--residue-only with --dry-run: `cachestorm audit PATH` shows what it would remove",
}


def read(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The parameters of the command, by name; None when click has to read them.

    Args:
        arguments: of the program, without its name.
    """
    if arguments[:1] != ["clean"]:
        return None
    options: dict[str, Any] = {**dict.fromkeys(FLAGS.values(), False), "timeout": None}
    paths = []
    rest = iter(arguments[1:])
    for argument in rest:
        name, given, value = argument.partition("=")
        if argument in FLAGS:
            options[FLAGS[argument]] = True
        elif name == TIMEOUT:
            options["timeout"] = seconds_of(value if given else next(rest, ""))
            if options["timeout"] is None:
                return None
        elif argument.startswith("-"):
            return None
        else:
            paths.append(argument)
    if len(paths) != 1 or excluded(options):
        return None
    return {"path": paths[0], **options}


def excluded(options: dict[str, Any]) -> str | None:
    """What to say when two of the options exclude each other."""
    return next((text for (one, other), text in EXCLUDED.items() if options[one] and options[other]), None)
