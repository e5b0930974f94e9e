"""Sandboxes: where a run happens, and how nothing of it stays behind.

A sandbox is a directory and, beside it, a file that is locked for as long as the owner lives. Whoever comes later
removes every sandbox whose lock is free: a run that was killed leaves nothing for ever. The lock file is made and
locked before the directory exists, so a sandbox without a holder is always a dead one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from simulator.errors import MachineError

if TYPE_CHECKING:
    from types import TracebackType

PREFIX = "cachestorm-"
_LOCK_SUFFIX = ".lock"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the usual tmpfs; what is made there is locked, owned and unguessable

# A storm of eight builds holds about 12 MB at its height.
SPACE_MIN_BYTES = 48 * 1024 * 1024

_NAME_ATTEMPTS_MAX = 100


def default_parent(environment: dict[str, str] | os._Environ[str]) -> str:
    """Where sandboxes go when nobody says: TMPDIR if given, else shared memory if we may write there, else /tmp."""
    given = environment.get("TMPDIR")
    if given:
        return given
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK | os.X_OK) else "/tmp"  # noqa: S108


@dataclass(slots=True)
class Sandbox:
    """A directory of ours that is gone afterwards. Use as a context manager.

    Attributes:
        path: absolute, without symbolic links.
    """

    path: str
    _lock_fd: int
    _round: int = 0

    @classmethod
    def create(cls, parent: str) -> Sandbox:
        """Make one under `parent`, after sweeping away what dead owners left there.

        Raises:
            MachineError: `parent` is missing, not a directory or not writable.
        """
        try:
            parent = os.path.realpath(parent, strict=True)
            sweep(parent)
            return cls._create(parent)
        except OSError as error:
            raise MachineError(
                "sandbox",
                parent,
                f"cannot make a sandbox in '{parent}': {error.strerror}; choose another with --sandbox",
            ) from error

    @classmethod
    def _create(cls, parent: str) -> Sandbox:
        for attempt in range(_NAME_ATTEMPTS_MAX):
            path = os.path.join(parent, f"{PREFIX}{os.getpid()}-{attempt}")
            try:
                fd = os.open(path + _LOCK_SUFFIX, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            # Race 1: a sweeper may take the lock before we do; then the file is its to unlink.
            if not _take(fd):
                os.close(fd)
                continue
            try:
                REAL.mkdir(path, 0o700)
            except FileExistsError:
                REAL.unlink(path + _LOCK_SUFFIX)
                os.close(fd)
                continue
            return cls(path, fd)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), parent)

    def fresh(self) -> str:
        """An empty directory for one round; the last round's is removed."""
        self.clear()
        self._round += 1
        path = f"{self.path}/{self._round}"
        REAL.mkdir(path)
        return path

    def clear(self) -> None:
        """Remove what the last round left."""
        if self._round:
            _remove(f"{self.path}/{self._round}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _remove(self.path)
        REAL.unlink(self.path + _LOCK_SUFFIX)
        os.close(self._lock_fd)


def sweep(parent: str) -> list[str]:
    """Remove the sandboxes in `parent` that belong to us and that nobody holds; returns their paths."""
    swept = []
    for name in os.listdir(parent):
        if not (name.startswith(PREFIX) and name.endswith(_LOCK_SUFFIX)):
            continue
        lock = os.path.join(parent, name)
        try:
            fd = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            # Somebody else's, or gone by now: not ours to remove.
            continue
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and _take(fd):
                _remove(lock.removesuffix(_LOCK_SUFFIX))
                REAL.unlink(lock)
                swept.append(lock.removesuffix(_LOCK_SUFFIX))
        finally:
            os.close(fd)
    return swept


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Whoever swept it before us has unlinked it.
    return os.fstat(fd).st_nlink == 1


def _remove(path: str) -> None:
    remove_tree(path)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a sandbox would stand on.

    Attributes:
        is_tmpfs: whether it is memory; a disk is 10 to 40 times slower per run.
        free_bytes: what is left there.
    """

    is_tmpfs: bool
    free_bytes: int


def survey(parent: str) -> Ground:
    """Look at `parent` before a run."""
    counts = os.statvfs(parent)
    # A tmpfs mounted without a limit counts no blocks at all.
    free = counts.f_bavail * counts.f_frsize if counts.f_blocks else sys.maxsize
    return Ground(_file_system_of(os.path.realpath(parent)) == "tmpfs", free)


def _file_system_of(path: str) -> str:
    """The type of the mount that `path` is on (/proc/self/mountinfo); empty when it cannot be told."""
    best, found = "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.split()
                point = fields[4].encode().decode("unicode_escape")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, found = point, fields[fields.index("-") + 1]
    except FileNotFoundError:
        return ""
    return found
