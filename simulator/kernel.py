"""The gated kernel: each call waits for its turn, is made once on the real file system, and is recorded.

Two forms over the same calls: `GatedKernel` for plain synchronous actors (they run in a greenlet, which is what
lets `shutil.rmtree` wait without knowing it) and `AsyncGatedKernel`, whose methods are awaited.

Guarantees
- The gate comes before the call; after it exactly one real call is made, or none when a fault takes its place.
- A dead actor's calls raise `ActorKilled` and do nothing, close included. Its descriptors and locks went in the
  one step of its death, as the real kernel would have it.
- What actors are shown depends on the steps alone: listings are sorted, times are logical (`simulator.clock`).
Not guaranteed: one process has one umask, one working directory and one descriptor limit; actors share them.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING, Any

from cache_core.kernel import REAL
from simulator.errors import ActorKilled, BuildFailedError
from simulator.faults import AFTER, BEFORE, BUILD_ERROR, KILL, SHORT, STALL, errno_of
from simulator.listing import GatedListing, sorted_entries
from simulator.trace import CREATE, CREATE_EXCL, LIST_DESCRIPTOR, LIST_PATH, OPEN, OPENDIR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulator.clock import LogicalTimes
    from simulator.faults import Fault
    from simulator.gate import Actor, Gate
    from simulator.paths import Paths

_CREATES = os.O_CREAT
_CREATES_EXCLUSIVELY = os.O_CREAT | os.O_EXCL


def _open_operation(flags: int) -> str:
    if flags & _CREATES_EXCLUSIVELY == _CREATES_EXCLUSIVELY:
        return CREATE_EXCL
    if flags & _CREATES:
        return CREATE
    return OPENDIR if flags & os.O_DIRECTORY else OPEN


class Call:
    """One call that an actor is about to make: what to run and how to tell of it."""

    __slots__ = ("after", "arguments", "function", "keywords", "mode", "operation", "path", "target")

    def __init__(  # noqa: PLR0917 - the hottest constructor there is: keywords would cost more than the call
        self,
        operation: str,
        path: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        after: Callable[[Call, Any], tuple[Any, object]],
        target: str | None = None,
        mode: int | None = None,
    ) -> None:
        self.operation = operation
        self.path = path
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.after = after
        self.target = target
        self.mode = mode


def _as_is(call: Call, result: Any) -> tuple[Any, object]:
    del call
    return result, None


class Calls:
    """The calls, with the arguments of `os`; subclasses say how an actor waits (`_make`)."""

    def __init__(self, gate: Gate, actor: Actor, paths: Paths, times: LogicalTimes) -> None:
        self._gate = gate
        self._actor = actor
        self._paths = paths
        self._times = times
        self._record = gate.steps.append

    # How the actor waits.

    def _make(self, call: Call) -> Any:
        raise NotImplementedError

    # The calls.

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.open`."""
        keywords = {"mode": mode, "dir_fd": dir_fd}
        return self._make(
            Call(_open_operation(flags), self._name(path, dir_fd), REAL.open, (path, flags), keywords, self._opened)
        )

    def openat2(self, path: str, flags: int, resolve: int, *, dir_fd: int) -> Any:
        """As `Kernel.openat2`."""
        return self._make(
            Call(
                _open_operation(flags),
                self._name(path, dir_fd),
                REAL.openat2,
                (path, flags, resolve),
                {"dir_fd": dir_fd},
                self._opened,
            )
        )

    def read(self, fd: int, length: int) -> Any:
        """As `Kernel.read`."""
        return self._make(Call("read", self._of(fd), REAL.read, (fd, length), {}, _with_length))

    def write(self, fd: int, data: bytes) -> Any:
        """As `Kernel.write`."""
        return self._make(Call("write", self._of(fd), REAL.write, (fd, data), {}, self._wrote))

    def close(self, fd: int) -> Any:
        """As `Kernel.close`."""
        return self._make(Call("close", self._of(fd), REAL.close, (fd,), {}, self._closed))

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.mkdir`."""
        keywords = {"dir_fd": dir_fd}
        return self._make(
            Call("mkdir", self._name(path, dir_fd), REAL.mkdir, (path, mode), keywords, _as_is, None, mode)
        )

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.rmdir`."""
        return self._make(Call("rmdir", self._name(path, dir_fd), REAL.rmdir, (path,), {"dir_fd": dir_fd}, _as_is))

    def unlink(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.unlink`."""
        return self._make(Call("unlink", self._name(path, dir_fd), REAL.unlink, (path,), {"dir_fd": dir_fd}, _as_is))

    remove = unlink

    def rename(self, src: str, dst: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> Any:
        """As `Kernel.rename`."""
        keywords = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd}
        target = self._name(dst, dst_dir_fd)
        return self._make(
            Call("rename", self._name(src, src_dir_fd), REAL.rename, (src, dst), keywords, self._renamed, target)
        )

    def link(
        self,
        src: str,
        dst: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> Any:
        """As `Kernel.link`."""
        keywords = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd, "follow_symlinks": follow_symlinks}
        target = self._name(dst, dst_dir_fd)
        return self._make(Call("link", self._name(src, src_dir_fd), REAL.link, (src, dst), keywords, _as_is, target))

    def symlink(self, src: str, dst: str, target_is_directory: bool = False, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.symlink`; the step's path is the link, its target where it leads."""
        del target_is_directory
        target = self._paths.shown(os.fsdecode(src))
        return self._make(
            Call("symlink", self._name(dst, dir_fd), REAL.symlink, (src, dst), {"dir_fd": dir_fd}, _as_is, target)
        )

    def readlink(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.readlink`."""
        return self._make(
            Call("readlink", self._name(path, dir_fd), REAL.readlink, (path,), {"dir_fd": dir_fd}, self._read_link)
        )

    def stat(self, path: str | int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        """As `Kernel.stat`."""
        if isinstance(path, int):
            return self.fstat(path)
        if not follow_symlinks:
            return self.lstat(path, dir_fd=dir_fd)
        return self._make(Call("stat", self._name(path, dir_fd), REAL.stat, (path,), {"dir_fd": dir_fd}, self._status))

    def lstat(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.lstat`."""
        return self._make(
            Call("lstat", self._name(path, dir_fd), REAL.lstat, (path,), {"dir_fd": dir_fd}, self._status)
        )

    def fstat(self, fd: int) -> Any:
        """As `Kernel.fstat`."""
        return self._make(Call("fstat", self._of(fd), REAL.fstat, (fd,), {}, self._status))

    def scandir(self, path: str | int = ".") -> Any:
        """As `Kernel.scandir`: one step, sorted by name."""
        return self._make(Call(self._listing(path), self._of(path), sorted_entries, (path,), {}, self._listed))

    def listdir(self, path: str | int = ".") -> Any:
        """As `Kernel.listdir`: one step, sorted."""
        return self._make(Call(self._listing(path), self._of(path), REAL.listdir, (path,), {}, _sorted_names))

    def chmod(self, path: str | int, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        """As `Kernel.chmod`."""
        if isinstance(path, int):
            return self.fchmod(path, mode)
        keywords = {"dir_fd": dir_fd, "follow_symlinks": follow_symlinks}
        return self._make(
            Call("chmod", self._name(path, dir_fd), REAL.chmod, (path, mode), keywords, _as_is, None, mode)
        )

    def fchmod(self, fd: int, mode: int) -> Any:
        """As `Kernel.fchmod`."""
        return self._make(Call("fchmod", self._of(fd), REAL.fchmod, (fd, mode), {}, _as_is, None, mode))

    def chmod_descriptor(self, fd: int, mode: int) -> Any:
        """As `Kernel.chmod_descriptor`."""
        return self._make(Call("chmod", self._of(fd), REAL.chmod_descriptor, (fd, mode), {}, _as_is, None, mode))

    def utime(
        self,
        path: str,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> Any:
        """As `Kernel.utime`."""
        keywords: dict[str, Any] = {"dir_fd": dir_fd, "follow_symlinks": follow_symlinks}
        if ns is not None:
            keywords["ns"] = ns
        return self._make(Call("utime", self._name(path, dir_fd), REAL.utime, (path, times), keywords, self._timed))

    def flock(self, fd: int, operation: int) -> Any:
        """As `Kernel.flock`; one that would block takes the actor out until the lock is released."""
        wait = not operation & (fcntl.LOCK_NB | fcntl.LOCK_UN)
        name = _LOCK_NAMES[operation & ~fcntl.LOCK_NB]
        call = Call("flock", self._of(fd), REAL.flock, (fd, operation | fcntl.LOCK_NB), {}, self._locked, name)
        return self._make_blocking(call) if wait else self._make(call)

    def mount_id(self, fd: int) -> Any:
        """As `Kernel.mount_id`."""
        return self._make(Call("mount-id", self._of(fd), REAL.mount_id, (fd,), {}, _as_is))

    def _make_blocking(self, call: Call) -> Any:
        raise NotImplementedError

    # Names: relative to the cache, by the path that a descriptor was opened by.

    def _name(self, path: str, dir_fd: int | None) -> str:
        if dir_fd is None:
            return self._paths.shown(os.fsdecode(path))
        return self._paths.below(self._actor.descriptors.get(dir_fd, "?"), os.fsdecode(path))

    def _of(self, path: str | int) -> str:
        if isinstance(path, int):
            return self._actor.descriptors.get(path, "?")
        return self._paths.shown(os.fsdecode(path))

    @staticmethod
    def _listing(path: str | int) -> str:
        return LIST_DESCRIPTOR if isinstance(path, int) else LIST_PATH

    # What a call changed in our own books, and what of its result may be recorded.

    def _opened(self, call: Call, fd: int) -> tuple[int, object]:
        self._actor.descriptors[fd] = call.path
        if call.arguments[1] & (os.O_CREAT | os.O_TRUNC):
            self._times.modified(call.path, len(self._gate.steps))
        return fd, None

    def _closed(self, call: Call, result: None) -> tuple[None, object]:
        fd = call.arguments[0]
        self._actor.descriptors.pop(fd, None)
        lock = self._actor.locks.pop(fd, None)
        if lock is not None:
            self._gate.release(lock)
        return result, None

    def _wrote(self, call: Call, length: int) -> tuple[int, object]:
        self._times.modified(call.path, len(self._gate.steps))
        return length, length

    def _timed(self, call: Call, result: None) -> tuple[None, object]:
        self._times.modified(call.path, len(self._gate.steps))
        return result, None

    def _renamed(self, call: Call, result: None) -> tuple[None, object]:
        self._times.moved(call.path, call.target or "")
        return result, None

    def _read_link(self, call: Call, result: str) -> tuple[str, object]:
        del call
        return result, self._paths.shown(result)

    def _status(self, call: Call, status: os.stat_result) -> tuple[os.stat_result, object]:
        mode = status.st_mode
        return self._times.shown(call.path, status), (mode, status.st_size if stat.S_ISREG(mode) else 0)

    def _listed(self, call: Call, entries: list[os.DirEntry[str]]) -> tuple[GatedListing, object]:
        where = call.arguments[0]
        names = tuple(entry.name for entry in entries)
        return GatedListing(entries, self, where if isinstance(where, int) else None), names

    def _locked(self, call: Call, result: None) -> tuple[None, object]:
        fd = call.arguments[0]
        if call.target != "unlock":
            # A conversion gives the old lock up for a moment: others may have their turn.
            self._gate.release(call.path)
            self._actor.locks[fd] = call.path
        elif self._actor.locks.pop(fd, None) is not None:
            self._gate.release(call.path)
        return result, None

    # One step.

    def _perform(self, call: Call) -> Any:
        """It is our turn: make the call and record it."""
        actor = self._actor
        if actor.dead:
            raise ActorKilled(actor.name)
        actor.steps += 1
        if actor.faults is not None:
            fault = actor.faults.due(actor.steps, actor.phase, call.operation)
            if fault is not None:
                return self._perform_with(fault, call)
        try:
            result = call.function(*call.arguments, **call.keywords)
        except OSError as error:
            self._note(call, error.errno, None, None)
            raise
        result, detail = call.after(call, result)
        self._note(call, None, detail, None)
        return result

    def _note(self, call: Call, number: int | None, detail: object, injected: str | None) -> None:
        actor = self._actor
        step = (actor.name, actor.phase, call.operation, call.path, call.target, call.mode, number, detail, injected)
        self._record(step)
        if number is not None:
            actor.last_failure = step

    def _perform_with(self, fault: Fault, call: Call) -> Any:
        actor = self._actor
        if fault.action == KILL:
            self.give_up("kill")
            actor.killed = True
            actor.dead = True
            raise ActorKilled(actor.name)
        if fault.action == BUILD_ERROR:
            self._record((actor.name, actor.phase, BUILD_ERROR, call.path, None, None, None, None, BEFORE))
            raise BuildFailedError(f"injected at step {actor.steps} in {actor.phase}")
        if fault.action == STALL:
            raise _StallRequested
        if fault.when == SHORT:
            fd, data = call.arguments
            taken = REAL.write(fd, data[: max(1, len(data) // 2)])
            result, detail = call.after(call, taken)
            self._note(call, None, detail, SHORT)
            return result
        number = errno_of(fault)
        if fault.when == AFTER:
            self._let_it_happen(call)
        self._note(call, number, None, fault.when)
        raise OSError(number, os.strerror(number), call.path)

    def _let_it_happen(self, call: Call) -> None:
        """The effect of a call whose caller will be told that it failed."""
        try:
            result = call.function(*call.arguments, **call.keywords)
        except OSError as error:
            self._note(call, error.errno, None, None)
            raise
        result, _ = call.after(call, result)
        if call.operation in {OPEN, OPENDIR, CREATE, CREATE_EXCL}:
            # The caller never learns the descriptor; the kernel would not have handed one out.
            del self._actor.descriptors[result]
            REAL.close(result)

    def give_up(self, operation: str) -> None:
        """One step: every descriptor and lock of the actor goes, as at the end of a process."""
        actor = self._actor
        for fd in actor.descriptors:
            REAL.close(fd)
        locks = set(actor.locks.values())
        if operation == "kill" or actor.descriptors:
            self._record((actor.name, actor.phase, operation, ".", None, None, None, len(actor.descriptors), None))
        actor.descriptors.clear()
        actor.locks.clear()
        for lock in locks:
            self._gate.release(lock)


class _StallRequested(Exception):  # noqa: N818 - a signal from the fault to the waiting loop, never seen outside
    """The fault `stall` is due: stand still, then make the call."""


_LOCK_NAMES = {fcntl.LOCK_SH: "shared", fcntl.LOCK_EX: "exclusive", fcntl.LOCK_UN: "unlock"}


def _with_length(call: Call, data: bytes) -> tuple[bytes, object]:
    del call
    return data, len(data)


def _sorted_names(call: Call, names: list[str]) -> tuple[list[str], object]:
    del call
    names.sort()
    return names, tuple(names)


class GatedKernel(Calls):
    """For synchronous actors.

    Args:
        gate: where to wait.
        actor: who is calling.
        paths: how paths are shown.
        times: the run's logical times.
        suspend: hands over to another actor (None: to nobody yet) and returns when it is this one's turn.
    """

    def __init__(
        self,
        gate: Gate,
        actor: Actor,
        paths: Paths,
        times: LogicalTimes,
        suspend: Callable[[Actor | None], None],
    ) -> None:
        super().__init__(gate, actor, paths, times)
        self._suspend = suspend

    def _make(self, call: Call) -> Any:
        actor, gate = self._actor, self._gate
        if actor.dead:
            raise ActorKilled(actor.name)
        actor.pending = (call.operation, call.path)
        chosen = gate.park(actor)
        if chosen is not actor or gate.paced:
            self._suspend(chosen)
        try:
            return self._perform(call)
        except _StallRequested:
            actor.steps -= 1
            self._suspend(gate.stall(actor))
            return self._perform(call)

    def _make_blocking(self, call: Call) -> Any:
        while True:
            try:
                return self._make(call)
            except BlockingIOError:
                self._suspend(self._gate.block(self._actor, call.path))


class AsyncGatedKernel(Calls):
    """For coroutine actors: the same calls, awaited. Arguments as `GatedKernel`, `suspend` being awaited."""

    def __init__(
        self,
        gate: Gate,
        actor: Actor,
        paths: Paths,
        times: LogicalTimes,
        suspend: Callable[[Actor | None], Awaitable[None]],
    ) -> None:
        super().__init__(gate, actor, paths, times)
        self._suspend = suspend

    async def _make(self, call: Call) -> Any:
        actor, gate = self._actor, self._gate
        if actor.dead:
            raise ActorKilled(actor.name)
        actor.pending = (call.operation, call.path)
        chosen = gate.park(actor)
        if chosen is not actor or gate.paced:
            await self._suspend(chosen)
        try:
            return self._perform(call)
        except _StallRequested:
            actor.steps -= 1
            await self._suspend(gate.stall(actor))
            return self._perform(call)

    async def _make_blocking(self, call: Call) -> Any:
        while True:
            try:
                return await self._make(call)
            except BlockingIOError:
                await self._suspend(self._gate.block(self._actor, call.path))
