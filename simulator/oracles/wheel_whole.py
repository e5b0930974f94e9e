"""What is published is whole: every file there, byte for byte, and nothing foreign.

Two looks, after the storm: what a build's look-up would find, which is an archive or, if nobody came to unpack it, a
wheel file; and the environment of each build that reported success (a build that succeeds and installs nothing is
worse than one that fails). Three things are told apart: *missing* files, *truncated* ones (shorter than they should
be, or a wheel file that is no zip archive to its end), and *foreign* ones (other content, or no file of the package).
RECORD is only asked to exist: it is written from what was packed, so it is as wrong as the rest.
"""

from __future__ import annotations

import functools
import os
import stat
import zipfile
from typing import TYPE_CHECKING

from cache_core.buckets import WheelEntry, index_id
from cache_core.protocols import BUILD_IN_PLACE
from cache_core.store import Found, Store
from simulator.actors.entries import ARCHIVE_IN_PLACE
from simulator.actors.install import DEFAULT_INDEX_URL, SITE_PACKAGES, source_entry
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.expected import published_files
from simulator.likeness.manifest import SdistManifest
from simulator.running.outcome import OK, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.likeness.manifest import WheelManifest
    from simulator.oracles.base import StormEvidence

_RECORD = ".dist-info/RECORD"


def is_record(path: str) -> bool:
    """Whether it is the list of files of a wheel."""
    return path.endswith(_RECORD)


def wheel_whole(evidence: StormEvidence) -> list[Violation]:
    """A violation for each archive or environment that is not what its packages say."""
    if evidence.scenario.builds_only:
        return _wheels_whole(evidence)
    known: dict[int, bytes] = {}
    violations = []
    store = Store(evidence.stage.cache, "judge")
    toolchain = evidence.scenario.toolchain
    for package in evidence.scenario.packages:
        found, expected = _published(store, package), _expected(package, toolchain)
        if found.archive is not None:
            wrong = differences(found.archive, expected, known)
            violations += tell(f"the published {package.identifier}", wrong, "published")
        else:
            violations += _wheel_without_archive(found, package, expected)
    together = {
        path: data for package in evidence.scenario.packages for path, data in _expected(package, toolchain).items()
    }
    for build in evidence.builds:
        if build.outcome == OK:
            place = f"{evidence.stage.environment(build.actor)}/{SITE_PACKAGES}"
            wrong = differences(place, together, known)
            violations += tell(f"what {build.actor} installed", wrong, "installed")
    return violations


def _wheels_whole(evidence: StormEvidence) -> list[Violation]:
    scenario, stage = evidence.scenario, evidence.stage
    store = Store(stage.cache, "judge")
    violations = []
    for package in scenario.packages:
        if not isinstance(package, SdistManifest):
            continue
        expected = _expected(package, scenario.toolchain)
        found = _published(store, package)
        if found.archive is not None:
            wrong = wheel_differences(found.archive, package.build.wheel, expected)
            violations += tell(f"the published {package.identifier}", wrong, "published")
        else:
            violations += _wheel_without_archive(found, package, expected)
        for build in evidence.builds:
            if build.outcome == OK and scenario.protocol in BUILD_IN_PLACE:
                place = f"{stage.environment(build.actor)}/{ARCHIVE_IN_PLACE}"
                wrong = wheel_differences(place, package.build.wheel, expected)
                violations += tell(f"the wheel of {build.actor}", wrong, "built")
    return violations


def _wheel_without_archive(
    found: Found, package: SdistManifest | WheelManifest, expected: Mapping[str, bytes]
) -> list[Violation]:
    """Whoever comes next unpacks it."""
    if found.wheel is None:
        return []
    directory, _, name = found.wheel.rpartition("/")
    return tell(
        f"the published wheel of {package.identifier}", wheel_differences(directory, name, expected), "published"
    )


def wheel_differences(directory: str, wheel: str, expected: Mapping[str, bytes]) -> dict[str, list[str]]:
    """As `differences`, of the members of a wheel; one that is no zip file is itself what is truncated.

    Args:
        directory: where it is.
        wheel: its file name.
        expected: what it should hold: paths to bytes.
    """
    path = f"{directory}/{wheel}"
    if not os.path.exists(path):
        return {"missing": [wheel]}
    try:
        with zipfile.ZipFile(path) as opened:
            held = {name: opened.read(name) for name in opened.namelist()}
    except (zipfile.BadZipFile, EOFError):
        return {"truncated": [wheel]}
    shorter = [name for name, data in expected.items() if name in held and len(held[name]) < len(data)]
    others = {name for name, data in held.items() if data != expected.get(name) and not is_record(name)}
    return {
        "missing": [name for name in expected if name not in held],
        "truncated": shorter,
        "foreign": list(others.difference(shorter)),
    }


@functools.lru_cache(maxsize=64)
def _expected(package: SdistManifest | WheelManifest, toolchain: str) -> dict[str, bytes]:
    if isinstance(package, SdistManifest):
        return TOOLCHAINS[toolchain].expected_files(package)
    return published_files(package)


def _published(store: Store, package: SdistManifest | WheelManifest) -> Found:
    try:
        if isinstance(package, SdistManifest):
            return store.find_built(source_entry(package))
        entry = WheelEntry(index_id(DEFAULT_INDEX_URL), package.name, package.archive.filename)
        return Found(archive=store.find_wheel(entry))
    except PermissionError:
        # Behind a poisoned directory nothing is published: no build can look there either.
        return Found()


def differences(
    place: str,
    expected: Mapping[str, bytes],
    known: dict[int, bytes],
    is_own: Callable[[str], bool] = is_record,
) -> dict[str, list[str]]:
    """Paths by what is wrong with them.

    Args:
        place: a directory.
        expected: what it should hold: relative paths to bytes.
        known: spares reading a file again through another of its links; empty for the first call.
        is_own: whether a file that is not expected belongs to the installer, and is no foreign one.
    """
    wrong: dict[str, list[str]] = {"missing": [], "truncated": [], "foreign": []}
    found = _files(place)
    for path, data in expected.items():
        status = found.get(path)
        if status is None:
            wrong["missing"].append(path)
        elif status.st_size < len(data):
            wrong["truncated"].append(path)
        elif not _holds(f"{place}/{path}", status, data, known):
            wrong["foreign"].append(path)
    wrong["foreign"] += [path for path in found.keys() - expected.keys() if not is_own(path)]
    return wrong


def _files(place: str) -> dict[str, os.stat_result]:
    found = {}
    for directory, _, names in os.walk(place):
        for name in names:
            path = f"{directory}/{name}"
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                found[path[len(place) + 1 :]] = status
    return found


def _holds(path: str, status: os.stat_result, data: bytes, known: dict[int, bytes]) -> bool:
    if known.get(status.st_ino) == data:
        return True
    with open(path, "rb") as file:
        held = file.read()
    known[status.st_ino] = held
    return held == data


def tell(what: str, wrong: Mapping[str, list[str]], place: str) -> list[Violation]:
    """A violation, if anything is wrong with `what`, which is ``published``, ``installed`` or ``built`` (`place`)."""
    counts = {kind: sorted(paths) for kind, paths in wrong.items() if paths}
    if not counts:
        return []
    told = ", ".join(f"{len(paths)} {kind} ({paths[0]})" for kind, paths in counts.items())
    return [Violation("wheel-whole", f"wheel-whole:{place}:{'+'.join(counts)}", f"{what} is not whole: {told}")]
