"""`cachestorm solo`: the system calls of one build alone, simulated, real, or both compared."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from simulator.cli.parameters import Duration, debug_option, examples, sandbox_option
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.likeness.fidelity import Row
    from simulator.likeness.manifest import SdistManifest

# Whose standard library the simulated builds run on.
_SIMULATED_PYTHON = "3.11"
_DIFFERENT = 1


@click.command(
    "solo",
    short_help="Print the system calls of one build alone, simulated or real.",
    epilog=examples(
        "cachestorm solo PACKAGE > rows.tsv  # PACKAGE: one of `cachestorm list packages`",
        "cachestorm solo ./some-package-1.0.tar.gz --real --toolchain setuptools-84.2.1 > real.tsv",
        "cachestorm solo ./some-package-1.0.tar.gz --compare",
        "cachestorm solo ./some-package-1.0.tar.gz --compare real.tsv",
    ),
)
@click.argument("package", metavar="PACKAGE|SDIST")
@click.argument("reference", metavar="[FILE]", required=False)
@click.option("--toolchain", metavar="T", help="Which build back end (see `cachestorm list toolchains`).")
@click.option(
    "--python",
    metavar="X.Y",
    default=_SIMULATED_PYTHON,
    show_default=True,
    help=f"Which Python runs the real build. Simulated ones know {_SIMULATED_PYTHON}.",
)
@click.option("--real", is_flag=True, help="Run the real build, under strace. It runs the setup script.")
@click.option(
    "--compare",
    "compares",
    is_flag=True,
    help="Compare the simulated build with the real one, or with the rows in FILE; exit 1 if they are not alike.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="10m",
    show_default=True,
    metavar="DURATION",
    help="When to kill a real build.",
)
@sandbox_option()
@debug_option()
def command(
    *,
    package: str,
    reference: str | None,
    toolchain: str | None,
    python: str,
    real: bool,
    compares: bool,
    timeout: float,
    sandbox: str | None,
) -> int:
    """Build PACKAGE (NAME or NAME==VERSION), or the SDIST in a file, alone and print its system calls.

    Tab-separated columns: operation, path, extra (rename target or chmod mode), result; one line for each call that
    changes something or opens a directory, in order, paths relative to the unpacked source distribution.

    With --compare: how like the real build the simulated one is. F1 is over all rows; those that are not create, utime,
    chmod or unlink must be equal (the exact part); phases must follow each other in the same order.
    """
    if reference is not None and not compares:
        raise click.UsageError(f"'{reference}': a FILE is what --compare takes; give --compare, or leave it out")
    with Interruption() as interruption:
        from simulator.actors.toolchains import DEFAULT_TOOLCHAIN, TOOLCHAINS  # noqa: PLC0415
        from simulator.actors.toolchains.releases import RELEASES  # noqa: PLC0415
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.packages import is_catalogued, is_path, source_distribution  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.errors import BadInputError  # noqa: PLC0415
        from simulator.naming import known_name  # noqa: PLC0415
        from simulator.tools.real_build import require_strace  # noqa: PLC0415

        chosen = known_name("toolchain", toolchain or DEFAULT_TOOLCHAIN, RELEASES)
        simulates = not real or (compares and reference is None)
        builds = real or (compares and reference is None)
        if simulates and python != _SIMULATED_PYTHON:
            raise BadInputError(
                "python", python, f"simulated builds know Python {_SIMULATED_PYTHON} only, not '{python}'; add --real"
            )
        if builds:
            require_strace()
        with interruption.at_once():
            known = _rows_in(reference) if reference is not None else None
            catalogued = is_catalogued(package)
            # What is only built for real need not be understood.
            manifest = source_distribution(package) if simulates or catalogued or not is_path(package) else None
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, 1)
        simulated = traced = None
        if simulates and manifest is not None:
            made = manifest
            simulated = play(parent, interruption, 0.0, None, lambda runner: runner.solo(made, TOOLCHAINS[chosen]))
        if builds:
            work = _RealWork(None if catalogued else package, manifest, chosen, python, timeout)
            traced = work.do(parent, interruption)
        if compares:
            return _compare(simulated, traced, known)
        return _print(simulated if simulated is not None else traced)


@dataclass(frozen=True, slots=True)
class _RealWork:
    """A real build; `archive` is the path of its file, None where the index has it."""

    archive: str | None
    manifest: SdistManifest | None
    toolchain: str
    python: str
    timeout_seconds: float

    def do(self, parent: str, interruption: Interruption) -> list[Row]:
        """Its rows; it happens in a sandbox of its own."""
        import trio  # noqa: PLC0415

        from simulator.cli.running import until_interrupted  # noqa: PLC0415
        from simulator.ground.sandbox import Sandbox  # noqa: PLC0415

        with Sandbox.create(parent) as sandbox:
            return trio.run(until_interrupted, interruption, lambda: self._build(sandbox.path))

    async def _build(self, directory: str) -> list[Row]:
        from simulator.cli.output import note  # noqa: PLC0415
        from simulator.tools.downloads import have  # noqa: PLC0415
        from simulator.tools.real_build import RealBuild, prepare, real_rows  # noqa: PLC0415

        archive = self.archive
        if archive is None and self.manifest is not None:
            archive = await have(self.manifest.name, self.manifest.archive, tell=note)
        build = RealBuild(archive or "", self.toolchain, self.python, self.timeout_seconds)
        made = await prepare(build, directory, note)
        note(f"building with the real {self.toolchain}, under strace")
        return await real_rows(build, made, directory)


def _rows_in(path: str) -> list[Row]:
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.likeness.fidelity import from_tsv  # noqa: PLC0415

    try:
        with open(path, encoding="utf-8") as stream:
            return from_tsv(stream.read())
    except OSError as error:
        raise BadInputError("unreadable-rows", path, f"'{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError("bad-rows", path, f"'{path}' is no table of rows as solo prints it: {error}") from error


def _compare(simulated: Sequence[Row] | None, traced: Sequence[Row] | None, known: Sequence[Row] | None) -> int:
    from simulator.likeness.fidelity import compare  # noqa: PLC0415
    from simulator.report.likeness import likeness_text  # noqa: PLC0415

    sides = [
        (name, rows)
        for name, rows in (("simulated", simulated), ("real", traced), ("in the file", known))
        if rows is not None
    ]
    ours, theirs = sides
    comparison = compare(ours[1], theirs[1])
    sys.stdout.write(likeness_text(comparison, ours, theirs))
    return 0 if comparison.alike else _DIFFERENT


def _print(rows: Sequence[Row] | None) -> int:
    from simulator.likeness.fidelity import to_tsv  # noqa: PLC0415

    sys.stdout.write(to_tsv(rows or []))
    return 0
