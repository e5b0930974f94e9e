"""`cachestorm list`: the names that other commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import debug_option, examples, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[dict[str, str]]


@click.command(
    "list",
    short_help="List scenarios, cleaners, toolchains, packages ...",
    epilog=examples("cachestorm list", "cachestorm list cleaners --json"),
)
@click.argument("kind", required=False, metavar="[KIND]")
@json_option()
@debug_option()
def command(*, kind: str | None, as_json: bool) -> int:
    """List what there is: scenarios, states, cleaners, toolchains, protocols, strategies, packages."""
    from simulator.naming import known_name  # noqa: PLC0415

    kinds = list(KINDS) if kind is None else [known_name("kind", kind, KINDS)]
    found = {name: KINDS[name]() for name in kinds}
    if as_json:
        print_document({"schema": "cachestorm/list/1", **found})
        return 0
    for place, (name, rows) in enumerate(found.items()):
        if place:
            print()
        if kind is None:
            print(f"{name}:")
        _print(rows)
    return 0


def _print(rows: Rows) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        print(f"  {row['name']:<{width}}  {row['summary']}".rstrip())
    if not rows:
        print("  none yet")


def _scenarios() -> Rows:
    from simulator.scenario_file import load_scenario, scenario_files  # noqa: PLC0415

    return [{"name": name, "summary": load_scenario(name).summary} for name in scenario_files()]


def _states() -> Rows:
    """Hostile cache states come with the command that uses them."""
    return []


def _cleaners() -> Rows:
    from simulator.actors.cleaners import CLEANERS  # noqa: PLC0415

    return [{"name": name, "summary": cleaner.summary} for name, cleaner in CLEANERS.items()]


def _toolchains() -> Rows:
    from simulator.actors.toolchains import DEFAULT_TOOLCHAIN, TOOLCHAINS  # noqa: PLC0415

    rows = []
    for name, toolchain in TOOLCHAINS.items():
        default = "; the default of `solo`" if name == DEFAULT_TOOLCHAIN else ""
        rows.append({"name": name, "summary": f"{_modelled(name)}; revision {toolchain.revision}{default}"})
    return rows


def _modelled(toolchain: str) -> str:
    """What the real one is."""
    from simulator.actors.toolchains.releases import RELEASES  # noqa: PLC0415
    from simulator.actors.toolchains.rmtree import chmod_and_retry  # noqa: PLC0415

    if toolchain not in RELEASES:
        return "the staging phase of a release, alone; no real one does only this"
    release = RELEASES[toolchain]
    poisons = "can poison" if release.removal is chmod_and_retry else "cannot poison"
    return f"{' and '.join(release.requirements)}, {poisons}"


def _protocols() -> Rows:
    from cache_core.protocols import PROTOCOLS  # noqa: PLC0415

    return [{"name": name, "summary": _first_line(function).partition(";")[0]} for name, function in PROTOCOLS.items()]


def _strategies() -> Rows:
    from simulator.strategies import STRATEGY_SUMMARIES  # noqa: PLC0415

    return [{"name": name, "summary": summary} for name, summary in STRATEGY_SUMMARIES.items()]


def _packages() -> Rows:
    from simulator.manifest import SdistManifest  # noqa: PLC0415
    from simulator.scenario_file import package_manifests  # noqa: PLC0415

    return [
        {"name": name, "summary": "built from source" if isinstance(manifest, SdistManifest) else "taken as a wheel"}
        for name, manifest in package_manifests().items()
    ]


def _first_line(function: object) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


KINDS: dict[str, Callable[[], Rows]] = {
    "scenarios": _scenarios,
    "states": _states,
    "cleaners": _cleaners,
    "toolchains": _toolchains,
    "protocols": _protocols,
    "strategies": _strategies,
    "packages": _packages,
}
