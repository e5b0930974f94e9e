"""One storm of real installs, end to end: free-running processes, what they left, what each cleaner makes of it.

The same scenario, oracles, verdict and report as of a simulated run (`simulator.running`); but nobody waits at a gate:
the operating system schedules, so there is no token, no trace, and the seed decides nothing but drawn faults.

    storms = await RealStorms.prepare(scenario, parse_tool("uv==0.1.42"), sandbox)
    reports = [await storms.run(seed) for seed in range(10)]

Guarantees: everything happens in the sandbox, but for what `environments` keeps; when a function of this module returns
or raises, no process that it started is alive. First one install is made alone: what fails alone is no race and is
refused, and what it installed is what the others should. Each cleaner gets an exact copy of the residue, at the path
where it was made.
Not guaranteed: that the same seed gives the same storm.
Costs: what the installs cost; the sandbox holds the cache twice, and an environment for each install.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cache_core.kernel import REAL
from cache_core.protocols import BUILD_IN_PLACE
from cache_core.removal import remove_tree
from simulator.actors.install import source_entry
from simulator.errors import BadInputError, MachineError
from simulator.ground.stage import Stage
from simulator.likeness.manifest import SdistManifest
from simulator.oracles import CLEANER_ORACLES
from simulator.oracles.base import CleanerEvidence, StormEvidence
from simulator.oracles.build_hurt import build_hurt
from simulator.oracles.cleaner_failed import cleaner_failed
from simulator.oracles.outside import outside_after_storm
from simulator.running.outcome import RunReport
from simulator.running.verdict import cleaner_outcome, emptied, judged, read_residue
from simulator.sdists.archive import unpack
from simulator.tools.build_requirements import required_wheels, told_requirements
from simulator.tools.downloads import WHEEL
from simulator.tools.enclosure import Place, variables
from simulator.tools.failures import NO_SPACE
from simulator.tools.folder import copy_file, default_folder, find_all, wanted_packages
from simulator.tools.groups import no_orphans
from simulator.tools.installed import Installed
from simulator.tools.installs import Install, run_installs
from simulator.tools.real_cleaners import RealCleaners
from simulator.tools.signals import plan_signals
from simulator.tools.snapshot import copy_tree
from simulator.tools.tool import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from simulator.ground.sandbox import Sandbox
    from simulator.running.orchestrator import Observer
    from simulator.running.outcome import CleanerOutcome, Violation
    from simulator.scenario import Scenario
    from simulator.tools.folder import Wanted
    from simulator.tools.tool import Installer, Tool

# A storm of real installs on a busy machine takes a minute; what takes ten hangs.
TIMEOUT_SECONDS = 600.0

_PREPARED = "prepared"
_HOMES = "homes"
_KEPT = "kept"


def _nobody(line: str) -> None:
    del line


@dataclass(frozen=True, slots=True)
class RealOptions:
    """How real storms are made.

    Attributes:
        timeout_seconds: for each install and each cleaner.
        folder: where the packages are; `folder.default_folder` when not given.
        archives: files of packages that need not be in the folder, by their digest (SHA-256).
        fetch_command: told to whoever lacks a package.
        keep_output: directory to keep what the installs print in; None to drop it.
        interrupted: asked some twenty times a second; true ends the storm.
        observer: who watches.
        tell: gets a line about each thing that takes long, or is left out.
    """

    timeout_seconds: float = TIMEOUT_SECONDS
    folder: str | None = None
    archives: Mapping[str, str] = field(default_factory=dict)
    fetch_command: str = "cachestorm fetch-packages"
    keep_output: str | None = None
    interrupted: Callable[[], bool] = bool
    observer: Observer | None = None
    tell: Callable[[str], None] = _nobody


async def run_real(
    scenario: Scenario, tool: Tool, sandbox: Sandbox, options: RealOptions | None = None, seed: int = 0
) -> RunReport:
    """Make one storm; for several, prepare once (`RealStorms`). Raises as `RealStorms.prepare` and `RealStorms.run`."""
    return await (await RealStorms.prepare(scenario, tool, sandbox, options)).run(seed)


def wanted_files(scenario: Scenario, tool: Tool) -> list[Wanted]:
    """Every file that the installs of a scenario take with a tool."""
    return [*wanted_packages(scenario.packages), *tool.wanted(scenario.toolchain)]


class RealStorms:
    """Storms of one scenario with one tool, prepared once. Make it with `prepare`."""

    def __init__(self, scenario: Scenario, sandbox: Sandbox, options: RealOptions, job: Job, tool: str) -> None:
        self._scenario = scenario
        self._sandbox = sandbox
        self._options = options
        self._job = job
        self._tool = tool
        self._installer: Installer
        self._cleaners: RealCleaners
        self._expected: Installed
        self._alone_seconds = 0.0
        self._told_left_out = False

    @classmethod
    async def prepare(
        cls, scenario: Scenario, tool: Tool, sandbox: Sandbox, options: RealOptions | None = None
    ) -> RealStorms:
        """Have everything that the storms take, and make one install alone.

        Raises:
            BadInputError: a version that does not exist, or an install that fails alone.
            MachineError: no network for what must be downloaded, a package that is not in the folder, no room.
            KeyboardInterrupt: `options.interrupted` said so.
        """
        options = options or RealOptions()
        directory = f"{sandbox.path}/{_PREPARED}"
        for name in ("", "/links", "/tool", f"/{_HOMES}"):
            REAL.mkdir(f"{directory}{name}")
        storms = cls(scenario, sandbox, options, _job(scenario, f"{directory}/links"), tool.name)
        await storms._gather_requirements(tool, storms._gather(tool))
        with no_orphans():
            storms._installer = await tool.ready(storms._job, f"{directory}/tool", options.tell)
            cleaners = (*scenario.cleaners_during, *scenario.cleaners_after)
            homes = f"{directory}/{_HOMES}"
            storms._cleaners = await RealCleaners.prepare(cleaners, homes, options.timeout_seconds, options.tell)
            await storms._install_alone(directory)
        return storms

    def _gather(self, tool: Tool) -> list[str]:
        """Copy what is installed, and nothing else, where the installs take it from; returns the sdists."""
        options = self._options
        folder = options.folder or default_folder()
        wanted = [item for item in wanted_files(self._scenario, tool) if item.sha256 not in options.archives]
        files = [there.path for there in find_all(folder, wanted, options.fetch_command)]
        digests = [item.archive.sha256 for item in self._job.packages]
        files += [options.archives[digest] for digest in digests if digest in options.archives]
        self._link(files)
        return [path for path in files if not path.endswith(WHEEL)]

    async def _gather_requirements(self, tool: Tool, sdists: list[str]) -> None:
        """Have what the sdists require to be built: for tools that build in isolation, among the archives."""
        required = tuple(dict.fromkeys(item for path in sdists for item in told_requirements(path)))
        self._job = replace(self._job, required=required)
        if tool.own_protocol:
            options = self._options
            wheels = await required_wheels(required, self._job.toolchain, options.tell)
            there = find_all(options.folder or default_folder(), wheels, options.fetch_command)
            self._link([item.path for item in there])

    def _link(self, files: list[str]) -> None:
        for path in files:
            copy_file(path, f"{self._job.links}/{os.path.basename(path)}")

    async def _install_alone(self, directory: str) -> None:
        cache = f"{directory}/alone"
        REAL.mkdir(cache)
        self._place_local(cache)
        place = Place("build-1", cache, f"{directory}/environment", f"{directory}/{_HOMES}/alone")
        install = self._install(place, f"{directory}/output")
        await run_installs([install], self._options.interrupted)
        _require_space(install)
        failure = install.failure()
        if failure is not None:
            names = " ".join(f"{item.name}=={item.version}" for item in self._job.packages)
            kind = "timeout" if install.group.timed_out else "fails-alone"
            hint = "; give it more with --timeout" if install.group.timed_out else ""
            raise BadInputError(
                kind, names, f"{self._tool} cannot install {names}, even alone: {failure.message}{hint}"
            )
        self._expected = Installed.read(self._installer.installed(place))
        self._alone_seconds = install.group.seconds

    def _install(self, place: Place, output: str) -> Install:
        place.make()
        os.makedirs(place.environment, exist_ok=True)
        self._installer.make_environment(place)
        told = {**variables(place, os.environ), **self._installer.variables(place)}
        return Install(place, self._installer.command(place), told, output, self._options.timeout_seconds)

    def _place_local(self, cache: str) -> None:
        """Unpack the source trees that are built in place, where they lie."""
        for item in self._job.packages:
            place = self._job.local.get(f"{item.name}=={item.version}")
            if place is not None:
                above = os.path.dirname(f"{cache}/{place}")
                os.makedirs(above, exist_ok=True)
                tree = unpack(f"{self._job.links}/{item.archive.filename}", above)
                if tree != f"{cache}/{place}":
                    REAL.rename(tree, f"{cache}/{place}")

    # A storm.

    async def run(self, seed: int) -> RunReport:
        """Make one storm.

        Raises:
            MachineError: the machine ran out of something.
            KeyboardInterrupt: `options.interrupted` said so.
        """
        with no_orphans():
            return await self._run(seed)

    async def _run(self, seed: int) -> RunReport:
        scenario, observer = self._scenario, self._options.observer
        stage, installs = self._begin(seed)
        middle = await self._storm(stage, installs, observer)
        for install in installs:
            _require_space(install)
        builds = tuple(install.outcome() for install in installs)
        residue = read_residue(stage.cache)
        if observer:
            observer.storm_ends(1, builds, residue, stage.cache)
        evidence = StormEvidence(scenario, stage, builds, middle, residue)
        violations = [*build_hurt(evidence), *self._not_whole(installs), *cleaner_failed(evidence)]
        violations += outside_after_storm(evidence)
        self._keep_output(seed, installs)
        cleaners = await self._clean(stage, violations)
        struck = {name for install in installs for name in install.struck}
        left_out = plan_signals(scenario, seed, [], 0.0)[1]
        self._sandbox.clear()
        return RunReport(
            scenario=scenario.name,
            seed=seed,
            token=None,
            trace_digest=None,
            steps=None,
            switches=None,
            builds=builds,
            residue=residue,
            cleaners=(*middle, *cleaners),
            empty=emptied(scenario, cleaners),
            violations=judged(scenario, violations),
            idle_faults=tuple(str(fault) for fault in scenario.faults if str(fault) not in {*struck, *left_out}),
            tool=self._tool,
        )

    def _begin(self, seed: int) -> tuple[Stage, list[Install]]:
        """Set the stage: a cold cache, and for each install an environment and a home."""
        scenario = self._scenario
        root = self._sandbox.fresh()
        for name in (_HOMES, _KEPT):
            # Before the stage is set: what is there then is what must stay.
            REAL.mkdir(f"{root}/{name}")
        stage = Stage(root)
        names = [f"build-{number}" for number in range(1, scenario.builds + 1)]
        stage.set(names)
        self._place_local(stage.cache)
        faults, left_out = plan_signals(scenario, seed, names, self._alone_seconds)
        self._tell_left_out(left_out)
        installs = []
        for name in names:
            place = Place(name, stage.cache, stage.environment(name), f"{root}/{_HOMES}/{name}")
            install = self._install(place, f"{root}/{_KEPT}/{name}.txt")
            install.faults = faults[name]
            installs.append(install)
        return stage, installs

    def _tell_left_out(self, faults: list[str]) -> None:
        if faults and not self._told_left_out:
            self._told_left_out = True
            listed = ", ".join(dict.fromkeys(faults))
            self._options.tell(
                f"left out, for real installs only get kill and stall at a phase one can watch: {listed}"
            )

    async def _storm(
        self, stage: Stage, installs: list[Install], observer: Observer | None
    ) -> tuple[CleanerOutcome, ...]:
        """Let the installs run, and the cleaners in the middle of them; how those did."""
        outcomes: list[CleanerOutcome] = []

        def cleaner(name: str) -> Callable[[], Awaitable[None]]:
            async def clean() -> None:
                cleaned = await self._cleaners.clean(name, stage.cache)
                outcomes.append(cleaner_outcome(name, cleaned, stage.cache, empty=None, killed=False))

            return clean

        if observer:
            observer.storm_begins(1, installs)
        beside = [cleaner(name) for name in self._scenario.cleaners_during]
        await run_installs(installs, self._options.interrupted, beside)
        return tuple(outcomes)

    def _not_whole(self, installs: list[Install]) -> list[Violation]:
        violations = []
        for install in installs:
            if install.group.code == 0:
                place = self._installer.installed(install.place)
                violations += self._expected.violations(install.name, place)
        return violations

    async def _clean(self, stage: Stage, violations: list[Violation]) -> list[CleanerOutcome]:
        """Give each cleaner an exact copy of the residue, where it was made: caches hold absolute paths."""
        observer = self._options.observer
        residue = f"{stage.root}/{_KEPT}/residue"
        REAL.rename(stage.cache, residue)
        outcomes = []
        for name in self._scenario.cleaners_after:
            if self._options.interrupted():
                raise KeyboardInterrupt
            _copy(residue, stage.cache)
            if observer:
                observer.cleaner_begins(1, name, [])
            cleaned = await self._cleaners.clean(name, stage.cache)
            left = tuple(stage.left_in_cache())
            outcome = cleaner_outcome(name, cleaned, stage.cache, empty=not left, killed=False)
            if observer:
                observer.cleaner_ends(1, outcome)
            outcomes.append(outcome)
            evidence = CleanerEvidence(self._scenario, stage, outcome, left)
            for oracle in CLEANER_ORACLES.values():
                violations += oracle(evidence)
            remove_tree(stage.cache)
        return outcomes

    def _keep_output(self, seed: int, installs: list[Install]) -> None:
        directory = self._options.keep_output
        if directory is None:
            return
        place = f"{directory}/seed-{seed}"
        try:
            os.makedirs(place, exist_ok=True)
            for install in installs:
                copy_file(install.output, f"{place}/{install.name}.txt")
        except OSError as error:
            raise MachineError("output", place, f"'{place}' cannot be written: {error.strerror}") from error


def _job(scenario: Scenario, links: str) -> Job:
    local = {}
    if scenario.protocol in BUILD_IN_PLACE:
        sources = [item for item in scenario.packages if isinstance(item, SdistManifest)]
        local = {f"{item.name}=={item.version}": source_entry(item).local for item in sources}
    return Job(scenario.packages, scenario.toolchain, scenario.protocol, scenario.cache_lock, links, local)


def _require_space(install: Install) -> None:
    """A full disk breaks installs in place of the race: that is no result.

    Raises:
        MachineError: it was full.
    """
    if install.group.code != 0 and NO_SPACE.search(install.printed):
        raise _no_space(install.name)


def _copy(residue: str, cache: str) -> None:
    try:
        copy_tree(residue, cache)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _no_space("the copy of the residue") from error
        raise


def _no_space(who: str) -> MachineError:
    return MachineError(
        "space",
        who,
        f"the sandbox is full ({who} met it), and no fault did that: give a larger place with --sandbox, or fewer"
        " --builds",
    )
