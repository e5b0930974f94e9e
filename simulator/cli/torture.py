"""`cachestorm torture`: hostile states, any cleaners, a judge that reads the file system."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import SEED, Duration, debug_option, examples, json_option, sandbox_option
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.torture.verdicts import Cell

_TIMEOUT_SECONDS = 30.0
# As `simulator.torture.random_states.NUMBER_MAX`, which takes a while to load: a test holds the two together.
RANDOM_MAX = 10_000


@click.command(
    "torture",
    short_help="Try any cleaner on hostile caches.",
    epilog=examples(
        "cachestorm torture",
        "cachestorm torture --cleaner uv==0.13.9 --state modes",
        "cachestorm torture --cleaner './my-tool --cache-dir {cache} clean' --junit torture.xml",
        "cachestorm torture --cleaner hardened --random 200 --seed 7",
        "cachestorm torture --keep mode-0200",
    ),
)
@click.option(
    "--cleaner",
    "cleaners",
    multiple=True,
    metavar="NAME|COMMAND",
    help="Who cleans: a name (`cachestorm list cleaners`), uv==X.Y.Z, pip==X.Y, or a command with {cache} where the"
    " path goes. Repeatable. Default: hardened, rm, find, rmtree.",
)
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="NAME|GROUP",
    help="What is cleaned (`cachestorm list states`). Repeatable. Default: all.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="STATE",
    help="Only this state, and leave it for a look: as laid, or as each --cleaner left it. Repeatable.",
)
@click.option(
    "--random", "number", type=click.IntRange(1, RANDOM_MAX), metavar="N", help="N random states in place of those."
)
@click.option("--seed", type=SEED, metavar="S", help="With --random: which ones (default 0).")
@click.option(
    "--timeout",
    type=Duration(),
    default=_TIMEOUT_SECONDS,
    metavar="DURATION",
    help="Kill a cleaner, and all that it started, after so long. Default: 30s.",
)
@click.option("--junit", metavar="FILE", help="Write the verdicts to FILE, as CI servers read test results.")
@sandbox_option()
@json_option()
@debug_option()
def command(
    *,
    cleaners: tuple[str, ...],
    states: tuple[str, ...],
    keep: tuple[str, ...],
    number: int | None,
    seed: int | None,
    timeout: float,
    junit: str | None,
    sandbox: str | None,
    as_json: bool,
) -> int:
    """Lay each hostile state, let each cleaner clean it, and judge by what is on the file system then.

    Cleaners run without privileges, with their homes, caches and temporary files in a sandbox. Exit 0 when every
    verdict is clean, reported or skipped, 1 when one is not.
    """
    if seed is not None and number is None:
        raise click.UsageError(f"--seed {seed} goes with --random N; give it, or leave out --seed")
    if number is not None and (states or keep):
        raise click.UsageError(f"--random {number} and --state or --keep exclude each other; give one of them")
    if timeout <= 0:
        raise click.UsageError(f"--timeout {timeout:g}: a cleaner needs some time; give more, such as 30s")
    if states and keep:
        raise click.UsageError("--state and --keep exclude each other; --keep runs the states that it names")
    with Interruption() as interruption:
        from simulator.cli.ground import torture_ground  # noqa: PLC0415
        from simulator.cli.torturing import check_can_write, wanted, with_random_states, work, write_junit  # noqa: PLC0415

        with interruption.at_once():
            chosen = wanted(cleaners, states, keep, named=number is None)
            if junit is not None:
                check_can_write(junit)
        parent = torture_ground(sandbox)
        if number is not None:
            chosen = with_random_states(chosen, number, seed or 0, interruption)
        outcome = work(chosen, parent, timeout, interruption, show=not as_json or sys.stderr.isatty())
        if junit is not None:
            write_junit(junit, outcome, chosen)
        if interruption():
            error = interruption.error()
            error.report = outcome.document()
            for path in outcome.kept:
                error.message += f"; kept: {path}"
            raise error
        if as_json:
            print_document({"schema": "cachestorm/torture/1", **outcome.document()})
        else:
            from simulator.report.matrix import Matrix  # noqa: PLC0415

            if any(cell.cleaner for cell in outcome.cells):
                Matrix(sys.stdout).whole(chosen.rows(), outcome.cells, outcome.shrunk)
            _tell_kept(outcome.cells)
        return 0 if all(cell.good for cell in outcome.cells) else 1


def _tell_kept(cells: list[Cell]) -> None:
    from cache_core.errors import shown  # noqa: PLC0415
    from scenarios.states import STATES  # noqa: PLC0415
    from scenarios.states.privileged import FLAGS  # noqa: PLC0415
    from scenarios.states.shell import quoted  # noqa: PLC0415

    for cell in cells:
        if cell.kept is None and not cell.cleaner:
            print(f"not kept: {cell.state}: {cell.error}")
        if cell.kept is not None:
            who = f", as {shown(cell.cleaner)} left it" if cell.cleaner else ""
            print(f"kept: {shown(cell.kept)}: {cell.state}{who}")
            directory = quoted(os.path.dirname(cell.kept))
            first = f"chattr -R -f -i -a {directory}; " if FLAGS in STATES[cell.state].recipe().needs else ""
            print(f"  remove it with: {first}cachestorm clean --untagged --remove-root {directory}")
