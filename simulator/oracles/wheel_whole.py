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
from cache_core.store import Found, Store
from simulator.actors.install import DEFAULT_INDEX_URL, SITE_PACKAGES, source_entry
from simulator.actors.toolchains import TOOLCHAINS
from simulator.actors.toolchains.expected import published_files
from simulator.manifest import SdistManifest
from simulator.outcome import OK, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.manifest import WheelManifest
    from simulator.oracles.base import StormEvidence

_RECORD = ".dist-info/RECORD"


def is_record(path: str) -> bool:
    """Whether it is the list of files of a wheel."""
    return path.endswith(_RECORD)


def wheel_whole(evidence: StormEvidence) -> list[Violation]:
    """A violation for each archive or environment that is not what its packages say."""
    known: dict[int, bytes] = {}
    violations = []
    store = Store(evidence.stage.cache, "judge")
    toolchain = evidence.scenario.toolchain
    for package in evidence.scenario.packages:
        found, expected = _published(store, package), _expected(package, toolchain)
        if found.archive is not None:
            wrong = differences(found.archive, expected, known)
            violations += tell(f"the published {package.identifier}", wrong, "published")
        elif found.wheel is not None:
            wrong = differences_in_file(found.wheel, expected)
            violations += tell(f"the published wheel of {package.identifier}", wrong, "published")
    together = {
        path: data for package in evidence.scenario.packages for path, data in _expected(package, toolchain).items()
    }
    for build in evidence.builds:
        if build.outcome == OK:
            place = f"{evidence.stage.environment(build.actor)}/{SITE_PACKAGES}"
            wrong = differences(place, together, known)
            violations += tell(f"what {build.actor} installed", wrong, "installed")
    return violations


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


def differences_in_file(wheel: str, expected: Mapping[str, bytes]) -> dict[str, list[str]]:
    """As `differences`, of a wheel file."""
    wrong: dict[str, list[str]] = {"missing": [], "truncated": [], "foreign": []}
    try:
        with zipfile.ZipFile(wheel) as file:
            held = {name: file.read(name) for name in file.namelist() if not name.endswith("/")}
    except (zipfile.BadZipFile, EOFError):
        # The list of members is at the end, and so is the rest of a member.
        return {**wrong, "truncated": [os.path.basename(wheel)]}
    for path, data in expected.items():
        if path not in held:
            wrong["missing"].append(path)
        elif held[path] != data:
            wrong["truncated" if len(held[path]) < len(data) else "foreign"].append(path)
    wrong["foreign"] += [path for path in held.keys() - expected.keys() if not is_record(path)]
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
    """A violation, if anything is wrong with `what`, which is ``published`` or ``installed`` (`place`)."""
    counts = {kind: sorted(paths) for kind, paths in wrong.items() if paths}
    if not counts:
        return []
    told = ", ".join(f"{len(paths)} {kind} ({paths[0]})" for kind, paths in counts.items())
    return [Violation("wheel-whole", f"wheel-whole:{place}:{'+'.join(counts)}", f"{what} is not whole: {told}")]
