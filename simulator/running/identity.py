"""What makes a run the run that it is: the digest of its scenario, of its trace, its token."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.actors.cleaners import CLEANERS
from simulator.actors.interpreter import PYTHON_VERSION
from simulator.actors.toolchains import TOOLCHAINS
from simulator.engine.trace import fingerprint
from simulator.scenario import Schedule
from simulator.schedule import compact, format_segments
from simulator.token import Token, token_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.trace import Fingerprint, RawStep
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario


def token_of(scenario: Scenario, report: RunReport, *, scheduled: bool = False) -> Token:
    """The token of a run.

    Args:
        scenario: that was run; kills in its schedule or of a search are in the steps.
        report: what came of it, with all its steps.
        scheduled: whether a search said who moves when, so that no seed says it.
    """
    segments = scenario.schedule.segments
    if scheduled:
        segments = format_segments(compact(report.rounds[0][: report.storm_steps], report.actors))
    digest = unscheduled_digest(scenario, segments)
    return token_for(scenario.name, digest, report.seed, segments, trace_of(report))


def trace_of(report: RunReport) -> Fingerprint:
    """The fingerprint of all that happened in a run."""
    return fingerprint(storm_once(report.rounds, report.storm_steps))


def unscheduled_digest(scenario: Scenario, segments: str) -> str:
    """The scenario's digest for a token; where segments say who moves, no strategy has a say."""
    return scenario_digest(replace(scenario, schedule=Schedule("replay")) if segments else scenario)


def storm_once(rounds: Sequence[Sequence[RawStep]], storm_steps: int) -> list[RawStep]:
    """All that happened, the storm (which is the same in every round) counted once."""
    steps = list(rounds[0])
    for later in rounds[1:]:
        steps += later[storm_steps:]
    return steps


@functools.lru_cache(maxsize=4)
def scenario_digest(scenario: Scenario) -> str:
    """The scenario's digest, with the revision of its toolchain and, where it matters, the Python version."""
    names = (*scenario.cleaners_after, *scenario.cleaners_during)
    python = PYTHON_VERSION if any(_depends_on_interpreter(name) for name in names) else ""
    return scenario.digest(TOOLCHAINS[scenario.toolchain].revision, python)


def _depends_on_interpreter(cleaner: str) -> bool:
    # A real program is not in the table: its interpreter, if it has one, is its own.
    return cleaner in CLEANERS and CLEANERS[cleaner].depends_on_interpreter
