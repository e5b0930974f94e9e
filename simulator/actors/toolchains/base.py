"""What a toolchain is: a build back end, seen through the file-system calls it makes.

A toolchain makes the calls of the real one in the real order, reads what decides something, and fails as the real
one fails: it never looks ahead, never asks who else is there, and never repairs. It does not run anybody's code,
so hooks of a real setup script are not modelled.

Errors are as in the real thing: an OSError where Python lets one through, `shutil.Error` for what a copied tree
collected, TypeError for the retry that cannot work, and `ToolchainError` for the sentences that distutils and
wheel make out of an OSError.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from simulator.likeness.manifest import SdistManifest

# Phases, named after the commands of the real back end where it has one. Their order is the toolchain's.
PREPARE = "prepare"
BUILD_PY = "build_py"
BUILD_SCRIPTS = "build_scripts"
EGG_INFO = "egg_info"
INSTALL_LIB = "install_lib"
INSTALL_DATA = "install_data"
INSTALL_EGG_INFO = "install_egg_info"
INSTALL_SCRIPTS = "install_scripts"
DIST_INFO = "dist_info"
ZIP = "zip"
RMTREE = "rmtree"
PUBLISH = "publish"
PHASES = (
    PREPARE,
    BUILD_PY,
    BUILD_SCRIPTS,
    EGG_INFO,
    INSTALL_LIB,
    INSTALL_DATA,
    INSTALL_EGG_INFO,
    INSTALL_SCRIPTS,
    DIST_INFO,
    ZIP,
    RMTREE,
    PUBLISH,
)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build.

    Attributes:
        source: absolute path of the unpacked source distribution.
        output: absolute path of the directory that takes the wheel; made if missing.
        package: what is built.
        identity: unique per actor; temporary names are made from it.
    """

    source: str
    output: str
    package: SdistManifest
    identity: str


class Toolchain(Protocol):
    """A build back end."""

    @property
    def name(self) -> str:
        """As users write it, e.g. ``setuptools-69.5.1``."""

    @property
    def revision(self) -> int:
        """Raised whenever the calls change, so that old tokens are refused instead of replayed wrongly."""

    def expected_files(self, package: SdistManifest) -> dict[str, bytes]:
        """What the wheel of a build that meets nobody holds: path in it to bytes, RECORD left out."""

    def build_wheel(self, kernel: Kernel, request: BuildRequest, enter_phase: Callable[[str], None]) -> str:
        """Build one wheel; returns its file name.

        Args:
            kernel: makes the calls.
            request: what to build, and where.
            enter_phase: told the name of each phase (one of `PHASES`) as it begins.

        Raises:
            OSError: a call failed and the real back end lets that through.
            shutil.Error: a copied tree collected errors.
            TypeError: the removal handler retried `open` without its arguments.
            ToolchainError: anything the real back end says in its own words.
        """


# What a ToolchainError can be about.
COULD_NOT_CREATE = "could-not-create"
COULD_NOT_OPEN = "could-not-open"
COULD_NOT_DELETE = "could-not-delete"
COULD_NOT_READ = "could-not-read"
COULD_NOT_WRITE = "could-not-write"
COULD_NOT_LIST = "could-not-list"
COULD_NOT_TOUCH = "could-not-touch"
NOT_A_FILE = "not-a-file"
NOT_A_DIRECTORY = "not-a-directory"
SOURCE_VANISHED = "source-vanished"
NO_EGG_INFO = "no-egg-info"
BAD_METADATA = "bad-metadata"
NO_DISTRIBUTION = "no-distribution"


class ToolchainError(Exception):
    """The build back end gave up, in its own words: nobody's fault but the race's.

    Attributes:
        kind: which sentence, one of the constants above.
        path: what it is about.
        errno: the number behind it; None when a missing thing was noticed without a failing call.
    """

    def __init__(self, kind: str, path: str, number: int | None = None) -> None:
        reason = f": {os.strerror(number)}" if number is not None else ""
        super().__init__(f"{kind.replace('-', ' ')} '{path}'{reason}")
        self.kind = kind
        self.path = path
        self.errno = number


class RetryTypeError(TypeError):
    """The removal handler retried `open`, which cannot be called with a path alone: a plain TypeError in reality.

    A class of its own here, so that a TypeError that is a bug of ours is never taken for it.
    """


# The kinds of failure that were seen in 96 real builds (docs/reference/toolchains.md), as identifiers.
ERROR_KINDS: dict[str, str] = {
    "create-denied": "could not create '...': Permission denied",
    "not-found": "No such file or directory, from the call itself",
    "create-not-found": "could not create '...': No such file or directory",
    "not-empty": "Directory not empty: rmdir of the staging tree",
    "copytree": "errors collected while a tree was copied",
    "source-vanished": "file '...' does not exist",
    "egg-info-missing": "egg metadata expected but not found",
    "exists": "File exists: mkdir of the dist-info",
    "retry-type-error": "TypeError: the handler's retry of open",
    "denied": "Permission denied, from the call itself",
}

_BY_ERRNO = {
    errno.ENOENT: "not-found",
    errno.ENOTEMPTY: "not-empty",
    errno.EEXIST: "exists",
    errno.EACCES: "denied",
}
_CREATE_BY_ERRNO = {errno.EACCES: "create-denied", errno.ENOENT: "create-not-found"}
_BY_SENTENCE = {SOURCE_VANISHED: "source-vanished", NO_EGG_INFO: "egg-info-missing"}


def error_kind(error: BaseException) -> str | None:
    """Which row of the table of real failures a failed build is in: a key of `ERROR_KINDS`.

    None for what the table does not have (its last row, and injected errors such as ENOSPC).
    """
    if isinstance(error, ToolchainError):
        if error.kind == COULD_NOT_CREATE and error.errno is not None:
            return _CREATE_BY_ERRNO.get(error.errno)
        return _BY_SENTENCE.get(error.kind)
    # shutil.Error is an OSError without errno.
    if isinstance(error, shutil.Error):
        return "copytree"
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno) if error.errno is not None else None
    return "retry-type-error" if isinstance(error, RetryTypeError) else None
