"""What a cleaning says: values only."""

from __future__ import annotations

from cache_core.errors import path_fields
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.outcome import Left

LOCK_HELD = "exclusive"
LOCK_IGNORED = "ignored"
LOCK_UNAVAILABLE = "unavailable"
LOCK_NOT_TAKEN = "none"


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What a cleaning did and what it leaves.

    Attributes:
        path: The cache, as given.
        empty: Whether the root holds nothing but `CACHEDIR.TAG`, `.gitignore` and `.lock`, each a small regular file;
            when the root was to be removed, whether it is gone.
        files_removed: Entries that were no directories; with `dry_run`, that would be removed.
        directories_removed: Directories, likewise.
        bytes_freed: Blocks of files whose last link went, likewise.
        permissions_repaired: Directories with something in them that were given bits their owner lacked.
        left: Each path that stays, relative to the cache (`.` is the root), once.
        seconds: How long it took, waiting for the lock included.
        lock: `exclusive`, `ignored` (forced), `unavailable` (could not be opened or made), or `none` (not needed).
        lock_error: When it was unavailable, the name of the error, such as `ENOSPC`; None when it is no lock at all.
        dry_run: Whether nothing was changed.
        residue_only: Whether only residue was removed.
        cancelled: Whether the caller stopped it.
        absent: Whether nothing had the path when it began, so that nothing was done.
    """

    path: str
    empty: bool
    files_removed: int
    directories_removed: int
    bytes_freed: int
    permissions_repaired: int
    left: tuple[Left, ...]
    seconds: float
    lock: str = LOCK_NOT_TAKEN
    dry_run: bool = False
    residue_only: bool = False
    cancelled: bool = False
    lock_error: str | None = None
    absent: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether what was asked for holds: the cache is empty; no residue is left; all of it could be read."""
        if self.cancelled:
            return False
        return not self.left if self.dry_run or self.residue_only else self.empty

    def document(self) -> dict[str, object]:
        """The fields as JSON has them."""
        return {
            **path_fields(self.path),
            "empty": self.empty,
            "files_removed": self.files_removed,
            "directories_removed": self.directories_removed,
            "bytes_freed": self.bytes_freed,
            "permissions_repaired": self.permissions_repaired,
            "left": [{**path_fields(left.path), "errno": left.errno, "reason": left.reason} for left in self.left],
            "seconds": self.seconds,
            "lock": self.lock,
            "lock_error": self.lock_error,
            "dry_run": self.dry_run,
            "residue_only": self.residue_only,
        }
