"""Files from the package index, downloaded once and kept beside the environments.

For whoever needs real archives:

    file = await find_file("some-package", "1.0", tell=note)      # the sdist; wheels: kind=".whl"
    path = await download(file, tell=note)

Guarantees: nothing that was downloaded is run; a file has the SHA-256 that the index, or the caller, gives, and is
downloaded once for all processes. Not guaranteed: that a kept file is not changed by somebody later.
Costs: a process and an HTTP request to look, one more to download.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from simulator.errors import BadInputError, MachineError
from simulator.tools.children import run_child
from simulator.tools.environments import store_directory
from simulator.tools.file_lock import held
from simulator.tools.interpreters import with_our_packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.likeness.manifest import Archive

SDIST = ".tar.gz"
WHEEL = ".whl"
# An archive of a gigabyte over a slow line takes a quarter of an hour.
_DOWNLOAD_SECONDS_MAX = 900.0


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that the index has; `sha256` is None where the index does not say."""

    project: str
    filename: str
    url: str
    sha256: str | None
    yanked: bool = False

    @property
    def version(self) -> Version | None:
        """Which version it is; None when its name does not say."""
        try:
            if self.filename.endswith(WHEEL):
                return parse_wheel_filename(self.filename)[1]
            return parse_sdist_filename(self.filename)[1]
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            return None


async def find_file(project: str, version: str, *, kind: str = SDIST, sha256: str | None = None) -> IndexFile:
    """The file of one release.

    Args:
        project: its name.
        version: exact.
        kind: how the name ends: `SDIST`, `WHEEL` (the first one), or anything else that tells.
        sha256: the digest that it must have, if known: another file is an error when it is downloaded.

    Raises:
        BadInputError: there is none.
        MachineError: the index cannot be asked.
    """
    files = [file for file in await files_of(project) if file.filename.endswith(kind) and file.version is not None]
    try:
        wanted = Version(version)
    except InvalidVersion:
        raise BadInputError("version", version, f"'{version}' is no version, such as 1.0") from None
    for file in files:
        if file.version == wanted:
            return file if sha256 is None else replace(file, sha256=sha256)
    what = f"{project}=={version}"
    known = sorted({file.version for file in files if file.version is not None and not file.yanked})
    below = [there for there in known if there < wanted] or known[:1]
    nearest = f"; nearest: {below[-1]}" if below else ": the index that pip uses has none of any version"
    raise BadInputError("unknown-version", what, f"{what} has no file that ends in {kind}{nearest}")


async def files_of(project: str) -> list[IndexFile]:
    """All files of a project; empty when the index does not know it.

    Raises:
        MachineError: the index cannot be asked.
    """
    found = json.loads(await _ask(project, "list", project))
    return [IndexFile(project, **file) for file in found]


def _nobody(line: str) -> None:
    del line


async def download(file: IndexFile, *, folder: str | None = None, tell: Callable[[str], None] = _nobody) -> str:
    """Have a file; returns its path, whose last part is its name.

    Args:
        file: from `find_file` or `files_of`.
        folder: where to keep it; ``downloads`` in the store of the environments when not given.
        tell: gets a line if it must be downloaded.

    Raises:
        MachineError: it cannot be downloaded, or is not what it should be.
    """
    path = _place(file.filename, file.sha256, folder)
    try:
        if not _is_there(path, file):
            async with held(f"{path}.lock", file.filename, tell):
                if not _is_there(path, file):
                    tell(f"downloading {file.filename}")
                    await _ask(file.filename, "get", file.url, file.sha256 or "-", path)
    except OSError as error:
        raise MachineError("tools", path, f"'{path}' cannot be written: {error.strerror}") from error
    return path


def kept(filename: str, sha256: str, *, folder: str | None = None) -> str | None:
    """Path of a file that was downloaded before, by its digest; None when it was not. Asks nobody."""
    path = _place(filename, sha256, folder)
    return path if os.path.exists(path) else None


async def have(project: str, archive: Archive, *, tell: Callable[[str], None] = _nobody) -> str:
    """Have the file of a manifest: the very same, by its digest; returns its path.

    Raises:
        BadInputError: the index does not have it.
        MachineError: it cannot be downloaded.
    """
    before = kept(archive.filename, archive.sha256)
    if before is not None:
        return before
    for file in await files_of(project):
        if file.filename == archive.filename:
            return await download(replace(file, sha256=archive.sha256), tell=tell)
    raise BadInputError(
        "unknown-file",
        archive.filename,
        f"the index that pip uses has no {archive.filename}; look at pip's index settings (pip config list)",
    )


def _place(filename: str, sha256: str | None, folder: str | None) -> str:
    # Under its digest: two files of one name are two files.
    kept_in = f"{store_directory()}/downloads" if folder is None else os.path.abspath(folder)
    return f"{kept_in}/{(sha256 or 'unverified')[:16]}/{filename}"


def _is_there(path: str, file: IndexFile) -> bool:
    # Without a digest nothing tells that the file of this name is the one that is asked for.
    return file.sha256 is not None and os.path.exists(path)


async def _ask(what: str, *arguments: str) -> str:
    told = await run_child(
        [sys.executable, "-m", "simulator.tools.index_client", *arguments],
        environment=with_our_packages(os.environ),
        directory="/",
        timeout_seconds=_DOWNLOAD_SECONDS_MAX,
    )
    if told.code != 0:
        lines = told.stderr.strip().splitlines() or [f"no answer in {int(_DOWNLOAD_SECONDS_MAX / 60)} minutes"]
        raise MachineError(
            "index",
            what,
            f"{what} cannot be downloaded: {lines[-1]}; check the network and pip's index settings (pip config list)",
        )
    return told.stdout.strip()
