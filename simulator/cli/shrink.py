"""`cachestorm shrink`: of a failing run, a small one that fails in the same way, as a token that fits a line."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import (
    Duration,
    debug_option,
    examples,
    json_option,
    override_options,
    sandbox_option,
    watchdog_option,
)
from simulator.cli.signals import Interruption
from simulator.shrink.budget import BUDGET_SECONDS, REPLAYS, Limits

if TYPE_CHECKING:
    from simulator.cli.overrides import Overrides
    from simulator.cli.running import Runner
    from simulator.scenario import Scenario
    from simulator.shrink.shrinking import Shrunk


@click.command(
    "shrink",
    short_help="Make a failing run small: fewer actors, fewer switches.",
    epilog=examples(
        "cachestorm shrink TOKEN",
        "cachestorm shrink TOKEN --builds 4 --budget 1m --replays 500",
        "cachestorm run --seed 3 --json | cachestorm shrink - --same-directory",
    ),
)
@click.argument("token", metavar="TOKEN|FILE")
@click.option(
    "--replays", type=click.IntRange(min=1), default=REPLAYS, metavar="N", help="Try so often at most. Default: 60."
)
@click.option(
    "--budget",
    type=Duration(),
    default=BUDGET_SECONDS,
    metavar="DURATION",
    help="Begin no further try after so long. Default: 5s.",
)
@click.option("--same-directory", is_flag=True, help="Keep which directory is poisoned, too.")
@click.option(
    "--signature", metavar="SIGNATURE", help="Keep the violation with this signature (see --json of the run)."
)
@click.option(
    "--scenario", metavar="SCENARIO", help="Name or file of the scenario, where the token's name is not enough."
)
@override_options()
@sandbox_option()
@watchdog_option()
@json_option()
@debug_option()
def command(
    *,
    token: str,
    replays: int,
    budget: float,
    same_directory: bool,
    signature: str | None,
    scenario: str | None,
    overrides: Overrides,
    sandbox: str | None,
    as_json: bool,
) -> int:
    """Shrink the run of TOKEN, and keep its failure.

    FILE holds a token or the document of `run --json`, - is standard input. What is kept: the violation that is not
    expected; else that a directory is poisoned; else the first violation that is expected. The options of the run (they
    are in its replay line) must be given again. Shrink the new token to go on. Exit 0 when the new run, made by its
    token, fails as the given one does.
    """
    if budget <= 0:
        raise click.UsageError(f"--budget {budget:g}: a replay needs some time; give more, such as 5s")
    if same_directory and signature is not None:
        raise click.UsageError("--same-directory and --signature exclude each other; give one of them")
    with Interruption() as interruption:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.replay import scenario_of  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.cli.tokens import read_token  # noqa: PLC0415

        with interruption.at_once():
            wanted = read_token(token)
            resolved = scenario_of(wanted, scenario, overrides)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, resolved.builds)

        async def script(runner: Runner) -> Shrunk:
            limits = Limits(replays, budget)
            return await runner.shrink(resolved, wanted, limits, same_directory=same_directory, signature=signature)

        shrunk = play(parent, interruption, 0.0, None, script)
        if as_json:
            print_document({"schema": "cachestorm/shrink/1", "scenario": resolved.name, **shrunk.document()})
        else:
            _print(shrunk, Limits(replays, budget), resolved, overrides)
        return 0


def _print(shrunk: Shrunk, limits: Limits, scenario: Scenario, overrides: Overrides) -> None:
    from simulator.cli.scenarios import replay_line  # noqa: PLC0415
    from simulator.report.shrunk import shrunk_lines  # noqa: PLC0415

    line = f"{replay_line(shrunk.trial.token, scenario, overrides)} --explain"
    if shrunk.signature is not None:
        line += f" --signature {shlex.quote(shrunk.signature)}"
    print("\n".join(shrunk_lines(shrunk, limits, line)), file=sys.stdout)
