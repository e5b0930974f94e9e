"""The gated kernel: each call waits for its turn, is made once on the real file system, and is recorded.

Two forms over the same calls: `GatedKernel` for plain synchronous actors (they run in a greenlet, which is what
lets `shutil.rmtree` wait without knowing it) and `AsyncGatedKernel`, whose methods are awaited. What happens when
the turn has come is in `simulator.engine.step`.

Guarantees
- The gate comes before the call; after it exactly one real call is made, or none when a fault takes its place. Before
  an open that may create and may keep we look whether there is something: its result does not tell.
- A dead actor's calls raise `ActorKilled` and do nothing, close included. Its descriptors and locks went in the
  one step of its death, as the real kernel would have it.
- What actors are shown depends on the steps alone: listings are sorted, times are logical (`simulator.engine.clock`).
Not guaranteed: one process has one umask, one working directory and one descriptor limit; actors share them.
Cost: about as much as the call itself on tmpfs (`make bench`).
"""

from __future__ import annotations

import errno
import fcntl
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from cache_core.kernel import REAL
from simulator.engine.actor import ENABLED
from simulator.engine.gate import EVENT
from simulator.engine.listing import sorted_entries
from simulator.engine.paths import Relative
from simulator.engine.quiet import KINDS, may_keep, quiet_calls
from simulator.engine.step import EXCLUSIVE, SHARED, UNLOCK, StallRequested, Stepper
from simulator.engine.trace import CREATIONS, LIST_DESCRIPTOR, LIST_PATH, Creation
from simulator.errors import ActorKilled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulator.engine.actor import Actor, Call
    from simulator.engine.clock import LogicalTimes
    from simulator.engine.gate import Gate
    from simulator.engine.paths import Paths

_LOCK_NAMES = {fcntl.LOCK_SH: SHARED, fcntl.LOCK_EX: EXCLUSIVE, fcntl.LOCK_UN: UNLOCK}


def _at(dir_fd: int | None) -> dict[str, Any] | None:
    return None if dir_fd is None else {"dir_fd": dir_fd}


