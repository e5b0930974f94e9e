"""`cachestorm explore`: many schedules of one scenario, and which outcomes there are."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from simulator.cli.exploring import ENDLESS, ProgressLine, searched
from simulator.cli.output import print_document
from simulator.cli.parameters import (
    SEED,
    Duration,
    debug_option,
    examples,
    json_option,
    override_options,
    sandbox_option,
    watchdog_option,
)
from simulator.cli.saving import open_save, save_schedules
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.cli.overrides import Overrides
    from simulator.cli.running import Runner
    from simulator.scenario import Scenario
    from simulator.search.result import Exploration

_DPOR = "dpor"
_SCHEDULES = 1000
_BUDGET_SECONDS = 60.0


@click.command(
    "explore",
    short_help="Try many schedules of a scenario; list its outcomes.",
    epilog=examples(
        "cachestorm explore issue-3515-small",
        "cachestorm explore issue-3515-small --strategy dpor --kills 1",
        "cachestorm explore issue-3515-real --strategy dpor --budget 2h --checkpoint real.json",
        "cachestorm explore issue-3515-loop --builds 3 --strategy pct --depth 5 --budget 10m",
        "cachestorm explore stress --builds 3 --no-cache-lock --json",
    ),
)
@click.argument("scenario")
@click.option(
    "--schedules",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many at most. Default: 1000; with --strategy dpor as many as there are.",
)
@click.option("--budget", type=Duration(), metavar="DURATION", help="Begin no further one after so long. Default: 60s.")
@click.option("--seed", type=SEED, default=0, metavar="FIRST", help="The first seed; the others follow. Default: 0.")
@click.option(
    "--classes",
    is_flag=True,
    help="Count the storms that differ in more than the order of independent steps; takes about as long again.",
)
@click.option(
    "--kills",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="With --strategy dpor: kill up to K actors (at most 2), each at each of its steps. Default: 0.",
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="With --strategy dpor: go on from FILE if it is there, and keep in it how far the search got.",
)
@override_options(
    strategies="sticky, random, pct, pos, portfolio; or dpor: all schedules, but for the order of independent steps."
)
@sandbox_option()
@click.option("--save", metavar="FILE", help="Write the schedule of each kind of violation to FILE, for `replay FILE`.")
@watchdog_option()
@json_option()
@debug_option()
def command(
    *,
    scenario: str,
    schedules: int | None,
    budget: float | None,
    seed: int,
    classes: bool,
    kills: int,
    checkpoint: str | None,
    overrides: Overrides,
    sandbox: str | None,
    save: str | None,
    as_json: bool,
) -> int:
    """Run SCENARIO under many schedules, and list the outcomes that there are.

    SCENARIO is a name (see `cachestorm list scenarios`) or a TOML file. Most strategies draw a schedule for each seed:
    a sample, never complete, and what it did not find may well be there. `--strategy dpor` searches: it makes all
    schedules that differ in more than the order of independent steps, says when it is complete, and within which bound.
    Exit 0 when the scenario expects every violation that came, 1 when not.
    """
    systematic = overrides.strategy == _DPOR
    _check(budget, kills, checkpoint, systematic=systematic)
    with Interruption() as interruption, contextlib.ExitStack() as cleanup:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.cli.scenarios import resolve  # noqa: PLC0415
        from simulator.search.limits import Limits  # noqa: PLC0415
        from simulator.search.sampling import check_explorable  # noqa: PLC0415

        # What a search makes is no schedule of the scenario's: its tokens have it.
        _check_strategy(overrides)
        overrides = replace(overrides, strategy=None) if systematic else overrides
        with interruption.at_once():
            resolved = resolve(scenario, overrides)
            if not systematic:
                check_explorable(resolved.schedule.strategy)
            save_file = open_save(save, cleanup)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, resolved.builds)
        limits = Limits(schedules or (ENDLESS if systematic else _SCHEDULES), budget or _BUDGET_SECONDS)
        progress = ProgressLine(sys.stderr, limits)
        known = checkpoint is not None and os.path.exists(checkpoint)

        async def draw(runner: Runner) -> Exploration:
            return await runner.explore(
                resolved, limits=limits, first_seed=seed, count_classes=classes, observer=progress
            )

        async def search(runner: Runner) -> Exploration:
            bounded = schedules is not None or budget is not None
            begun = await runner.search(resolved, seed=seed, kills=kills, count_classes=classes, bounded=bounded)
            return await searched(begun, limits, checkpoint, progress, known=known)

        try:
            found = play(parent, interruption, 0.0, None, search if systematic else draw)
        finally:
            progress.clear()
        save_schedules(
            save_file, resolved.name, [(item.violation.signature, item.shown.token) for item in found.violations]
        )
        if as_json and not interruption():
            print_document({"schema": "cachestorm/explore/1", **found.document()})
        elif not as_json:
            _print_report(found, resolved, overrides)
        if interruption():
            error = interruption.error()
            error.report = found.document()
            raise error
        return 0 if found.as_expected else 1


def _check(budget: float | None, kills: int, checkpoint: str | None, *, systematic: bool) -> None:
    if budget is not None and budget <= 0:
        raise click.UsageError(f"--budget {budget:g}: a run needs some time; give more, such as 60s")
    if checkpoint == "":
        raise click.UsageError("--checkpoint '': a file needs a name; give one, or leave it out")
    if not systematic and (kills or checkpoint):
        given = f"--kills {kills}" if kills else f"--checkpoint {checkpoint}"
        raise click.UsageError(f"{given} goes with --strategy dpor; give that, or leave it out")


def _check_strategy(overrides: Overrides) -> None:
    """Refuse what no exploration goes by, and a depth that does not go with what does."""
    from simulator.errors import BadInputError  # noqa: PLC0415
    from simulator.naming import known_name  # noqa: PLC0415
    from simulator.strategies import SAMPLERS, SEEDED  # noqa: PLC0415

    strategy, depth = overrides.strategy, overrides.depth
    if strategy is not None and strategy not in SAMPLERS:
        known_name("strategy", strategy, (*SEEDED, _DPOR))
    if strategy == _DPOR and depth is not None:
        raise BadInputError(
            "bad-depth", str(depth), f"--depth {depth} goes with --strategy pct, not '{_DPOR}'; leave out one of them"
        )


def _print_report(found: Exploration, scenario: Scenario, overrides: Overrides) -> None:
    from simulator.cli.scenarios import replay_line  # noqa: PLC0415
    from simulator.report.exploration import ExplorationReport  # noqa: PLC0415

    report = ExplorationReport(sys.stdout, lambda token: replay_line(token, scenario, overrides))
    report.whole(found, scenario)
