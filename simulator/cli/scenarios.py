"""A scenario with the command line's overrides, and the line that replays a run of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from cache_core.protocols import BUILD_IN_PLACE, PROTOCOLS
from simulator.actors.cleaners import CLEANERS
from simulator.actors.toolchains import TOOLCHAINS
from simulator.cli.packages import source_distribution
from simulator.errors import BadInputError
from simulator.naming import known_name
from simulator.scenario import BUILDS_MAX
from simulator.scenario_file import cache_lock_default, check_fault, load_scenario
from simulator.strategies import SAMPLERS
from simulator.strategies.pct import DEPTH_MAX
from simulator.token import SHORT, parse_token

if TYPE_CHECKING:
    from simulator.cli.overrides import Overrides
    from simulator.scenario import Scenario, Schedule


def resolve(name_or_file: str, overrides: Overrides) -> Scenario:
    """Read a scenario and apply the overrides.

    Raises:
        BadInputError: An unknown name or a value that cannot be, with the nearest right one.
    """
    scenario = load_scenario(name_or_file)
    if overrides.builds is not None:
        if overrides.builds > BUILDS_MAX:
            raise BadInputError(
                "bad-builds", str(overrides.builds), f"--builds {overrides.builds}: at most {BUILDS_MAX}"
            )
        scenario = replace(scenario, builds=overrides.builds)
    if overrides.protocol is not None:
        scenario = _with_protocol(scenario, known_name("protocol", overrides.protocol, PROTOCOLS))
    if overrides.cache_lock is not None:
        scenario = replace(scenario, cache_lock=overrides.cache_lock)
    if overrides.toolchain is not None:
        scenario = replace(scenario, toolchain=known_name("toolchain", overrides.toolchain, TOOLCHAINS))
    if overrides.package is not None:
        scenario = replace(scenario, packages=(source_distribution(overrides.package),))
    if overrides.cleaners:
        scenario = _with_cleaners(scenario, overrides.cleaners)
    scenario = replace(scenario, schedule=_with_strategy(scenario.schedule, overrides.strategy, overrides.depth))
    parties = (scenario.builds, scenario.cleaners_during, scenario.cleaners_after)
    faults = tuple(check_fault(spec, *parties) for spec in overrides.faults)
    return replace(scenario, faults=(*scenario.faults, *faults))


def replay_line(token: str, scenario: Scenario, overrides: Overrides) -> str:
    """The command that plays a run again, ready for a shell."""
    known = parse_token(token)
    if known.segments and known.form == SHORT:
        # No strategy has a say.
        overrides = replace(overrides, strategy=None, depth=None)
    words = ["cachestorm", "replay", token]
    if scenario.origin != scenario.name:
        words += ["--scenario", scenario.origin]
    return shlex.join(words + overrides.options())


def _with_cleaners(scenario: Scenario, names: tuple[str, ...]) -> Scenario:
    from simulator.tools.kinds import model_of, parse_cleaner  # noqa: PLC0415

    for name in names:
        # A real tool's is known by its form; whether there is such a version, the index says.
        known_name("cleaner", name, CLEANERS) if "==" not in name else parse_cleaner(name)
    # What the scenario lets a model of a tool do, it lets the tool do.
    may_fail = scenario.expect.cleaners_may_fail
    may_fail = (*may_fail, *(name for name in names if model_of(name) in may_fail))
    return replace(scenario, cleaners_after=names, expect=replace(scenario.expect, cleaners_may_fail=may_fail))


def _with_protocol(scenario: Scenario, protocol: str) -> Scenario:
    # Whoever did not say otherwise gets the lock that goes with the protocol. (Builds in place have no use for it, so
    # leaving it out there says nothing about others.)
    usual = scenario.protocol in BUILD_IN_PLACE or scenario.cache_lock == cache_lock_default(scenario.protocol)
    lock = cache_lock_default(protocol) if usual else scenario.cache_lock
    return replace(scenario, protocol=protocol, cache_lock=lock)


def _with_strategy(schedule: Schedule, strategy: str | None, depth: int | None) -> Schedule:
    """The same parameters under another strategy; the depth goes with one of them."""
    if strategy is not None:
        strategy = known_name("strategy", strategy, SAMPLERS)
        schedule = schedule.under(strategy)
    if depth is None:
        return schedule
    if schedule.strategy != "pct":
        raise BadInputError(
            "bad-depth",
            str(depth),
            f"--depth {depth} goes with --strategy pct, not '{schedule.strategy}'; give that, or leave out --depth",
        )
    if depth > DEPTH_MAX:
        raise BadInputError("bad-depth", str(depth), f"--depth {depth}: at most {DEPTH_MAX}")
    return replace(schedule, depth=depth)
