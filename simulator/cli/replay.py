"""`cachestorm replay`: the same run again, step for step, or the reason why it cannot be."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import debug_option, examples, ground_options, json_option, override_options
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.cli.overrides import Overrides
    from simulator.cli.running import Runner
    from simulator.explaining.poisoning import Story
    from simulator.explaining.swap import Explanation
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario
    from simulator.token import Token

# Wide enough for a story in a JSON document; a terminal says how wide it is.
_STORY_WIDTH = 100


@click.command(
    "replay",
    short_help="Play a run again, step for step, from its token.",
    epilog=examples(
        "cachestorm replay TOKEN --explain",
        "cachestorm replay TOKEN --explain --signature build-hurt:rmdir:ENOTEMPTY",
        "cachestorm replay TOKEN --builds 4 --scenario ./mine.toml",
        "cachestorm run --seed 7 --json | cachestorm replay -",
        "cachestorm replay run.json --against steps.jsonl",
    ),
)
@click.argument("token", metavar="TOKEN|FILE")
@click.option("--times", type=click.IntRange(min=1), default=1, metavar="N", help="Play it N times; all must agree.")
@click.option(
    "--explain", is_flag=True, help="Tell the story of the first poisoning, and which two steps must not swap."
)
@click.option(
    "--signature",
    metavar="SIGNATURE",
    help="With --explain: of the violation with this signature (see --json of the run).",
)
@click.option(
    "--against", metavar="TRACE", help="Compare with a file of `run --trace`; name the first step that differs."
)
@click.option(
    "--scenario", metavar="SCENARIO", help="Name or file of the scenario, where the token's name is not enough."
)
@override_options()
@ground_options()
@json_option()
@debug_option()
def command(
    *,
    token: str,
    times: int,
    explain: bool,
    signature: str | None,
    against: str | None,
    scenario: str | None,
    overrides: Overrides,
    sandbox: str | None,
    pace: float,
    as_json: bool,
) -> int:
    """Play the run of TOKEN again; FILE holds a token, the document of `run --json`, or the schedules of `--save`.

    - is standard input.

    The options of the run (they are in its replay line) must be given again; the token says whether they are the
    right ones. Exit 1 when a violation was reproduced, tolerated or not; 0 when there is none; 2 when the replay
    diverges.
    """
    if signature is not None and not explain:
        raise click.UsageError(f"--signature '{signature}' says what to explain; give --explain as well")
    with Interruption() as interruption:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.run import view_for  # noqa: PLC0415
        from simulator.cli.running import play  # noqa: PLC0415
        from simulator.cli.tokens import read_tokens, read_trace  # noqa: PLC0415

        with interruption.at_once():
            wanted = read_tokens(token)
            resolved = [scenario_of(one, scenario, overrides) for one in wanted]
            if against is not None and len(wanted) > 1:
                raise click.UsageError(f"--against '{against}' is of one run, and '{token}' holds {len(wanted)}")
            recorded = None if against is None else read_trace(against)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, max(one.builds for one in resolved))
        scripts = [
            _Replay(one, overrides, known, times=times, explain=explain, signature=signature, as_json=as_json)
            for one, known in zip(resolved, wanted, strict=True)
        ]
        if recorded is not None and against is not None:
            scripts[0].recorded = (recorded, against)

        async def play_each(runner: Runner) -> int:
            return max([await script.script(runner) for script in scripts])

        return play(parent, interruption, pace, view_for(as_json=as_json), play_each)


def scenario_of(token: Token, name_or_file: str | None, overrides: Overrides) -> Scenario:
    """The scenario of a token, with its schedule, held against the token's digest.

    Raises:
        BadInputError: There is no such scenario.
        DivergenceError: It is not the one that the token was made with.
    """
    from simulator.cli.scenarios import resolve  # noqa: PLC0415
    from simulator.errors import BadInputError, DivergenceError  # noqa: PLC0415
    from simulator.running.identity import scenario_digest, unscheduled_digest  # noqa: PLC0415
    from simulator.scenario_file import scenario_files  # noqa: PLC0415
    from simulator.token import LONG  # noqa: PLC0415

    if name_or_file is None and token.scenario not in scenario_files():
        raise BadInputError(
            "unknown-scenario",
            token.scenario,
            f"the token is of a scenario '{token.scenario}' that does not come with the program; give its file with"
            " --scenario",
        )
    scenario = resolve(name_or_file or token.scenario, overrides)
    found = token.digest_of(unscheduled_digest(scenario, token.segments))
    if token.segments:
        scenario = replace(scenario, schedule=replace(scenario.schedule, strategy="replay", segments=token.segments))
    if token.form == LONG:
        # Which covers the schedule and its parameters.
        found = scenario_digest(scenario)
    if found != token.scenario_digest:
        raise DivergenceError(
            "divergence",
            str(token),
            f"the token is of another run: its scenario has digest {token.scenario_digest}, '{scenario.origin}' with"
            f" these options has {found}; give every option of its replay line, with the version of cachestorm (and"
            " of Python, if `rmtree` is a cleaner)",
        )
    return scenario


class _Replay:
    """Plays a token, once or several times."""

    def __init__(
        self,
        scenario: Scenario,
        overrides: Overrides,
        token: Token,
        *,
        times: int,
        explain: bool,
        signature: str | None,
        as_json: bool,
    ) -> None:
        self._scenario = scenario
        self._overrides = overrides
        self._token = token
        self._times = times
        self._explain = explain
        self._signature = signature
        self._as_json = as_json
        self._swap: Explanation | None = None
        self.recorded: tuple[list[dict[str, object]], str] | None = None

    async def script(self, runner: Runner) -> int:
        violated = False
        if self._explain:
            self._swap = await runner.explain(self._scenario, self._token.seed, signature=self._signature)
        for number in range(1, self._times + 1):
            report = await runner.run(self._scenario, self._token.seed, quiet=number > 1)
            self._check(report)
            violated = violated or bool(report.violations)
            self._print(report, number)
        return 1 if violated else 0

    def _check(self, report: RunReport) -> None:
        """The trace first, if there is one to compare with: it knows which step."""
        from simulator.cli.tokens import check_trace, compare_with_trace  # noqa: PLC0415

        if self.recorded is not None:
            compare_with_trace(report, *self.recorded)
        check_trace(report, self._token)

    def _print(self, report: RunReport, number: int) -> None:
        from simulator.explaining.poisoning import explain_poisoning  # noqa: PLC0415
        from simulator.report.story import render_story  # noqa: PLC0415
        from simulator.report.swap import swap_document  # noqa: PLC0415

        story: Story | None = None
        if self._explain and report.rounds:
            story = explain_poisoning(report.rounds[0])
        if self._as_json:
            document = {**report.document(), "schema": "cachestorm/replay/1", "token": str(self._token)}
            if self._explain:
                document["story"] = None if story is None else render_story(story, _STORY_WIDTH).splitlines()
                document["swap"] = None if self._swap is None else swap_document(self._swap, _STORY_WIDTH)
            print_document(document)
            return
        if number > 1:
            print(f"replay {number} of {self._times}: the same {report.steps:,} steps")
            return
        self._print_report(report, story)

    def _print_report(self, report: RunReport, story: Story | None) -> None:
        from simulator.cli.scenarios import replay_line  # noqa: PLC0415
        from simulator.report.text import Report  # noqa: PLC0415

        out = Report(sys.stdout)
        out.whole(report, self._scenario, replay_line(str(self._token), self._scenario, self._overrides))
        out.line(f"replayed: the same {report.steps:,} steps, digest {report.trace_digest}")
        if self._explain:
            if story is not None or self._swap is None or not self._swap.found:
                out.story(story)
            out.swap(self._swap)
