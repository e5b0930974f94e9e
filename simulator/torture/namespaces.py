"""A mount namespace of one's own: what is mounted in it is gone with the last process in it.

As root a mount namespace alone; else one in a user namespace in which this user is itself, and may pass over modes.
Not guaranteed: that there is one; containers and hardened systems refuse. Costs: a millisecond.
Sources: unshare(2), user_namespaces(7), mount_namespaces(7).
"""

from __future__ import annotations

import ctypes
import os

from cache_core.privileges import holds_override_capabilities

_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWUSER = 0x1000_0000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def enter_mount_namespace() -> None:
    """Go into a new mount namespace; this process has to have one thread, and may mount in it.

    Raises:
        OSError: The system refuses.
    """
    # Whoever is stopped by permission bits is not in a user namespace of their own, and needs that to lay and to look.
    ways = [_CLONE_NEWNS, _CLONE_NEWUSER | _CLONE_NEWNS]
    if not holds_override_capabilities():
        ways.reverse()
    uid, gid = os.geteuid(), os.getegid()
    taken = next((way for way in ways if _libc.unshare(way) == 0), None)
    if taken is None:
        raise _error("unshare")
    if taken & _CLONE_NEWUSER:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    # Else a shared mount would be seen, and stay, outside.
    if _libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None) != 0:
        raise _error("/")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
