"""`cachestorm list`: the names that other commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import debug_option, examples, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]
    Rows = list[Row]


_SINGULAR = {"strategies": "strategy"}
# Toolchains that are a part of a release's, by how their names end.
_PARTS = {
    "staging": "the staging phase of a release, alone",
    "pinned": "the 13 steps of the staging phase that the race is made of",
}


@click.command(
    "list",
    short_help="List scenarios, cleaners, toolchains, packages ...",
    epilog=examples(
        "cachestorm list",
        "cachestorm list cleaners --json",
        "cachestorm list states hard-link-in-read-only",
    ),
)
@click.argument("kind", required=False, metavar="[KIND]")
@click.argument("name", required=False, metavar="[NAME]")
@json_option()
@debug_option()
def command(*, kind: str | None, name: str | None, as_json: bool) -> int:
    """List what there is: scenarios, states, cleaners, toolchains, protocols, strategies, packages.

    With the NAME of one of a kind (of states, also of a group), that alone, and of a state all that there is to say:
    what is hard about it, where it was met, the shell commands that make it.
    """
    from simulator.naming import known_name  # noqa: PLC0415

    kinds = list(KINDS) if kind is None else [known_name("kind", kind, KINDS)]
    found = {of_kind: KINDS[of_kind]() for of_kind in kinds}
    if name is not None and any(row.get("group") == name for row in found[kinds[0]]):
        # A group stands for all that is in it.
        found = {kinds[0]: [row for row in found[kinds[0]] if row.get("group") == name]}
        name = None
    if name is not None:
        (of_kind,) = kinds
        known_name(_SINGULAR.get(of_kind, of_kind.removesuffix("s")), name, [row["name"] for row in found[of_kind]])
        found = {of_kind: [row | _more(of_kind, name) for row in found[of_kind] if row["name"] == name]}
    if as_json:
        print_document({"schema": "cachestorm/list/1", **found})
        return 0
    for place, (of_kind, rows) in enumerate(found.items()):
        if place:
            print()
        if kind is None:
            print(f"{of_kind}:")
        _print(rows)
        if name is not None:
            _print_more(rows[0])
    return 0


def _print(rows: Rows) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    group = None
    for row in rows:
        if row.get("group") != group:
            group = row["group"]
            print(f" {group}")
        print(f"  {row['name']:<{width}}  {row['summary']}".rstrip())
    if not rows:
        print("  none yet")


def _scenarios() -> Rows:
    from simulator.scenario_file import load_scenario, scenario_files  # noqa: PLC0415

    return [{"name": name, "summary": load_scenario(name).summary} for name in scenario_files()]


def _more(kind: str, name: str) -> Row:
    """What there is to say of one thing besides what the list says."""
    if kind != "states":
        return {}
    from scenarios.states import STATES  # noqa: PLC0415

    return {"made": STATES[name].recipe().commands()}


def _print_more(row: Row) -> None:
    if "made" not in row:
        return
    if row["about"]:
        print(f"\n{row['about']}")
    print()
    stays = f"; what stays: {', '.join(row['stays'])}" if row["stays"] else ""
    print(f"{'expect':<10} {row['expect']}{stays}")
    for title, values in (("met", row["met"]), ("hard case", row["classes"]), ("needs", row["needs"])):
        for place, value in enumerate(values):
            print(f"{'' if place else title:<10} {value}")
    print("\nmade by, in an empty directory:\n")
    print("\n".join(f"  {command}" for command in row["made"]))
    if row["company"]:
        print(f"\nand beside the cleaner: {row['company']}")


def _states() -> Rows:
    from scenarios.states import STATES  # noqa: PLC0415
    from scenarios.states.catalogue import CLASSES  # noqa: PLC0415
    from scenarios.states.state import NEEDS  # noqa: PLC0415

    return [
        {
            "name": state.name,
            "summary": state.summary,
            "group": state.group,
            "about": state.about,
            "expect": state.expect,
            "stays": list(state.stays),
            "met": list(state.links),
            "classes": [f"{number}: {CLASSES[number]}" for number in state.classes],
            "needs": [NEEDS[need] for need in sorted(state.recipe().needs)],
            "company": state.beside,
        }
        for state in STATES.values()
    ]


def _cleaners() -> Rows:
    from simulator.actors.cleaners import CLEANERS  # noqa: PLC0415
    from simulator.torture.cleaners import SYSTEM  # noqa: PLC0415

    rows = [{"name": name, "summary": cleaner.summary} for name, cleaner in CLEANERS.items()]
    rows += [{"name": name, "summary": summary} for name, (summary, _) in SYSTEM.items()]
    return [
        *rows,
        {"name": "uv==X.Y.Z", "summary": "`uv cache clean` of any release, e.g. uv==0.13.9; fetched once"},
        {"name": "pip==X.Y", "summary": "`pip cache purge` of any release, e.g. pip==26.3; fetched once"},
    ]


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
        return f"{_PARTS[toolchain.rpartition('-')[2]]}; no real one does only this"
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
    from simulator.likeness.manifest import SdistManifest  # noqa: PLC0415
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
