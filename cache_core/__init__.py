"""A cache that many processes share: its layout, locks and store, and the cleaner that people can trust.

Usable without the simulator::

    from cache_core import clean, clean_sync

    report = clean_sync("/var/cache/wheels", timeout=60)
    assert report.empty, report.left

    report = await clean("/var/cache/wheels")        # under asyncio or trio

Guarantee: importing this package loads nothing; a name of it loads the module that it is from, when it is first asked
for (docs/decisions/0013-start-up.md), and `clean` loads anyio when it is first called. Linux only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.asynchronous import clean
    from cache_core.audit_report import AuditReport, Poisoned, Residue
    from cache_core.auditing import audit
    from cache_core.cleaner import clean_sync
    from cache_core.errors import (
        CacheError,
        CacheInUseError,
        LinkedRootError,
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
    from cache_core.holders import Holder
    from cache_core.locks import Lock, Wait, lock_cache, lock_entry
    from cache_core.outcome import Left, Options, Progress, Removal
    from cache_core.removal import remove_contents, remove_tree
    from cache_core.report import CleanReport

# No name here may be that of a module of the package: importing the module would put it in the place of the name.
_ORIGINS = {
    "asynchronous": ("clean",),
    "audit_report": ("AuditReport", "Poisoned", "Residue"),
    "auditing": ("audit",),
    "cleaner": ("clean_sync",),
    "errors": (
        "CacheError",
        "CacheInUseError",
        "LinkedRootError",
        "LockError",
        "LockUnavailableError",
        "MountedRootError",
        "NotACacheError",
        "NotADirectoryRootError",
        "NotALockError",
        "PrivilegeError",
        "RefusedRootError",
        "SurroundingsError",
        "UnreadableRootError",
    ),
    "holders": ("Holder",),
    "locks": ("Lock", "Wait", "lock_cache", "lock_entry"),
    "outcome": ("Left", "Options", "Progress", "Removal"),
    "removal": ("remove_contents", "remove_tree"),
    "report": ("CleanReport",),
}

__all__ = [
    "AuditReport",
    "CacheError",
    "CacheInUseError",
    "CleanReport",
    "Holder",
    "Left",
    "LinkedRootError",
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
    "Residue",
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


def __getattr__(name: str) -> object:
    for module, names in _ORIGINS.items():
        if name in names:
            from importlib import import_module  # noqa: PLC0415 - as this package itself, loaded by whoever needs it

            value: object = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
