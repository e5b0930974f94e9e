"""Scenario files: TOML in, `Scenario` out; every mistake at once, each with file, key and reason.

Pydantic stays at this edge: the rest of the program sees frozen dataclasses.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Literal, cast

import pydantic

from cache_core.protocols import PROTOCOLS
from simulator.actors.cleaners import CLEANERS
from simulator.actors.install import DOWNLOAD, INSTALL, LOOK_UP, UNPACK
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.base import PHASES
from simulator.engine.faults import ACTIONS, BUILD_ERROR, RandomFaults, parse_fault
from simulator.engine.gate import STEPS_MAX
from simulator.errors import BadInputError
from simulator.likeness.manifest import load_packages, load_requirements
from simulator.naming import known_name, unknown_message
from simulator.oracles import ORACLES
from simulator.scenario import BUILDS_MAX, Expect, Scenario, Schedule
from simulator.strategies import SAMPLERS
from simulator.strategies.pct import DEPTH, DEPTH_MAX
from simulator.strategies.staggered import START_GAP
from simulator.strategies.sticky import SWITCH_PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from importlib.resources.abc import Traversable

    from simulator.engine.faults import Fault
    from simulator.likeness.manifest import SdistManifest, WheelManifest

_PACKAGES = "packages"
_SET_SUFFIX = ".requirements.json"

# The store's own phase, of a build that waits for an entry; the others are the install's and the toolchain's.
_LOCK = "lock"
_BUILD_PHASES = (LOOK_UP, _LOCK, DOWNLOAD, UNPACK, *PHASES, INSTALL)
_NUMBERED = re.compile(r"(?:build|cleaner)-[0-9]+", re.ASCII)


def _one_of(kind: str, known: Collection[str]) -> pydantic.AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(unknown_message(kind, value, known))
        return value

    return pydantic.AfterValidator(check)


def _fault_spec(value: str) -> str:
    try:
        parse_fault(value)
    except BadInputError as error:
        raise ValueError(error.message) from error
    return value


Cleaner = Annotated[str, _one_of("cleaner", CLEANERS)]
Oracle = Annotated[str, _one_of("oracle", ORACLES)]
Probability = Annotated[float, pydantic.Field(ge=0, le=1)]


class _Table(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class _Storm(_Table):
    builds: Annotated[int, pydantic.Field(ge=0, le=BUILDS_MAX)]
    install: str
    protocol: Annotated[str, _one_of("protocol", PROTOCOLS)]
    toolchain: Annotated[str, _one_of("toolchain", TOOLCHAINS)]
    cache_lock: bool | None = None
    builds_only: bool = False
    faults: list[Annotated[str, pydantic.AfterValidator(_fault_spec)]] = []


class _RandomFaults(_Table):
    action: Annotated[str, _one_of("fault", ACTIONS)]
    share: Probability
    steps: tuple[Annotated[int, pydantic.Field(ge=1)], Annotated[int, pydantic.Field(ge=1)]]

    @pydantic.field_validator("steps", mode="before")
    @classmethod
    def _pair(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @pydantic.field_validator("steps", mode="after")
    @classmethod
    def _in_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        first, last = value
        if first > last:
            raise ValueError(f"[{first}, {last}] holds no step: the first is after the last")
        return value


class _Schedule(_Table):
    strategy: Annotated[str, _one_of("strategy", SAMPLERS)] = "sticky"
    switch_probability: Probability = SWITCH_PROBABILITY
    start_gap: Annotated[int, pydantic.Field(ge=0, le=STEPS_MAX)] = START_GAP
    quantum: Annotated[int, pydantic.Field(ge=1)] = 1
    depth: Annotated[int, pydantic.Field(ge=1, le=DEPTH_MAX)] = DEPTH

    @pydantic.field_validator("depth", mode="after")
    @classmethod
    def _of_pct(cls, value: int, info: pydantic.ValidationInfo) -> int:
        strategy = info.data.get("strategy", "pct")
        if strategy != "pct":
            raise ValueError(f"{value} goes with the strategy pct, not '{strategy}'")
        return value


class _Cleaners(_Table):
    after: list[Cleaner] = []
    during: list[Cleaner] = []


class _Expect(_Table):
    cleaners_may_fail: list[Cleaner] = []
    tolerated_oracles: list[Oracle] = []


class _File(_Table):
    version: Literal[1]
    summary: str
    storm: _Storm
    schedule: _Schedule = _Schedule()
    random_faults: list[_RandomFaults] = []
    cleaners: _Cleaners = _Cleaners()
    expect: _Expect = _Expect()


def scenario_files() -> dict[str, Traversable]:
    """The scenarios that come with the program, by name."""
    folder = resources.files("scenarios")
    found = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    return dict(sorted(found.items()))


@functools.cache
def package_manifests() -> dict[str, SdistManifest | WheelManifest]:
    """The package manifests that come with the program, by ``name==version``."""
    with resources.as_file(resources.files("scenarios") / _PACKAGES) as folder:
        return load_packages(str(folder))


@functools.cache
def package_sets() -> dict[str, tuple[str, ...]]:
    """What can be installed: name of a set to its requirements, in order."""
    sets = {}
    with resources.as_file(resources.files("scenarios") / _PACKAGES) as folder:
        for name in sorted(os.listdir(folder)):
            if name.endswith(_SET_SUFFIX):
                found = load_requirements(f"{folder}/{name}")
                sets[found.name] = found.requirements
    return sets


def load_scenario(name_or_file: str) -> Scenario:
    """Read a scenario by name, or from a file (anything with a slash, or ending in ``.toml``).

    Raises:
        BadInputError: no such scenario; or the file's mistakes, all of them, one a line.
    """
    known = scenario_files()
    if "/" not in name_or_file and not name_or_file.endswith(".toml"):
        known_name("scenario", name_or_file, known)
        return _parse(name_or_file, name_or_file, known[name_or_file].read_bytes())
    try:
        with open(name_or_file, "rb") as file:
            text = file.read()
    except OSError as error:
        raise BadInputError(
            "unreadable-scenario", name_or_file, f"scenario file '{name_or_file}': {error.strerror}"
        ) from error
    name = name_or_file.rpartition("/")[2].removesuffix(".toml")
    return _parse(name, name_or_file, text)


def _parse(name: str, origin: str, text: bytes) -> Scenario:
    try:
        document = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("bad-scenario", origin, f"scenario file '{origin}' is not TOML: {error}") from error
    mistakes: list[str] = []
    wrong: list[tuple[int | str, ...]] = []
    file = None
    try:
        file = _File.model_validate(document)
    except pydantic.ValidationError as error:
        mistakes = [_mistake(origin, dict(item)) for item in error.errors()]
        wrong = [item["loc"] for item in error.errors()]
    mistakes += [f"{origin}: {mistake}" for mistake in _idle_faults(document, wrong)]
    install = document.get("storm", {}).get("install") if isinstance(document.get("storm"), dict) else None
    sets = package_sets()
    if isinstance(install, str) and install not in sets:
        mistakes.append(f"{origin}: storm.install: {unknown_message('package set', install, sets)}")
    if file is None or mistakes:
        raise BadInputError("bad-scenario", origin, "\n".join(mistakes))
    return _resolve(name, origin, file)


def check_fault(spec: str, builds: int, during: Sequence[str], after: Sequence[str]) -> Fault:
    """Read a fault that can strike: its actor takes part, and has its phase.

    Args:
        spec: as `simulator.engine.faults.parse_fault` takes it.
        builds: how many there are.
        during: cleaners in the middle of the storm.
        after: cleaners after it.

    Raises:
        BadInputError: It cannot; with the nearest that can.
    """
    fault = parse_fault(spec)
    # Who is there, and which cleaners each of them is: builds are none.
    parties: dict[str, tuple[str, ...]] = {f"build-{number}": () for number in range(1, builds + 1)}
    if during or after:
        parties["cleaner"] = (*during[:1], *after)
    parties.update({f"cleaner-{place}": (name,) for place, name in enumerate(during[1:], 2)})
    helped = [name for name in (*during[:1], *after) if name in CLEANERS and CLEANERS[name].workers > 1]
    if helped:
        parties["worker-1"] = tuple(helped)
    for place, name in enumerate(during[1:], 2):
        if CLEANERS[name].workers > 1:
            parties[f"worker-{place}"] = (name,)
    if fault.actor not in parties:
        problem = _unknown_actor(fault.actor, builds, list(parties))
        raise BadInputError("unknown-actor", fault.actor, f"fault '{spec}': {problem}")
    if fault.action == BUILD_ERROR and parties[fault.actor]:
        raise BadInputError(
            "bad-fault", spec, f"fault '{spec}': only a build can have a {BUILD_ERROR}; use kill or EIO"
        )
    phases = parties[fault.actor] or _BUILD_PHASES
    if fault.phase and fault.phase not in phases:
        problem = unknown_message("phase", fault.phase, phases)
        raise BadInputError("unknown-phase", fault.phase, f"fault '{spec}': {problem}")
    return fault


def _unknown_actor(name: str, builds: int, known: list[str]) -> str:
    """A name that is misspelt gets the nearest; a number too high gets to know how many there are."""
    if not known:
        return f"unknown actor '{name}'; there is neither a build nor a cleaner"
    listed = known if builds <= 2 else [known[0], "...", *known[builds - 1 :]]  # noqa: PLR2004 - an ellipsis saves nothing
    return unknown_message("actor", name, () if _NUMBERED.fullmatch(name) else known, listed)


def _idle_faults(document: dict[str, object], wrong: Collection[tuple[int | str, ...]]) -> Iterator[str]:
    """Faults of a file that can never strike, each with its key; what other mistakes leave open is let pass.

    Args:
        document: as it was read: also with mistakes, because all are told at once.
        wrong: where it has some.
    """
    storm, cleaners = document.get("storm"), document.get("cleaners", {})
    faults = storm.get("faults") if isinstance(storm, dict) else None
    if not isinstance(storm, dict) or not isinstance(faults, list):
        return
    builds = BUILDS_MAX if ("storm", "builds") in wrong else storm["builds"]
    if not isinstance(cleaners, dict) or any(place[0] == "cleaners" for place in wrong):
        cleaners = None
    during, after = ([], []) if cleaners is None else (cleaners.get("during", []), cleaners.get("after", []))
    for place, spec in enumerate(faults):
        if ("storm", "faults", place) in wrong:
            continue
        try:
            check_fault(spec, builds, during, after)
        except BadInputError as error:
            if cleaners is not None or not parse_fault(spec).actor.startswith("cleaner"):
                yield f"storm.faults[{place}]: {error.message}"


def _mistake(origin: str, item: dict[str, object]) -> str:
    place = cast("tuple[int | str, ...]", item["loc"])
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    reason = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        reason = "no such key"
    shown = item["input"]
    value = f" (is {shown!r})" if isinstance(shown, str | int | float | bool) and str(shown) not in reason else ""
    return f"{origin}: {key}: {reason}{value}"


def _resolve(name: str, origin: str, file: _File) -> Scenario:
    storm = file.storm
    known = package_manifests()
    return Scenario(
        name=name,
        summary=file.summary,
        builds=storm.builds,
        packages=tuple(known[requirement] for requirement in package_sets()[storm.install]),
        protocol=storm.protocol,
        toolchain=storm.toolchain,
        cache_lock=cache_lock_default(storm.protocol) if storm.cache_lock is None else storm.cache_lock,
        schedule=Schedule(
            switch_probability=file.schedule.switch_probability,
            start_gap=file.schedule.start_gap,
            quantum=file.schedule.quantum,
            depth=file.schedule.depth,
        ).under(file.schedule.strategy),
        faults=tuple(parse_fault(spec) for spec in storm.faults),
        random_faults=tuple(RandomFaults(item.action, item.share, *item.steps) for item in file.random_faults),
        cleaners_after=tuple(file.cleaners.after),
        cleaners_during=tuple(file.cleaners.during),
        expect=Expect(tuple(file.expect.cleaners_may_fail), tuple(file.expect.tolerated_oracles)),
        origin=origin,
        builds_only=storm.builds_only,
    )


def cache_lock_default(protocol: str) -> bool:
    """Whether installs hold the cache's lock where the scenario is silent: as uv, which had none with `shared`."""
    return protocol != "shared"
