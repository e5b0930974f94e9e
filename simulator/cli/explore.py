"""`cachestorm explore`: many schedules of one scenario, and which outcomes there are."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import (
    SEED,
    Duration,
    debug_option,
    examples,
    json_option,
    override_options,
    sandbox_option,
)
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from typing import TextIO

    from simulator.cli.overrides import Overrides
    from simulator.cli.running import Runner
    from simulator.scenario import Scenario
    from simulator.search.found import Found
    from simulator.search.result import Exploration

_SCHEDULES = 1000
_BUDGET_SECONDS = 60.0
# Of a line that nobody reads twice.
_NEXT_SECONDS = 0.2


@click.command(
    "explore",
    short_help="Try many schedules of a scenario; list its outcomes.",
    epilog=examples(
        "cachestorm explore issue-3515-small",
        "cachestorm explore issue-3515-loop --builds 3 --strategy pct --depth 5 --budget 10m",
        "cachestorm explore stress --builds 3 --no-cache-lock --json",
    ),
)
@click.argument("scenario")
@click.option(
    "--schedules", type=click.IntRange(min=1), default=_SCHEDULES, metavar="N", help="How many at most. Default: 1000."
)
@click.option(
    "--budget",
    type=Duration(),
    default=_BUDGET_SECONDS,
    metavar="DURATION",
    help="Begin no further one after so long. Default: 60s.",
)
@click.option("--seed", type=SEED, default=0, metavar="FIRST", help="The first seed; the others follow. Default: 0.")
@click.option(
    "--classes",
    is_flag=True,
    help="Count the storms that differ in more than the order of independent steps; takes about as long again.",
)
@override_options()
@sandbox_option()
@json_option()
@debug_option()
def command(
    *,
    scenario: str,
    schedules: int,
    budget: float,
    seed: int,
    classes: bool,
    overrides: Overrides,
    sandbox: str | None,
    as_json: bool,
) -> int:
    """Run SCENARIO under many schedules, a seed each, and list the outcomes that there are.

    SCENARIO is a name (see `cachestorm list scenarios`) or a TOML file. A sample is never complete: what it did not
    find may well be there. Exit 0 when the scenario expects every violation that came, 1 when not.
    """
    if budget <= 0:
        raise click.UsageError(f"--budget {budget:g}: a run needs some time; give more, such as 60s")
    with Interruption() as interruption:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.cli.scenarios import resolve  # noqa: PLC0415
        from simulator.search.sampling import Limits, check_explorable  # noqa: PLC0415

        with interruption.at_once():
            resolved = resolve(scenario, overrides)
            check_explorable(resolved.schedule.strategy)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, resolved.builds)
        progress = _ProgressLine(sys.stderr, schedules, budget)

        async def script(runner: Runner) -> Exploration:
            return await runner.explore(
                resolved,
                limits=Limits(schedules, budget),
                first_seed=seed,
                count_classes=classes,
                observer=progress,
            )

        try:
            found = play(parent, interruption, 0.0, None, script)
        finally:
            progress.clear()
        if interruption():
            error = interruption.error()
            error.report = found.document()
            if not as_json:
                _print_report(found, resolved, overrides)
            raise error
        if as_json:
            print_document({"schema": "cachestorm/explore/1", **found.document()})
        else:
            _print_report(found, resolved, overrides)
        return 0 if found.as_expected else 1


def _print_report(found: Exploration, scenario: Scenario, overrides: Overrides) -> None:
    from simulator.cli.scenarios import replay_line  # noqa: PLC0415
    from simulator.report.exploration import ExplorationReport  # noqa: PLC0415

    report = ExplorationReport(sys.stdout, lambda token: replay_line(token, scenario, overrides))
    report.whole(found, scenario)


class _ProgressLine:
    """One line on a terminal that gives way to the next; nothing elsewhere.

    Args:
        stream: stderr.
        schedules: how many there are to be.
        budget_seconds: in which time.
    """

    def __init__(self, stream: TextIO, schedules: int, budget_seconds: float) -> None:
        self._stream = stream
        self._schedules = schedules
        self._budget_seconds = budget_seconds
        self._live = stream.isatty()
        self._next = time.monotonic()

    def __call__(self, found: Found, seconds: float) -> None:
        """Show how far it is, if it is time to."""
        if not self._live or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _NEXT_SECONDS
        line = progress(found.runs, self._schedules, len(found.outcomes), seconds, self._budget_seconds)
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()

    def clear(self) -> None:
        """Leave the terminal as if nothing had been."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def progress(explored: int, schedules: int, outcomes: int, seconds: float, budget_seconds: float) -> str:
    """``412 of 1,000 schedules, 9 outcomes, 180 a second, about 3 s left``."""
    rate = explored / seconds if seconds else 0.0
    left = max(0.0, budget_seconds - seconds)
    if rate:
        left = min(left, (schedules - explored) / rate)
    done = f"{explored:,} of {schedules:,} schedules, {outcomes:,} outcomes"
    return f"{done}, {rate:,.0f} a second, about {left:,.0f} s left"
