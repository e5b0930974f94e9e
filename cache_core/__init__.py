"""A cache that many processes share: its layout, locks and store, and the cleaner that people can trust.

Usable without the simulator::

    from cache_core import clean, clean_sync

    report = clean_sync("/var/cache/wheels", timeout=60)
    assert report.empty, report.left

    report = await clean("/var/cache/wheels")        # under asyncio or trio

Guarantee: importing this package loads no event loop; `clean` loads anyio when it is first called. Linux only.
"""

from cache_core.asynchronous import clean
from cache_core.audit import AuditReport, Poisoned, audit
from cache_core.cleaner import clean_sync
from cache_core.errors import (
    CacheError,
    CacheInUseError,
    LockError,
    LockUnavailableError,
    MountedRootError,
    NotACacheError,
    NotADirectoryRootError,
    NotALockError,
    PrivilegeError,
    RefusedRootError,
    SurroundingsError,
    UnreadableRootError,
)
from cache_core.locks import Lock, Wait, lock_cache, lock_entry
from cache_core.outcome import Left, Options, Progress, Removal
from cache_core.removal import remove_contents, remove_tree
from cache_core.report import CleanReport

__all__ = [
    "AuditReport",
    "CacheError",
    "CacheInUseError",
    "CleanReport",
    "Left",
    "Lock",
    "LockError",
    "LockUnavailableError",
    "MountedRootError",
    "NotACacheError",
    "NotADirectoryRootError",
    "NotALockError",
    "Options",
    "Poisoned",
    "PrivilegeError",
    "Progress",
    "RefusedRootError",
    "Removal",
    "SurroundingsError",
    "UnreadableRootError",
    "Wait",
    "audit",
    "clean",
    "clean_sync",
    "lock_cache",
    "lock_entry",
    "remove_contents",
    "remove_tree",
]
