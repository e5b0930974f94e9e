"""`cachestorm run`: a storm, what it left, what each cleaner makes of it, the verdict; of one seed or of many."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import IO, TYPE_CHECKING

import click

from simulator.cli.output import print_document
from simulator.cli.parameters import (
    DEFAULT_SEED,
    SEED,
    SeedRange,
    debug_option,
    examples,
    ground_options,
    json_option,
    override_options,
    tool_options,
)
from simulator.cli.saving import open_save, save_schedules
from simulator.cli.signals import Interruption

if TYPE_CHECKING:
    from simulator.cli.overrides import Overrides
    from simulator.cli.running import Runner
    from simulator.cli.saving import SaveFile
    from simulator.report.live import View
    from simulator.report.summary import Summary
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario


@click.command(
    "run",
    short_help="Run a scenario: storm, residue, cleaners, verdict.",
    epilog=examples(
        "cachestorm run",
        "cachestorm run issue-3515 --seed 7 --json",
        "cachestorm run stress --builds 64 --seeds 0:1000 --until-violation",
        "cachestorm run --package ./some-package-1.0.tar.gz",
        "cachestorm run issue-3515-loop --tool uv==0.1.42 --seeds 0:12",
        "cachestorm run ./mine.toml --fault build-3:install_lib:kill --trace steps.jsonl",
    ),
)
@click.argument("scenario", default="issue-3515")
@click.option("--seed", type=SEED, metavar="N", help=f"Which interleaving (default {DEFAULT_SEED}).")
@click.option("--seeds", type=SeedRange(), metavar="A:B", help="All seeds from A up to, not including, B.")
@click.option("--until-violation", is_flag=True, help="With --seeds: stop at the first violation, expected or not.")
@override_options()
@ground_options()
@tool_options()
@click.option("--trace", metavar="FILE", help="Write every step to FILE as a line of JSON (one seed only).")
@click.option("--save", metavar="FILE", help="Write the schedule to FILE, for `replay FILE` (one seed only).")
@json_option()
@debug_option()
def command(
    *,
    scenario: str,
    seed: int | None,
    seeds: range | None,
    until_violation: bool,
    overrides: Overrides,
    sandbox: str | None,
    pace: float,
    tool: str | None,
    timeout: float | None,
    packages: str | None,
    keep_output: str | None,
    trace: str | None,
    save: str | None,
    as_json: bool,
) -> int:
    """Run SCENARIO: installs side by side, the residue, each cleaner, the verdict.

    SCENARIO is a name (see `cachestorm list scenarios`) or a TOML file; issue-3515 if not given. Exit 0 when
    everything went as the scenario expects, 1 when not.
    """
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other; give one of them")
    if trace is not None and seeds is not None:
        raise click.UsageError(f"--trace '{trace}' takes the steps of one seed; give --seed N in place of --seeds")
    if save is not None and (seeds is not None or tool is not None):
        other = "--seeds" if seeds is not None else "--tool"
        raise click.UsageError(f"--save '{save}' takes the schedule of one simulated run; leave out {other}")
    _check_real(tool, {"--timeout": timeout, "--packages": packages, "--keep-output": keep_output}, pace, trace)
    with Interruption() as interruption, contextlib.ExitStack() as cleanup:
        from simulator.cli.ground import go_on_confined, prepare_ground  # noqa: PLC0415
        from simulator.cli.running import Runner, play  # noqa: PLC0415
        from simulator.cli.scenarios import resolve  # noqa: PLC0415

        with interruption.at_once():
            resolved = resolve(scenario, overrides)
            real = None
            if tool is not None:
                from simulator.cli.real import real_runs  # noqa: PLC0415

                real = real_runs(
                    tool,
                    resolved,
                    overrides,
                    name_or_file=scenario,
                    timeout=timeout,
                    packages=packages,
                    keep_output=keep_output,
                )
            # Opened while we may still do all that the user may.
            trace_file = None if trace is None else open_trace(trace)
            save_file = open_save(save, cleanup)
        go_on_confined(interruption)
        parent = prepare_ground(sandbox, resolved.builds, None if real is None else real.space_needed)
        runner = Runner if real is None else real.runner
        if seeds is None:
            one = _One(resolved, overrides, DEFAULT_SEED if seed is None else seed, (trace_file, save_file), as_json)
            return play(parent, interruption, pace, view_for(as_json=as_json), one.script, runner=runner)
        many = _Many(resolved, seeds, until_violation, as_json)
        return play(parent, interruption, pace, None, many.script, runner=runner)


def _check_real(tool: str | None, options: dict[str, object], pace: float, trace: str | None) -> None:
    """Refuse what goes with real installs only, without them, and what goes with simulated ones only."""
    given = [name for name, value in options.items() if value is not None]
    if tool is None and given:
        raise click.UsageError(f"{given[0]} goes with real installs; give --tool, or leave it out")
    if tool is not None and trace is not None:
        raise click.UsageError(f"--trace '{trace}': real installs have no steps to write; leave out --trace or --tool")
    if tool is not None and pace:
        raise click.UsageError(f"--pace {pace:g}: real installs go as fast as they go; leave out --pace or --tool")


def view_for(*, as_json: bool) -> View | None:
    """How a run is shown while it happens, on stderr: live on a terminal, in lines elsewhere, not beside JSON."""
    from simulator.report.live import PlainView, TerminalView  # noqa: PLC0415

    if sys.stderr.isatty():
        return TerminalView(sys.stderr)
    return None if as_json else PlainView(sys.stderr)


def open_trace(path: str) -> IO[str]:
    """Open a trace file for writing.

    Raises:
        BadInputError: It cannot be.
    """
    from simulator.errors import BadInputError  # noqa: PLC0415

    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise BadInputError("bad-trace", path, f"--trace '{path}' cannot be written: {error.strerror}") from error


def write_trace(file: IO[str], report: RunReport) -> None:
    """Write every step of a run, and close the file.

    Raises:
        MachineError: The disk is full, or the like.
    """
    from simulator.engine.trace import json_lines  # noqa: PLC0415
    from simulator.errors import MachineError  # noqa: PLC0415

    try:
        with file:
            file.writelines(f"{line}\n" for line in json_lines(report.rounds))
    except OSError as error:
        raise MachineError("trace", file.name, f"--trace '{file.name}' was not written: {error.strerror}") from error


def save_run(file: SaveFile, scenario: Scenario, report: RunReport) -> None:
    """Write the schedule of a run, by who moved when and not by its seed."""
    from simulator.running.identity import token_of  # noqa: PLC0415
    from simulator.running.signature import signature  # noqa: PLC0415

    save_schedules(file, scenario.name, [(signature(report), str(token_of(scenario, report, scheduled=True)))])


class _One:
    """One seed: the whole report."""

    def __init__(
        self,
        scenario: Scenario,
        overrides: Overrides,
        seed: int,
        files: tuple[IO[str] | None, SaveFile | None],
        as_json: bool,
    ) -> None:
        self._scenario = scenario
        self._overrides = overrides
        self._seed = seed
        self._trace_file, self._save_file = files
        self._as_json = as_json

    async def script(self, runner: Runner) -> int:
        report = await runner.run(self._scenario, self._seed)
        if self._trace_file is not None:
            write_trace(self._trace_file, report)
        if self._save_file is not None:
            save_run(self._save_file, self._scenario, report)
        if self._as_json:
            print_document(report.document())
        else:
            from simulator.cli.scenarios import replay_line  # noqa: PLC0415
            from simulator.report.text import Report  # noqa: PLC0415

            line = "" if report.token is None else replay_line(report.token, self._scenario, self._overrides)
            Report(sys.stdout).whole(report, self._scenario, line)
        return 0 if report.as_expected else 1


class _Many:
    """Many seeds: a line each, and what they have in common."""

    def __init__(self, scenario: Scenario, seeds: range, until_violation: bool, as_json: bool) -> None:
        self._scenario = scenario
        self._seeds = seeds
        self._until_violation = until_violation
        self._as_json = as_json
        self._progress = sys.stderr.isatty()

    async def script(self, runner: Runner) -> int:
        from simulator.report.summary import Summary, line_of  # noqa: PLC0415

        summary = Summary()
        start = time.monotonic()
        for seed in self._seeds:
            self._show(seed, summary)
            report = await runner.run(self._scenario, seed)
            summary.add(report)
            self._show(None, summary)
            if self._as_json:
                print_document(report.document())
            else:
                print(line_of(report), flush=True)
            if self._until_violation and report.violations:
                break
        if not self._as_json:
            print()
            print("\n".join(summary.lines(time.monotonic() - start)))
        return 1 if summary.unexpected else 0

    def _show(self, seed: int | None, summary: Summary) -> None:
        """One line on the terminal that gives way to the next."""
        if not self._progress:
            return
        text = (
            ""
            if seed is None
            else f"seed {seed} of {self._seeds.start}:{self._seeds.stop}, {summary.poisoned} poisoned"
        )
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
