"""Names of `fcntl` for an actor: flock is a step.

Refused are locks that belong to the process, as actors share one, and `ioctl` on a file of theirs.
"""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, Any

from simulator.bridged.refused import SHARED_LOCKS, cannot_gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.bridged.bridge import Bridge

_COMMANDS = {
    getattr(fcntl, name): name
    for name in ("F_SETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_SETLKW", "F_DUPFD", "F_DUPFD_CLOEXEC", "F_SETLEASE")
    if hasattr(fcntl, name)
}


def _number(fd: Any) -> int:
    number: int = fd if isinstance(fd, int) else fd.fileno()
    return number


def flock(bridge: Bridge, real: Callable[..., Any], fd: Any, operation: int, /) -> None:
    """fcntl.flock."""
    number = _number(fd)
    if bridge.owns(number):
        bridge.kernel.flock(number, operation)
    else:
        real(fd, operation)


def lockf(bridge: Bridge, real: Callable[..., Any], fd: Any, *arguments: Any) -> Any:
    """fcntl.lockf."""
    if bridge.owns(_number(fd)):
        raise cannot_gate(bridge, "fcntl.lockf", SHARED_LOCKS)
    return real(fd, *arguments)


def control(bridge: Bridge, real: Callable[..., Any], fd: Any, command: int, *arguments: Any) -> Any:
    """fcntl.fcntl: flags of a descriptor are nobody else's; a lock, a lease or a copy is."""
    if command in _COMMANDS and bridge.owns(_number(fd)):
        reason = "use os.dup" if "DUPFD" in _COMMANDS[command] else SHARED_LOCKS
        raise cannot_gate(bridge, f"fcntl.fcntl with {_COMMANDS[command]}", reason)
    return real(fd, command, *arguments)


def device_control(bridge: Bridge, real: Callable[..., Any], fd: Any, request: int, *arguments: Any) -> Any:
    """fcntl.ioctl: on a file it may be anything, a copy of another one's content (FICLONE) too."""
    if bridge.owns(_number(fd)):
        raise cannot_gate(bridge, f"fcntl.ioctl with {request:#x}", "it has no footprint; read and write")
    return real(fd, request, *arguments)


GATED = {"flock": flock, "lockf": lockf, "fcntl": control, "ioctl": device_control}
