"""`cachestorm solo`: the system calls of one build alone, as the traces of real builds have them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.parameters import debug_option, examples, sandbox_option
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.manifest import SdistManifest


@click.command(
    "solo",
    short_help="Print the system calls of one build alone.",
    epilog=examples("cachestorm solo PACKAGE > rows.tsv  # PACKAGE: one of `cachestorm list packages`"),
)
@click.argument("package")
@click.option("--toolchain", metavar="T", help="Which build back end (see `cachestorm list toolchains`).")
@click.option(
    "--python",
    type=click.Choice(["3.11"]),
    default="3.11",
    show_default=True,
    help="Whose standard library it runs on.",
)
@sandbox_option()
@debug_option()
def command(*, package: str, toolchain: str | None, python: str, sandbox: str | None) -> int:
    """Build PACKAGE (NAME or NAME==VERSION) alone and print its system calls.

    Tab-separated columns: operation, path, extra (rename target or chmod mode), result; one line for each call that
    changes something or opens a directory, in order, paths relative to the unpacked source distribution.
    """
    del python
    with Interruption() as interruption:
        from simulator.actors.toolchains import DEFAULT_TOOLCHAIN, TOOLCHAINS  # noqa: PLC0415
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.fidelity import to_tsv  # noqa: PLC0415
        from simulator.naming import known_name  # noqa: PLC0415

        known_name("toolchain", toolchain or DEFAULT_TOOLCHAIN, TOOLCHAINS)
        manifest = source_distribution(package)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, 1)
        rows = play(
            parent,
            interruption,
            0.0,
            None,
            lambda runner: runner.solo(manifest, TOOLCHAINS[toolchain or DEFAULT_TOOLCHAIN]),
        )
        sys.stdout.write(to_tsv(rows))
        return 0


def source_distribution(package: str) -> SdistManifest:
    """The manifest of a package that is built from source.

    Raises:
        BadInputError: Unknown, or taken as a wheel.
    """
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.manifest import SdistManifest  # noqa: PLC0415
    from simulator.naming import known_name  # noqa: PLC0415
    from simulator.scenario_file import package_manifests  # noqa: PLC0415

    known = package_manifests()
    by_name = {manifest.name: manifest for manifest in known.values()} | known
    sources = {name: manifest for name, manifest in by_name.items() if isinstance(manifest, SdistManifest)}
    if package in by_name and package not in sources:
        names = ", ".join(name for name in sources if "==" not in name)
        raise BadInputError(
            "not-built", package, f"'{package}' is taken as a wheel and never built; choose one of {names}"
        )
    return sources[known_name("package", package, sources)]
