"""`cachestorm solo`: the system calls of one build alone, as the traces of real builds have them."""

from __future__ import annotations

import sys

import click

from simulator.cli.parameters import debug_option, examples, sandbox_option
from simulator.cli.signals import Interruption


@click.command(
    "solo",
    short_help="Print the system calls of one build alone.",
    epilog=examples(
        "cachestorm solo PACKAGE > rows.tsv  # PACKAGE: one of `cachestorm list packages`",
        "cachestorm solo ./some-package-1.0.tar.gz > rows.tsv",
    ),
)
@click.argument("package", metavar="PACKAGE|SDIST")
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
    """Build PACKAGE (NAME or NAME==VERSION), or the SDIST in a file, alone and print its system calls.

    Tab-separated columns: operation, path, extra (rename target or chmod mode), result; one line for each call that
    changes something or opens a directory, in order, paths relative to the unpacked source distribution.
    """
    del python
    with Interruption() as interruption:
        from simulator.actors.toolchains import DEFAULT_TOOLCHAIN, TOOLCHAINS  # noqa: PLC0415
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.packages import source_distribution  # noqa: PLC0415
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
