"""Calls beside the gate, noticed where Python tells: by its audit events, and by names used in the wrong place.

While actors move, an event about a path in the run's directory must come from the kernel. If its call was made from
anywhere else (`posix.unlink`, `io.FileIO`, a C extension that says so, sqlite3, a thread that an actor started), it is
refused with a line that names the call and where it is; and so is every program that an actor starts.

Seen: what CPython announces (`open`, `os.mkdir`, `os.listdir`, `os.scandir`, `os.rename`, `os.remove`, `os.rmdir`,
`os.chmod`, `os.link`, `os.symlink`, `os.truncate`, `os.utime`, `os.chown`, `os.*xattr`, `sqlite3.connect`, sockets by
path, `mmap`, starting programs). Not seen: stat, lstat, access, readlink, and reads, writes and closes of descriptors,
when they are made by `posix` or from C.

An audit hook cannot be taken back (PEP 578): the first exploration adds one to the process for good. When no actor
moves, it costs one comparison for each event.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from simulator.bridged.bridge import current_bridge
from simulator.bridged.refused import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.bridged.bridge import Watch

# Whose calls are the gate's.
_GATE = ("simulator.engine.", "cache_core.kernel")

_BY_PATH = frozenset(
    {"open", "sqlite3.connect", "socket.bind", "socket.connect"}
    | {f"os.{name}" for name in ("mkdir", "listdir", "scandir", "rename", "remove", "rmdir", "link", "symlink")}
    | {f"os.{name}" for name in ("chmod", "truncate", "utime", "chown", "lchmod", "chflags", "mkfifo", "mknod")}
    | {f"os.{name}" for name in ("getxattr", "setxattr", "listxattr", "removexattr")}
)  # fmt: skip
_PROGRAMS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"}
)
_MAPS = "mmap.__new__"

_BESIDE = "it was not made through the kernel; call it by its name in os, or as open"
_OTHER_THREAD = "only the actor itself is under the gate, not a thread or greenlet that it starts"
_PROGRAM = "a program that it starts makes its calls beside the gate"
_MAPPED = "what is done through a mapping is no call; read and write"


class _State:
    """Whose run is watched: one at a time in a process, as names are.

    Attributes:
        watch: the run's; None when no actor moves.
        added: whether the hook is there.
    """

    watch: Watch | None = None
    added = False


def watching() -> bool:
    """Whether actors move."""
    return _State.watch is not None


@contextlib.contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """While this lasts, calls beside the gate are problems of `watch`."""
    if not _State.added:
        sys.addaudithook(_hook)
        _State.added = True
    before, _State.watch = _State.watch, watch
    try:
        yield
    finally:
        _State.watch = before


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _State.watch
    if watch is None:
        return
    if event in _BY_PATH:
        # What made the call: the innermost frame of Python code, which is the hook's caller.
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        if not caller.startswith(_GATE):
            _check_paths(watch, event, arguments)
    elif event in _PROGRAMS or event == _MAPS:
        _check_actor(watch, event, arguments)


def _check_paths(watch: Watch, event: str, arguments: tuple[Any, ...]) -> None:
    for argument in arguments:
        inside = watch.has(argument)
        if inside is not None:
            call = event if event.startswith(("os.", "sqlite3.", "socket.")) else "open"
            raise report(watch, _who(), f"{call}('{_shown(watch, inside)}')", _reason())


def _check_actor(watch: Watch, event: str, arguments: tuple[Any, ...]) -> None:
    bridge = current_bridge()
    if bridge is None:
        return
    if event == _MAPS:
        if bridge.owns(arguments[0]):
            raise report(watch, _who(), "mmap.mmap", _MAPPED)
    else:
        raise report(watch, _who(), event, _PROGRAM)


def check_stranger(operation: str, arguments: tuple[Any, ...]) -> None:
    """A name of `os` is used while actors move, by somebody who is none: a thread that an actor started, say.

    Raises:
        UngatedCallError: on what is inside.
    """
    watch = _State.watch
    if watch is None:
        return
    for argument in arguments:
        inside = watch.has(argument)
        if inside is not None:
            raise report(watch, _who(), f"{operation}('{_shown(watch, inside)}')", _OTHER_THREAD)


def _who() -> str:
    bridge = current_bridge()
    return f"thread '{threading.current_thread().name}'" if bridge is None else bridge.actor.name


def _reason() -> str:
    return _OTHER_THREAD if current_bridge() is None else _BESIDE


def _shown(watch: Watch, path: str) -> str:
    return path.removeprefix(watch.root + "/")
