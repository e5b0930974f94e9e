"""Who takes part in a run: the parties of a storm and of a cleaner after it, and how each of them ended.

Guarantees: the same scenario, seed and stage give the same parties in the same order: builds, cleaners, their workers.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from cache_core.errors import CacheError
from simulator.actors.cleaners import Cleaned
from simulator.actors.crew import Cleaning
from simulator.actors.entries import build_entries
from simulator.actors.install import InstallJob, install
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import RetryTypeError, ToolchainError
from simulator.engine.actor import Actor
from simulator.engine.faults import faults_by_actor, is_in_swarm
from simulator.engine.randomness import Randomness
from simulator.errors import BuildFailedError
from simulator.hosts.base import Party
from simulator.running.blame import failure_of
from simulator.running.outcome import FAILED, KILLED, OK, BuildOutcome
from simulator.running.verdict import cleaner_outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.engine.faults import Fault
    from simulator.engine.gate import Gate
    from simulator.engine.kernel import GatedKernel
    from simulator.ground.stage import Stage
    from simulator.running.outcome import CleanerOutcome
    from simulator.scenario import Scenario

# What an install and a cleaner may end with; anything else that comes out of one is a bug of ours.
BUILD_FAILURES = (OSError, RetryTypeError, ToolchainError, BuildFailedError, CacheError, zipfile.BadZipFile)
CLEANER_FAILURES = (OSError, CacheError)


def party_names(scenario: Scenario) -> tuple[str, ...]:
    """Who takes part in the storm, but for those that help a cleaner."""
    builds = (f"build-{number}" for number in range(1, scenario.builds + 1))
    cleaners = ("cleaner" if place == 0 else f"cleaner-{place + 1}" for place in range(len(scenario.cleaners_during)))
    return (*builds, *cleaners)


def build_names(scenario: Scenario) -> tuple[str, ...]:
    """``build-1`` and so on."""
    return party_names(scenario)[: scenario.builds]


def faults_of_storm(scenario: Scenario, seed: int) -> tuple[Fault, ...]:
    """The scenario's own, and those that the seed draws."""
    drawn = [
        fault
        for place, kind in enumerate(scenario.random_faults)
        if not scenario.schedule.swarm or is_in_swarm(Randomness(seed, f"swarm-{place}"))
        for fault in kind.draw(build_names(scenario), Randomness(seed, f"faults-{place}"))
    ]
    return (*scenario.faults, *drawn)


def storm_parties(scenario: Scenario, stage: Stage, faults: Iterable[Fault]) -> list[Party]:
    """Builds, cleaners and their workers, in this order."""
    by_actor = faults_by_actor(faults)
    parties = []
    for index, name in enumerate(build_names(scenario)):
        actor = Actor(name, index, by_actor.get(name))
        parties.append(build_party(scenario, stage, actor))
    cleanings = []
    for name, cleaner in zip(party_names(scenario)[scenario.builds :], scenario.cleaners_during, strict=True):
        actor = Actor(name, len(parties), by_actor.get(name))
        cleanings.append(Cleaning(actor, cleaner, stage.cache))
        parties.append(Party(actor, cleanings[-1].clean, CLEANER_FAILURES))
    for number, cleaning in enumerate(cleanings, 1):
        parties += cleaning.helpers(len(parties), number, by_actor)
    return parties


def cleaner_parties(scenario: Scenario, stage: Stage, cleaner: str) -> list[Party]:
    """A cleaner that has the cache to itself, first, and its workers."""
    by_actor = faults_by_actor(scenario.faults)
    actor = Actor("cleaner", 0, by_actor.get("cleaner"))
    cleaning = Cleaning(actor, cleaner, stage.cache)
    return [Party(actor, cleaning.clean, CLEANER_FAILURES), *cleaning.helpers(1, 1, by_actor)]


def build_party(scenario: Scenario, stage: Stage, actor: Actor) -> Party:
    """One install, or as much of it as the scenario wants."""
    job = InstallJob(
        cache=stage.cache,
        environment=stage.environment(actor.name),
        packages=scenario.packages,
        protocol=scenario.protocol,
        toolchain=TOOLCHAINS[scenario.toolchain],
        cache_lock=scenario.cache_lock,
        identity=actor.name,
    )
    make = build_entries if scenario.builds_only else install

    def enter_phase(phase: str) -> None:
        actor.phase = phase

    def build(kernel: GatedKernel) -> None:
        make(kernel, job, enter_phase)

    return Party(actor, build, BUILD_FAILURES)


def how_a_build_ended(party: Party, gate: Gate) -> BuildOutcome:
    """Of a party that is a build, when the run is over."""
    actor = party.actor
    interruptions = gate.interruptions[actor.index]
    if actor.killed:
        return BuildOutcome(actor.name, KILLED, actor.phase, None, actor.steps, interruptions)
    failure = failure_of(party, gate.deadlock, gate.livelock)
    outcome = OK if failure is None else FAILED
    return BuildOutcome(actor.name, outcome, actor.phase, failure, actor.steps, interruptions)


def how_a_cleaner_ended(name: str, party: Party, gate: Gate, cache: str, *, empty: bool | None) -> CleanerOutcome:
    """Of a party that is the cleaner `name`; `empty` is what the re-read cache says."""
    cleaned = party.result if isinstance(party.result, Cleaned) else Cleaned()
    if party.error is not None:
        number = party.error.errno if isinstance(party.error, OSError) else None
        cleaned = Cleaned(error=f"{type(party.error).__name__}: {party.error}", errno=number)
    elif party.actor.killed:
        cleaned = Cleaned(error="killed")
    elif not party.ended:
        cleaned = Cleaned(error="goes on for ever" if gate.livelock else "waits for a lock for ever")
    return cleaner_outcome(name, cleaned, cache, empty=empty, killed=party.actor.killed)
