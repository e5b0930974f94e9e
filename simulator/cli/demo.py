"""`cachestorm demo`: the main job for an audience, told as it happens.

The run is rehearsed first, quietly and exactly as `cachestorm run` makes it: so it is known that the seed poisons, and
the token that is shown replays. In the show the two cleaners work one after the other on one cache.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import DEFAULT_SEED, SEED, Duration, debug_option, examples, json_option, sandbox_option
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.cli.running import Runner
    from simulator.engine.actor import Shown
    from simulator.report.live import View
    from simulator.report.text import Report
    from simulator.running.outcome import BuildOutcome, CleanerOutcome, Residue, RunReport
    from simulator.scenario import Scenario

SCENARIO = "issue-3515"
# Between 15 and 90 % of the seeds poison: 50 that do not, in a row, are a bug (0.85 ** 50 is 0.0003).
_SEEDS_TRIED_MAX = 50
# Slow enough to watch on a terminal: some ten thousand steps.
_PACE_SECONDS = 0.001


@click.command(
    "demo",
    short_help="Show the race, the residue and two cleaners, live.",
    epilog=examples("cachestorm demo", "cachestorm demo --pace 20ms", "cachestorm demo --seed 12 --pace 0"),
)
@click.option("--seed", type=SEED, default=DEFAULT_SEED, show_default=True, metavar="N", help="The first seed to try.")
@click.option(
    "--pace", type=Duration(), metavar="DURATION", help="Wait before each step. Default: 1ms on a terminal, else 0."
)
@sandbox_option()
@json_option()
@debug_option()
def command(*, seed: int, pace: float | None, sandbox: str | None, as_json: bool) -> int:
    """Show the race of issue-3515: eight installs live, the residue, a cleaner that fails, one that does not.

    Takes the first seed from N on that poisons a directory. Exit 0 when the show ended with an empty cache.
    """
    with Interruption() as interruption:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.report.live import PlainView, TerminalView  # noqa: PLC0415
        from simulator.scenario_file import load_scenario  # noqa: PLC0415

        scenario = load_scenario(SCENARIO)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, scenario.builds)
        terminal = sys.stdout.isatty() and not as_json
        view: View | None = None
        if not as_json:
            view = TerminalView(sys.stdout) if terminal else PlainView(sys.stdout)
        if pace is None:
            pace = _PACE_SECONDS if terminal else 0.0
        return play(parent, interruption, pace, view, _Show(scenario, seed, view).script)


class _Show:
    """The demonstration."""

    def __init__(self, scenario: Scenario, seed: int, view: View | None) -> None:
        from simulator.report.text import Report  # noqa: PLC0415

        self._scenario = scenario
        self._first_seed = seed
        # None: a document is all that is wanted.
        self._view = view
        self._out = Report(sys.stdout)

    async def script(self, runner: Runner) -> int:
        from simulator.errors import InternalError  # noqa: PLC0415

        rehearsed = await self._rehearse(runner)
        observer = None
        if self._view is not None:
            self._out.title(self._scenario, rehearsed.seed)
            self._out.line()
            observer = _Narrator(self._view, self._out)
        shown = await runner.run(self._scenario, rehearsed.seed, observer=observer, chain=True)
        # The storm and the first cleaner; after that the two runs differ on purpose.
        if list(shown.rounds[0][: len(rehearsed.rounds[0])]) != list(rehearsed.rounds[0]):
            raise InternalError("nondeterminism", str(rehearsed.token), "the show went another way than its rehearsal")
        self._finish(rehearsed, shown)
        return 0 if shown.empty and rehearsed.as_expected else 1

    async def _rehearse(self, runner: Runner) -> RunReport:
        from simulator.errors import InternalError  # noqa: PLC0415

        for seed in range(self._first_seed, self._first_seed + _SEEDS_TRIED_MAX):
            report = await runner.run(self._scenario, seed, quiet=True)
            if report.residue.poisoned:
                return report
            if self._view is not None:
                self._out.line(f"seed {seed} poisons no directory (the race is one); on to seed {seed + 1}", "dim")
        raise InternalError(
            "no-poison",
            str(self._first_seed),
            f"none of {_SEEDS_TRIED_MAX} seeds from {self._first_seed} on poisons a directory",
        )

    def _finish(self, rehearsed: RunReport, shown: RunReport) -> None:
        from simulator.explaining.poisoning import explain_poisoning  # noqa: PLC0415

        story = explain_poisoning(shown.rounds[0])
        if self._view is None:
            document = {**rehearsed.document(), "schema": "cachestorm/demo/1"}
            document["cleaners"] = [cleaner.document() for cleaner in shown.cleaners]
            document["empty"] = shown.empty
            print_document(document)
            return
        self._out.story(story)
        self._out.token(rehearsed, f"cachestorm replay {rehearsed.token} --explain")


class _Narrator:
    """Tells a run as it happens."""

    def __init__(self, view: View, out: Report) -> None:
        self._view = view
        self._out = out

    def storm_begins(self, round_number: int, actors: Sequence[Shown]) -> None:
        """Curtain."""
        del round_number
        self._view.begin(f"{len(actors)} builds share one cache:", actors)

    def storm_ends(self, round_number: int, builds: tuple[BuildOutcome, ...], residue: Residue, cache: str) -> None:
        """What became of them, and of the cache."""
        del round_number, cache
        self._view.end()
        self._out.builds(builds)
        self._out.residue(residue)

    def cleaner_begins(self, round_number: int, name: str, actors: Sequence[Shown]) -> None:
        """Next."""
        del round_number
        self._out.line()
        self._view.begin(f"the cleaner {name} on this cache:", actors)

    def cleaner_ends(self, round_number: int, outcome: CleanerOutcome) -> None:
        """What it says, and what is so."""
        del round_number
        self._view.end()
        self._out.cleaner(outcome)
