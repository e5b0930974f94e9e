"""Sandboxes: where a run happens, and how nothing of it stays behind.

A sandbox is a directory and, beside it, a file that is locked for as long as the owner lives. Whoever comes later
removes every sandbox whose lock is free: a run that was killed leaves nothing for ever. The lock file is made and
locked before the directory exists, so a sandbox without a holder is always a dead one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from simulator.errors import MachineError
from simulator.ground.confined import require_permission_bits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PREFIX = "cachestorm-"
_LOCK_SUFFIX = ".lock"
_LOCK_NAME = re.compile(r"cachestorm-[0-9]+-[0-9]+\.lock", re.ASCII)
_MARK = b"a sandbox of cachestorm; whoever can lock this file may remove it and the directory beside it\n"
_DEFAULT_ACL = "system.posix_acl_default"
# proc(5): blanks and the like in /proc/self/mountinfo.
_ESCAPED = re.compile(r"\\([0-7]{3})", re.ASCII)
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the usual tmpfs; what is made there is new, owned and locked

# A storm of eight builds holds about 12 MB at its height.
SPACE_MIN_BYTES = 48 * 1024 * 1024

_NAME_ATTEMPTS_MAX = 100
_HOLD = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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
    # The directory and the round's, held open: what runs in a sandbox may move either, and put a link in its place.
    _held: dict[str, int] = field(default_factory=dict)

    @classmethod
    def create(cls, parent: str, *, confined: bool | None = True) -> Sandbox:
        """Make one under `parent`, after sweeping away what dead owners left there.

        Args:
            parent: an existing directory.
            confined: whether permission bits have to stop this process; else those that it starts and confines. None:
                nobody, and the caller says so to whom it concerns.

        Raises:
            MachineError: `parent` is missing, not a directory or not writable, or permission bits do not stop this
                process there.
        """
        try:
            parent = os.path.realpath(parent, strict=True)
            sweep(parent)
            sandbox = cls._create(parent)
        except OSError as error:
            raise MachineError(
                "sandbox",
                parent,
                f"cannot make a sandbox in '{parent}': {error.strerror}; choose another with --sandbox",
            ) from error
        with contextlib.ExitStack() as undo:
            undo.push(sandbox)
            if confined is not None:
                require_permission_bits(sandbox.path, children=not confined)
            undo.pop_all()
        return sandbox

    @classmethod
    def _create(cls, parent: str) -> Sandbox:
        for attempt in range(_NAME_ATTEMPTS_MAX):
            path = os.path.join(parent, f"{PREFIX}{os.getpid()}-{attempt}")
            try:
                fd = os.open(path + _LOCK_SUFFIX, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, fd)
                # Race 1: a sweeper may take the lock before we do; then the file is its to unlink.
                if not _take(fd):
                    continue
                undo.callback(REAL.unlink, path + _LOCK_SUFFIX)
                # Whatever the umask: a later run must be able to open it.
                os.fchmod(fd, 0o600)
                os.write(fd, _MARK)
                try:
                    _make_plain(path)
                except FileExistsError:
                    continue
                undo.pop_all()
                return cls(path, fd, _held={path: os.open(path, _HOLD)})
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), parent)

    def fresh(self) -> str:
        """An empty directory for one round; the last round's is removed.

        Raises:
            MachineError: something of it cannot be removed, or the sandbox is no longer where it was made.
        """
        self.clear()
        self._require_in_place(self.path)
        self._round += 1
        path = f"{self.path}/{self._round}"
        REAL.mkdir(path)
        REAL.chmod(path, 0o755)
        self._held[path] = os.open(path, _HOLD)
        return path

    def clear(self) -> None:
        """Remove what the last round left.

        Raises:
            MachineError: something of it cannot be removed, or it is no longer where it was made.
        """
        path = f"{self.path}/{self._round}"
        if path in self._held:
            self._require_in_place(path)
            self._remove_held(path)

    @contextlib.contextmanager
    def aside(self) -> Iterator[str]:
        """An empty directory beside that of the round, which stays as it is; gone afterwards.

        Raises:
            MachineError: something of it cannot be removed.
        """
        path = f"{self.path}/aside"
        REAL.mkdir(path)
        REAL.chmod(path, 0o755)
        self._held[path] = os.open(path, _HOLD)
        try:
            yield path
        finally:
            self._remove_held(path)

    def is_in_place(self, path: str) -> bool:
        """Whether a directory that was made here is still what has its path."""
        return _identity(path) == _identity_of(self._held[path])

    def _require_in_place(self, path: str) -> None:
        for one in (self.path, path):
            if not self.is_in_place(one):
                raise MachineError("sandbox-moved", one, f"'{one}' was removed, moved or replaced by what ran in it")

    def _remove_held(self, path: str) -> None:
        """Remove a directory that was made here, wherever it is now; what has its path instead stays as it is."""
        in_place = self.is_in_place(path)
        fd = self._held.pop(path)
        try:
            # Without a name it is gone already.
            if os.fstat(fd).st_nlink:
                _remove(path if in_place else os.readlink(f"/proc/self/fd/{fd}"))
        finally:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # If something stays, its lock file stays too, free: the next run will try again.
            for path in reversed(self._held.copy()):
                self._remove_held(path)
            # Whatever ran in it may have been there first.
            with contextlib.suppress(FileNotFoundError):
                REAL.unlink(self.path + _LOCK_SUFFIX)
        finally:
            os.close(self._lock_fd)


def _identity_of(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _identity(path: str) -> tuple[int, int] | None:
    """Which directory has the path; None when none has."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _make_plain(path: str) -> None:
    """A directory that takes nothing over from its parent: neither the set-group-ID bit nor a default ACL."""
    REAL.mkdir(path, 0o700)
    REAL.chmod(path, 0o700)
    try:
        os.removexattr(path, _DEFAULT_ACL)
    except OSError as error:
        # None there, or a file system without any.
        if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
            raise


def sweep(parent: str) -> list[str]:
    """Remove the sandboxes in `parent` that belong to us and that nobody holds; returns their paths."""
    swept = []
    for name in os.listdir(parent):
        if _LOCK_NAME.fullmatch(name) is None:
            continue
        lock = os.path.join(parent, name)
        try:
            fd = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            # Somebody else's, or gone by now: not ours to remove.
            continue
        try:
            if _is_marked(fd) and _take(fd):
                path = lock.removesuffix(_LOCK_SUFFIX)
                _remove(path)
                REAL.unlink(lock)
                swept.append(path)
        except MachineError:
            # It could not be removed by its owner either; that must not stop a run which has nothing to do with it.
            continue
        finally:
            os.close(fd)
    return swept


def _is_marked(fd: int) -> bool:
    """Whether it is a lock file of ours: a directory is removed on the word of this file."""
    status = os.fstat(fd)
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    return ours and os.pread(fd, len(_MARK) + 1, 0) == _MARK


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Whoever swept it before us has unlinked it.
    return os.fstat(fd).st_nlink == 1


def _remove(path: str) -> None:
    removal = remove_tree(path)
    if removal.left:
        left = removal.left[0]
        raise MachineError(
            "sandbox-left",
            path,
            f"the sandbox '{path}' cannot be removed: {left.path}: {left.reason}; remove it by hand",
        )


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
                point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, found = point, fields[fields.index("-") + 1]
    except FileNotFoundError:
        return ""
    return found
