"""`cachestorm fetch-packages`: fill the folder that real installs take their packages from."""

from __future__ import annotations

import os
import sys
from itertools import chain
from typing import TYPE_CHECKING

import click

from simulator.cli.output import note, print_document
from simulator.cli.parameters import debug_option, examples, json_option
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.tools.folder import There, Wanted

# Two experiments of the documentation: the loop of the report and today's form of it.
_SCENARIOS = ("issue-3515", "pip-in-place")


@click.command(
    "fetch-packages",
    short_help="Download what real installs (run --tool) take.",
    epilog=examples(
        "cachestorm fetch-packages",
        "cachestorm fetch-packages ./packages --scenario issue-3515-loop",
        "cachestorm fetch-packages --package six==1.16.0 --toolchain setuptools-84.2.1",
    ),
)
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("--scenario", "scenarios", multiple=True, metavar="S", help="What its installs take. Repeatable.")
@click.option(
    "--package",
    "packages",
    multiple=True,
    metavar="NAME==VERSION|SDIST",
    help="A release, or an sdist of your own, and what it requires to be built. Repeatable.",
)
@click.option("--toolchain", "toolchains", multiple=True, metavar="T", help="A build back end. Repeatable.")
@json_option()
@debug_option()
def command(
    *,
    directory: str | None,
    scenarios: tuple[str, ...],
    packages: tuple[str, ...],
    toolchains: tuple[str, ...],
    as_json: bool,
) -> int:
    """Download what real installs take into DIR, each file checked, none of it run.

    DIR is $CACHESTORM_PACKAGES if set, else `packages` in the user's cache directory. Without an option: all that the
    scenarios issue-3515 and pip-in-place take. What is there already is not fetched again. Beside an sdist, the wheels
    that it says it requires to be built are fetched, for each toolchain.
    """
    with Interruption() as interruption:
        from simulator.cli.packages import is_path  # noqa: PLC0415
        from simulator.cli.running import until_interrupted  # noqa: PLC0415
        from simulator.tools.build_requirements import required_wheels, told_requirements  # noqa: PLC0415
        from simulator.tools.downloads import WHEEL  # noqa: PLC0415
        from simulator.tools.folder import default_folder, fetch  # noqa: PLC0415

        if not (scenarios or packages or toolchains):
            scenarios = _SCENARIOS
        with interruption.at_once():
            own = [package for package in packages if is_path(package) and "==" not in package]
            wanted = _wanted(scenarios, [package for package in packages if package not in own], toolchains)
            backs = _toolchains(scenarios, toolchains)
        folder = os.path.abspath(directory) if directory is not None else default_folder()

        async def fetch_all() -> list[There]:
            there = [await fetch(folder, item, note) for item in wanted]
            for sdist in [*own, *(item.path for item in there if not item.path.endswith(WHEEL))]:
                required = told_requirements(sdist)
                wheels = [await required_wheels(required, toolchain, note) for toolchain in backs]
                there += [await fetch(folder, item, note) for item in dict.fromkeys(chain(*wheels))]
            return list({item.path: item for item in reversed(there)}.values())[::-1]

        import trio  # noqa: PLC0415

        found = trio.run(until_interrupted, interruption, fetch_all)
    if as_json:
        files = [item.document() for item in found]
        print_document({"schema": "cachestorm/fetch-packages/1", "directory": folder, "files": files})
        return 0
    for item in found:
        print(f"{'fetched' if item.fetched else 'there  '}  {os.path.basename(item.path)}")
    fetched = sum(item.fetched for item in found)
    print(f"{len(found)} files in {folder}, {fetched} of them fetched now", file=sys.stderr)
    return 0


def _toolchains(scenarios: tuple[str, ...], toolchains: tuple[str, ...]) -> list[str]:
    """Every toolchain that something is built with; the default where nothing says."""
    from simulator.actors.toolchains import DEFAULT_TOOLCHAIN  # noqa: PLC0415
    from simulator.scenario_file import load_scenario  # noqa: PLC0415

    named = [*(load_scenario(name).toolchain for name in scenarios), *toolchains]
    return list(dict.fromkeys(named or [DEFAULT_TOOLCHAIN]))


def _wanted(scenarios: tuple[str, ...], packages: list[str], toolchains: tuple[str, ...]) -> list[Wanted]:
    """Every file, once.

    Raises:
        BadInputError: an unknown scenario or toolchain, or a package without a version.
    """
    from simulator.scenario_file import load_scenario  # noqa: PLC0415
    from simulator.tools.folder import wanted_packages, wanted_toolchain  # noqa: PLC0415

    found: list[Wanted] = []
    for name in scenarios:
        scenario = load_scenario(name)
        found += wanted_packages(scenario.packages)
        found += wanted_toolchain(scenario.toolchain)
    for package in packages:
        found.append(_release(package))
    for toolchain in toolchains:
        found += wanted_toolchain(toolchain)
    return list(dict.fromkeys(found))


def _release(package: str) -> Wanted:
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.scenario_file import package_manifests  # noqa: PLC0415
    from simulator.tools.folder import Wanted, wanted_packages  # noqa: PLC0415

    name, separator, version = package.partition("==")
    if not (name and separator and version):
        raise BadInputError(
            "bad-package", package, f"--package '{package}' names no release; write NAME==VERSION, such as six==1.16.0"
        )
    known = package_manifests().get(package)
    return wanted_packages([known])[0] if known is not None else Wanted(name, version, None, None, is_sdist=True)