class Calls(Stepper):
    """The calls, with the arguments of `os`; subclasses say how an actor waits (`_make`, `_make_blocking`)."""

    def _make(self, call: Call) -> Any:
        raise NotImplementedError

    def _make_blocking(self, call: Call) -> Any:
        raise NotImplementedError

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.open`."""
        shown, arguments, at = self._name(path, dir_fd), (path, flags, mode), _at(dir_fd)
        operation = KINDS[flags][0]
        if may_keep(flags):
            creation = Creation(operation, mode)
            after, function = partial(self._opened_or_made, creation), partial(_open_or_make, creation)
            return self._make((creation, shown, None, None, after, function, arguments, at))
        if flags & os.O_CREAT:
            operation = CREATIONS[operation, mode]
        return self._make((operation, shown, None, None, self._opened, REAL.open, arguments, at))

    def openat2(self, path: str, flags: int, resolve: int, *, dir_fd: int) -> Any:
        """As `Kernel.openat2`."""
        shown, arguments = self._name(path, dir_fd), (path, flags, resolve)
        return self._make(
            (KINDS[flags][0], shown, None, None, self._opened, REAL.openat2, arguments, {"dir_fd": dir_fd})
        )

    def read(self, fd: int, length: int) -> Any:
        """As `Kernel.read`."""
        return self._make(("read", self._of(fd), None, None, _with_length, REAL.read, (fd, length), None))

    def write(self, fd: int, data: bytes) -> Any:
        """As `Kernel.write`."""
        return self._make(("write", self._of(fd), None, None, self._wrote, REAL.write, (fd, data), None))

    def close(self, fd: int) -> Any:
        """As `Kernel.close`."""
        return self._make(("close", self._of(fd), None, None, self._closed, REAL.close, (fd,), None))

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.mkdir`."""
        return self._make(("mkdir", self._name(path, dir_fd), None, mode, None, REAL.mkdir, (path, mode), _at(dir_fd)))

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.rmdir`."""
        return self._make(("rmdir", self._name(path, dir_fd), None, None, None, REAL.rmdir, (path,), _at(dir_fd)))

    def unlink(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.unlink`."""
        return self._make(("unlink", self._name(path, dir_fd), None, None, None, REAL.unlink, (path,), _at(dir_fd)))

    remove = unlink

    def rename(self, src: str, dst: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> Any:
        """As `Kernel.rename`."""
        keywords = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd}
        target = self._name(dst, dst_dir_fd)
        return self._make(
            ("rename", self._name(src, src_dir_fd), target, None, self._renamed, REAL.rename, (src, dst), keywords)
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
        return self._make(("link", self._name(src, src_dir_fd), target, None, None, REAL.link, (src, dst), keywords))

    def symlink(self, src: str, dst: str, target_is_directory: bool = False, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.symlink`; the step's path is the link, its target where it leads."""
        del target_is_directory
        link, led = self._name(dst, dir_fd), os.fsdecode(src)
        target = self._paths.shown(led)
        if not led.startswith("/"):
            target = Relative(target, os.path.dirname(link), led)
        return self._make(("symlink", link, target, None, None, REAL.symlink, (src, dst), _at(dir_fd)))

    def readlink(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.readlink`."""
        return self._make(
            ("readlink", self._name(path, dir_fd), None, None, self._read_link, REAL.readlink, (path,), _at(dir_fd))
        )

    def stat(self, path: str | int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        """As `Kernel.stat`."""
        if isinstance(path, int):
            return self.fstat(path)
        if not follow_symlinks:
            return self.lstat(path, dir_fd=dir_fd)
        return self._make(("stat", self._name(path, dir_fd), None, None, self._status, REAL.stat, (path,), _at(dir_fd)))

    def lstat(self, path: str, *, dir_fd: int | None = None) -> Any:
        """As `Kernel.lstat`."""
        return self._make(
            ("lstat", self._name(path, dir_fd), None, None, self._status, REAL.lstat, (path,), _at(dir_fd))
        )

    def fstat(self, fd: int) -> Any:
        """As `Kernel.fstat`."""
        return self._make(("fstat", self._of(fd), None, None, self._status, REAL.fstat, (fd,), None))

    def scandir(self, path: str | int = ".") -> Any:
        """As `Kernel.scandir`: one step, sorted by name."""
        return self._make((_listing(path), self._of(path), None, None, self._listed, sorted_entries, (path,), None))

    def listdir(self, path: str | int = ".") -> Any:
        """As `Kernel.listdir`: one step, sorted."""
        return self._make((_listing(path), self._of(path), None, None, _sorted_names, REAL.listdir, (path,), None))

    def chmod(self, path: str | int, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:
        """As `Kernel.chmod`."""
        if isinstance(path, int):
            return self.fchmod(path, mode)
        keywords = {"dir_fd": dir_fd, "follow_symlinks": follow_symlinks}
        return self._make(("chmod", self._name(path, dir_fd), None, mode, None, REAL.chmod, (path, mode), keywords))

    def fchmod(self, fd: int, mode: int) -> Any:
        """As `Kernel.fchmod`."""
        return self._make(("fchmod", self._of(fd), None, mode, None, REAL.fchmod, (fd, mode), None))

    def fchown(self, fd: int, uid: int, gid: int) -> Any:
        """As `Kernel.fchown`; whose it becomes is not recorded."""
        return self._make(("fchown", self._of(fd), None, None, None, REAL.fchown, (fd, uid, gid), None))

    def chmod_descriptor(self, fd: int, mode: int) -> Any:
        """As `Kernel.chmod_descriptor`."""
        return self._make(("chmod", self._pinned(fd), None, mode, None, REAL.chmod_descriptor, (fd, mode), None))

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
        return self._make(
            ("utime", self._name(path, dir_fd), None, None, self._timed, REAL.utime, (path, times), keywords)
        )

    def flock(self, fd: int, operation: int) -> Any:
        """As `Kernel.flock`; one that would block takes the actor out until the lock is released."""
        name = _LOCK_NAMES[operation & ~fcntl.LOCK_NB]
        call: Call = (
            "flock", self._of(fd), name, None, self._locked, self._ask_for_lock, (fd, operation | fcntl.LOCK_NB), None
        )  # fmt: skip
        waits = not operation & (fcntl.LOCK_NB | fcntl.LOCK_UN)
        return self._make_blocking(call) if waits else self._make(call)

    def mount_id(self, fd: int) -> Any:
        """As `Kernel.mount_id`."""
        return self._make(("mount-id", self._of(fd), None, None, None, REAL.mount_id, (fd,), None))

    def step(
        self,
        operation: str,
        at: str | int,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        keywords: dict[str, Any] | None = None,
        *,
        dir_fd: int | None = None,
        target: str | int | None = None,
        changes: bool = False,
    ) -> Any:
        """One step by a call that has no method here: `function`, once, when the turn has come.

        Args:
            operation: as it is recorded.
            at: the path, or the descriptor, that it is about.
            function: the real call.
            arguments: its.
            keywords: likewise.
            dir_fd: what `at` is relative to.
            target: as it is recorded; of a descriptor, its path.
            changes: whether a success modifies the content of the target, or else of `at`.
        """
        shown = self._pinned(at) if isinstance(at, int) else self._name(at, dir_fd)
        to = self._pinned(target) if isinstance(target, int) else target
        after = self._told_of_change if changes else _told
        return self._make((operation, shown, to, None, after, function, arguments, keywords))

    # Names: relative to the cache, by the path that a descriptor was opened by.

    def _pinned(self, fd: int) -> Relative:
        """A descriptor's own object, whatever has its name by now."""
        shown = self._of(fd)
        return Relative(shown, shown, "")

    def _told_of_change(
        self, path: str, target: str | None, arguments: tuple[Any, ...], result: Any
    ) -> tuple[Any, object]:
        self._times.modified[target or path] = len(self._gate.steps)
        return _told(path, target, arguments, result)

    def _name(self, path: str, dir_fd: int | None) -> str:
        if dir_fd is None:
            return self._paths.known[path]
        return self._paths.known.inside[self._opened_as(dir_fd)][path]

    def _of(self, path: str | int) -> str:
        return self._opened_as(path) if isinstance(path, int) else self._paths.known[path]

    def _opened_as(self, fd: int) -> str:
        """The path that a descriptor was opened by.

        An actor is a process of its own: a descriptor that it has not opened, or has closed, is none, even if its
        number is another actor's. Such a call reaches nobody, so it is no step.
        """
        try:
            return self._actor.descriptors[fd]
        except KeyError:
            if self._actor.dead:
                raise ActorKilled(self._actor.name) from None
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None


def _open_or_make(creation: Creation, path: str, flags: int, mode: int, *, dir_fd: int | None = None) -> int:
    """open(2), which does not tell whether it made the file: we look before, while it is nobody else's turn."""
    try:
        REAL.stat(path, dir_fd=dir_fd)
    except OSError:
        creation.kept = False
    else:
        creation.kept = True
    return REAL.open(path, flags, mode, dir_fd=dir_fd)


def _listing(path: str | int) -> str:
    return LIST_DESCRIPTOR if isinstance(path, int) else LIST_PATH


def _with_length(path: str, target: str | None, arguments: tuple[Any, ...], data: bytes) -> tuple[bytes, object]:
    del path, target, arguments
    return data, len(data)


def _told(path: str, target: str | None, arguments: tuple[Any, ...], result: Any) -> tuple[Any, object]:
    """What a caller could decide by, as far as it is the same on every machine; of data the length, as for a read."""
    del path, target, arguments
    if isinstance(result, bytes):
        return result, len(result)
    if isinstance(result, list):
        result.sort()
        return result, tuple(result)
    return result, result if isinstance(result, bool | int) else None


def _sorted_names(
    path: str, target: str | None, arguments: tuple[Any, ...], names: list[str]
) -> tuple[list[str], object]:
    del path, target, arguments
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
        if gate.quiet_steps is not None:
            # These hide the methods of the same name.
            self.__dict__.update(quiet_calls(self))

    def _make(self, call: Call) -> Any:
        actor, gate = self._actor, self._gate
        if actor.dead:
            raise ActorKilled(actor.name)
        actor.pending = call
        chosen = gate.park(actor)
        if chosen is not actor or gate.paced:
            self._suspend(chosen)
        while True:
            try:
                return self._perform(call)
            except StallRequested:
                self._suspend(gate.stall(actor))

    def _make_blocking(self, call: Call) -> Any:
        while True:
            try:
                result = self._make(call)
            except BlockingIOError:
                self._actor.steps -= 1
                self._waited()
                self._suspend(self._gate.block(self._actor, call[1]))
            else:
                self._got()
                return result

    def stand_still(self) -> None:
        """Wait until nobody else can move; no step."""
        if self._actor.dead:
            raise ActorKilled(self._actor.name)
        if self._actor.status == ENABLED:
            self._suspend(self._gate.stall(self._actor))
        if self._actor.dead:
            raise ActorKilled(self._actor.name)

    # What processes of one program do with each other. Waiting is no step, as no file system sees it.

    def await_event(self, event: str) -> None:
        """Wait for `tell`. May return without one: look whether what was waited for is there."""
        if self._actor.dead:
            raise ActorKilled(self._actor.name)
        # Its last call is made, and what it will do when it is told, nobody knows.
        self._actor.pending = None
        self._suspend(self._gate.block(self._actor, EVENT + event))
        if self._actor.dead:
            raise ActorKilled(self._actor.name)

    def tell(self, event: str) -> None:
        """Wake whoever waits for the event."""
        self._gate.release(EVENT + event)

    def fork(self, child: GatedKernel) -> dict[int, int]:
        """Give another actor copies of all our descriptors, and with them our locks; returns its number for each.

        A copy is a step, ``dup``, whose target is who gets it. (A real fork copies them all in one call.)
        """
        heir = child._actor
        numbers: dict[int, int] = {}
        for fd, path in list(self._actor.descriptors.items()):
            copy = numbers[fd] = self._make(("dup", path, heir.name, None, None, os.dup, (fd,), None))
            heir.descriptors[copy] = path
            everybody = heir.copies[copy] = self._actor.copies.setdefault(fd, [(self._actor, fd)])
            everybody.append((heir, copy))
            if fd in self._actor.locks:
                heir.locks[copy] = self._actor.locks[fd]
        return numbers


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
        actor.pending = call
        chosen = gate.park(actor)
        if chosen is not actor or gate.paced:
            await self._suspend(chosen)
        while True:
            try:
                return self._perform(call)
            except StallRequested:
                await self._suspend(gate.stall(actor))

    async def _make_blocking(self, call: Call) -> Any:
        while True:
            try:
                result = await self._make(call)
            except BlockingIOError:
                self._actor.steps -= 1
                self._waited()
                await self._suspend(self._gate.block(self._actor, call[1]))
            else:
                self._got()
                return result
