"""Scenarios: what a run is, resolved and frozen, with a digest.

Two people must be able to say "the same run": the digest covers everything that decides one but the seed, which
is the scenario with its overrides, the package manifests and the toolchain's revision.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.likeness.manifest import FILE_MODE, BuildSpec
from simulator.strategies.pct import DEPTH
from simulator.strategies.staggered import START_GAP
from simulator.strategies.sticky import SWITCH_PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.engine.faults import Fault, RandomFaults
    from simulator.likeness.manifest import SdistManifest, WheelManifest

DIGEST_CHARACTERS = 8

BUILDS_MAX = 1024


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who moves when.

    Attributes:
        strategy: name in `simulator.strategies.STRATEGIES`.
        switch_probability: of ``sticky``.
        start_gap: of ``sticky``: mean number of steps between two arrivals.
        quantum: of ``round-robin``.
        depth: of ``pct``.
        segments: of ``replay``: a schedule in segments.
        swarm: whether the seed also draws which kinds of random faults there are at all; goes with ``portfolio``, and
            stays with schedules that were found by it.
    """

    strategy: str = "sticky"
    switch_probability: float = SWITCH_PROBABILITY
    start_gap: int = START_GAP
    quantum: int = 1
    segments: str = ""
    depth: int = DEPTH
    swarm: bool = False

    def under(self, strategy: str) -> Schedule:
        """The same parameters, where they are any, under another strategy that a seed goes with."""
        depth = self.depth if strategy == "pct" else DEPTH
        return dataclasses.replace(self, strategy=strategy, depth=depth, swarm=strategy == "portfolio")


@dataclass(frozen=True, slots=True)
class Expect:
    """What the scenario takes as it comes.

    Attributes:
        cleaners_may_fail: cleaners whose failure is no surprise.
        tolerated_oracles: oracles whose violations are no surprise.
    """

    cleaners_may_fail: tuple[str, ...] = ()
    tolerated_oracles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of run.

    Attributes:
        name: as `cachestorm list` shows it.
        summary: one line.
        builds: how many installs side by side, from 0.
        packages: what each installs, in order.
        protocol: name in `cache_core.protocols.PROTOCOLS`.
        toolchain: name in `simulator.actors.toolchains.TOOLCHAINS`.
        cache_lock: whether installs hold the cache's lock, shared, for their whole life.
        builds_only: whether the actors only get their source distributions built, and make no whole install
            (`simulator.actors.entries`).
        faults: at fixed places.
        random_faults: drawn from the seed.
        cleaners_after: each gets the whole residue.
        cleaners_during: actors in the middle of the storm.
        origin: the file it was read from, as shown to people; not part of the digest.
    """

    name: str
    summary: str
    builds: int
    packages: tuple[SdistManifest | WheelManifest, ...]
    protocol: str
    toolchain: str
    cache_lock: bool
    schedule: Schedule = field(default_factory=Schedule)
    faults: tuple[Fault, ...] = ()
    random_faults: tuple[RandomFaults, ...] = ()
    cleaners_after: tuple[str, ...] = ()
    cleaners_during: tuple[str, ...] = ()
    expect: Expect = field(default_factory=Expect)
    origin: str = ""
    builds_only: bool = False

    def digest(self, toolchain_revision: int, python: str) -> str:
        """8 hexadecimal digits over everything that decides a run but the seed.

        Args:
            toolchain_revision: of the toolchain's model.
            python: minor version of the interpreter where its own code is an actor, else empty.
        """
        resolved = dataclasses.asdict(self)
        # Neither names and sources nor what is expected of a run decide it.
        for untold in ("summary", "origin", "name", "expect"):
            del resolved[untold]
        for package in resolved["packages"]:
            del package["source"]
            _leave_out_defaults(package)
        # What is younger than tokens that must hold.
        if self.schedule.depth == DEPTH:
            del resolved["schedule"]["depth"]
        if not self.schedule.swarm:
            del resolved["schedule"]["swarm"]
        if not self.builds_only:
            del resolved["builds_only"]
        resolved["toolchain_revision"] = toolchain_revision
        resolved["python"] = python
        text = json.dumps(resolved, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


def _leave_out_defaults(package: dict[str, Any]) -> None:
    """What a manifest may be silent about decides nothing while it is silent, so older tokens hold."""
    for key in dataclasses.fields(BuildSpec):
        if key.default is not dataclasses.MISSING and package.get("build", {}).get(key.name) == key.default:
            del package["build"][key.name]
    for file in _files_of(package):
        if file["mode"] == FILE_MODE:
            del file["mode"]


def _files_of(package: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from package["files"]
    for key in ("egg_info_files", "dist_info_files"):
        yield from package.get("build", {}).get(key, ())
