"""`cachestorm run --tool`: real installs in place of simulated ones, with the same reports and exit codes."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from simulator.cli.output import note
from simulator.cli.overrides import Overrides
from simulator.cli.packages import MANIFEST_SUFFIX, is_path
from simulator.cli.running import Runner, Watcher, until_interrupted
from simulator.errors import BadInputError
from simulator.likeness.manifest import SdistManifest
from simulator.tools.kinds import parse_tool
from simulator.tools.signals import check_signals
from simulator.tools.storm import TIMEOUT_SECONDS, RealOptions, RealStorms

if TYPE_CHECKING:
    from simulator.cli.signals import Interruption
    from simulator.ground.sandbox import Sandbox
    from simulator.report.live import View
    from simulator.running.orchestrator import Observer
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario
    from simulator.tools.tool import Tool

# Measured with uv 0.1.42, which unpacks the build back end for each build: the cache, and the copy for a cleaner.
_SPACE_BYTES = 48 * 1024 * 1024
_SPACE_PER_BUILD_BYTES = 8 * 1024 * 1024
_SPACE_PER_WHEEL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RealRuns:
    """What the command line says of real installs.

    Attributes:
        tool: makes them.
        options: how.
        scenario: what runs.
    """

    tool: Tool
    options: RealOptions
    scenario: Scenario

    @property
    def space_needed(self) -> int:
        """Bytes that a storm takes at its height."""
        sources = sum(isinstance(item, SdistManifest) for item in self.scenario.packages)
        wheels = len(self.scenario.packages) - sources
        each = sources * _SPACE_PER_BUILD_BYTES + wheels * _SPACE_PER_WHEEL_BYTES
        return _SPACE_BYTES + self.scenario.builds * each

    def runner(self, sandbox: Sandbox, interruption: Interruption, pace: float, view: View | None) -> Runner:
        """As `play` wants it."""
        return _RealRunner(self, sandbox, interruption, pace, view)


def real_runs(
    tool: str,
    scenario: Scenario,
    overrides: Overrides,
    *,
    name_or_file: str,
    timeout: float | None,
    packages: str | None,
    keep_output: str | None,
) -> RealRuns:
    """Check what the command line says of real installs.

    Args:
        tool: as given.
        scenario: with the overrides.
        overrides: as given.
        name_or_file: the scenario, as given.
        timeout: seconds for each install; None for the default.
        packages: folder to take packages from; None for the default.
        keep_output: directory for what the installs print; None to drop it.

    Raises:
        BadInputError: no such tool, a fault that cannot be a signal, or a directory that cannot be made.
        click.UsageError: a protocol or a lock for a tool that has its own; a strategy.
    """
    made = parse_tool(tool)
    if made.own_protocol and overrides.cache_lock is not None:
        (option,) = Overrides(cache_lock=overrides.cache_lock).options()
        raise click.UsageError(
            f"{option}: {made.name} has its own locks; {option} goes with --tool build, or with no --tool"
        )
    if made.own_protocol and overrides.protocol is not None:
        raise click.UsageError(
            f"--protocol '{overrides.protocol}': {made.name} has its own way to share a cache; --protocol goes with"
            " --tool build, or with no --tool"
        )
    if overrides.strategy is not None or overrides.depth is not None:
        option, value = Overrides(strategy=overrides.strategy, depth=overrides.depth).options()[:2]
        raise click.UsageError(f"{option} '{value}': real installs move when they like; leave out {option}, or --tool")
    check_signals(overrides.faults)
    options = RealOptions(
        timeout_seconds=TIMEOUT_SECONDS if timeout is None else timeout,
        folder=None if packages is None else os.path.abspath(packages),
        archives={scenario.packages[0].archive.sha256: own} if (own := _own_archive(overrides)) else {},
        fetch_command=_fetch_command(scenario, name_or_file, overrides, packages),
        keep_output=None if keep_output is None else _made(keep_output),
        tell=note,
    )
    return RealRuns(made, options, scenario)


def _own_archive(overrides: Overrides) -> str | None:
    """Absolute path of the user's own sdist; None when packages come from the folder."""
    package = overrides.package
    is_archive = package is not None and is_path(package) and not package.endswith(MANIFEST_SUFFIX)
    return os.path.abspath(package) if package is not None and is_archive else None


def _made(directory: str) -> str:
    """A directory for output, made while we may still do all that the user may."""
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            "bad-output", directory, f"--keep-output '{directory}' cannot be made: {error.strerror}"
        ) from error
    return os.path.abspath(directory)


def _fetch_command(scenario: Scenario, name_or_file: str, overrides: Overrides, packages: str | None) -> str:
    words = ["cachestorm", "fetch-packages"]
    if packages is not None:
        words.append(packages)
    words += ["--scenario", name_or_file]
    if overrides.toolchain is not None:
        words += ["--toolchain", overrides.toolchain]
    if overrides.package is not None and not overrides.package.endswith(MANIFEST_SUFFIX):
        first = scenario.packages[0]
        own = is_path(overrides.package)
        words += ["--package", overrides.package if own else f"{first.name}=={first.version}"]
    return shlex.join(words)


class _RealRunner(Runner):
    """Makes real storms of one scenario, prepared at the first."""

    def __init__(
        self, runs: RealRuns, sandbox: Sandbox, interruption: Interruption, pace: float, view: View | None
    ) -> None:
        super().__init__(sandbox, interruption, pace, view)
        self._runs = runs
        self._storms: RealStorms | None = None

    async def run(
        self,
        scenario: Scenario,
        seed: int,
        *,
        observer: Observer | None = None,
        chain: bool = False,
        quiet: bool = False,
    ) -> RunReport:
        """One storm; real installs are neither chained nor quiet.

        Raises:
            InterruptedRunError: A signal came.
        """
        del chain, quiet
        view = self._view

        def ask() -> bool:
            if view is not None:
                view.look()
            return self._interruption()

        async def storm() -> RunReport:
            if self._storms is None:
                watcher = observer or (None if view is None else Watcher(view))
                options = replace(self._runs.options, observer=watcher, interrupted=ask)
                self._storms = await RealStorms.prepare(scenario, self._runs.tool, self._sandbox, options)
            return await self._storms.run(seed)

        try:
            return await until_interrupted(self._interruption, storm)
        except KeyboardInterrupt:
            raise self._interruption.error() from None
        finally:
            if view is not None:
                view.end()
