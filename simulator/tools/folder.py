"""The folder that real installs take their packages from: offline, pinned, checked.

Guarantees: of a file whose digest is known only one with that digest counts as being there; fetching runs nobody's
code; a file appears under its name when it is whole. Not guaranteed: that nobody changes a file after it was looked at.
Costs: reading each file once for its digest; to fetch, what `downloads` costs.
"""

from __future__ import annotations

import glob
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from cache_core.kernel import REAL
from simulator.errors import MachineError
from simulator.tools.downloads import SDIST, WHEEL, download, find_file
from simulator.tools.environments import toolchain_requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from simulator.likeness.manifest import SdistManifest, WheelManifest

VARIABLE = "CACHESTORM_PACKAGES"

# Front ends of 2024 ask for wheel beside setuptools; where the toolchain has none, this one hands bdist_wheel on to
# setuptools' own and changes nothing.
_WHEEL = "wheel==0.45.1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that an install takes.

    Attributes:
        project, version: whose.
        filename: its name; None for any pure wheel of the release, or its sdist.
        sha256: its digest, where it is known.
        is_sdist: with no `filename`: the sdist is wanted.
    """

    project: str
    version: str
    filename: str | None = None
    sha256: str | None = None
    is_sdist: bool = False

    @property
    def requirement(self) -> str:
        """As ``NAME==VERSION``."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True, slots=True)
class There:
    """A file in the folder.

    Attributes:
        wanted: what it is.
        path: where it is, absolute.
        sha256: its digest.
        fetched: whether it was fetched just now.
    """

    wanted: Wanted
    path: str
    sha256: str
    fetched: bool = False

    def document(self) -> dict[str, object]:
        """As in the `fetch-packages` document."""
        return {
            "filename": os.path.basename(self.path),
            "requirement": self.wanted.requirement,
            "sha256": self.sha256,
            "fetched": self.fetched,
        }


def default_folder() -> str:
    """Where packages are kept when nobody says: as CACHESTORM_PACKAGES, or in the user's cache directory."""
    return os.path.abspath(os.environ.get(VARIABLE) or f"{platformdirs.user_cache_dir('cachestorm')}/packages")


def wanted_packages(packages: Iterable[SdistManifest | WheelManifest]) -> list[Wanted]:
    """The archives of packages, as the index has them."""
    return [
        Wanted(item.name, item.version, item.archive.filename, item.archive.sha256)
        if published_filename(item) == item.archive.filename
        else Wanted(item.name, item.version, published_filename(item))
        for item in packages
    ]


def published_filename(package: SdistManifest | WheelManifest) -> str:
    """The file of a package that an index has.

    A wheel for ``linux`` and nothing more portable was built on somebody's machine and is in no index (PEP 513): real
    installs build it from the sdist, as everybody has to.
    """
    filename = package.archive.filename
    platform = filename.removesuffix(WHEEL).rpartition("-")[2]
    if filename.endswith(WHEEL) and platform.startswith("linux_"):
        return f"{package.name}-{package.version}{SDIST}"
    return filename


def wanted_toolchain(toolchain: str) -> list[Wanted]:
    """What building with a toolchain takes, for whoever builds in isolation.

    Raises:
        BadInputError: there is no such toolchain.
    """
    requirements = toolchain_requirements(toolchain)
    if not any(requirement.startswith("wheel==") for requirement in requirements):
        requirements = (*requirements, _WHEEL)
    return [Wanted(name, version) for name, version in (item.split("==") for item in requirements)]


def find(folder: str, wanted: Wanted) -> There | None:
    """A file, if the folder has it.

    Raises:
        MachineError: it is there and cannot be read.
    """
    for path in _candidates(folder, wanted):
        try:
            digest = _digest(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MachineError("packages", path, f"'{path}' cannot be read: {error.strerror}") from error
        if wanted.sha256 in {None, digest}:
            return There(wanted, path, digest)
    return None


def _candidates(folder: str, wanted: Wanted) -> list[str]:
    if wanted.filename is not None:
        return [f"{folder}/{wanted.filename}"]
    place, name = glob.escape(folder), glob.escape(wanted.project).replace("-", "[-_]")
    return sorted(glob.glob(f"{place}/{name}-{wanted.version}{SDIST if wanted.is_sdist else f'-*{WHEEL}'}"))


def find_all(folder: str, wanted: Sequence[Wanted], command: str) -> list[There]:
    """Every file.

    Args:
        folder: where.
        wanted: which.
        command: what fetches them, told to whoever lacks one.

    Raises:
        MachineError: some are not there.
    """
    found = [find(folder, item) for item in wanted]
    missing = [item for item, there in zip(wanted, found, strict=True) if there is None]
    if missing:
        names = ", ".join(item.filename or item.requirement for item in missing)
        raise MachineError("packages", folder, f"'{folder}' lacks {names}; fetch them with: {command}")
    return [item for item in found if item is not None]


async def fetch(folder: str, wanted: Wanted, tell: Callable[[str], None]) -> There:
    """Have a file in the folder.

    Raises:
        BadInputError: there is no such file.
        MachineError: no network, no room, or a file that is not what it should be.
    """
    there = find(folder, wanted)
    if there is not None:
        return there
    kind = wanted.filename or (SDIST if wanted.is_sdist else f"py3-none-any{WHEEL}")
    path = await download(await find_file(wanted.project, wanted.version, kind=kind, sha256=wanted.sha256), tell=tell)
    target = f"{folder}/{os.path.basename(path)}"
    try:
        os.makedirs(folder, exist_ok=True)
        copy_file(path, target)
        return There(wanted, target, _digest(target), fetched=True)
    except OSError as error:
        raise MachineError("packages", folder, f"'{target}' cannot be written: {error.strerror}") from error


def copy_file(source: str, target: str) -> None:
    """Copy a file; it gets its name when it is whole.

    Raises:
        OSError: it cannot be read or written.
    """
    unfinished = f"{target}.{os.getpid()}.part"
    try:
        with open(source, "rb") as read, open(unfinished, "wb") as written:
            while os.sendfile(written.fileno(), read.fileno(), None, 1 << 20):
                pass
        REAL.rename(unfinished, target)
    except OSError:
        if os.path.lexists(unfinished):
            REAL.unlink(unfinished)
        raise


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
