"""What a removal knows of a directory while it is in it: values only, `removal` says what they mean.

Cost: memory for the names that wait and for those that stay, nothing for each entry that goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from cache_core.repair import OldMode

NOTHING: frozenset[str] = frozenset()


class Level:
    """One directory between the top and here."""

    __slots__ = (
        "error",
        "limit",
        "list_again",
        "old_mode",
        "refilled",
        "repaired",
        "repairs",
        "skip",
        "survivors",
        "tries",
        "waiting",
    )

    def __init__(self, *, skip: Collection[str] = NOTHING) -> None:
        self.waiting: list[str] = []  # subdirectories to enter
        self.limit = 0  # how many may wait
        self.skip = skip  # names that stay: do not try again
        self.list_again = True
        self.tries = 0  # how often others made us start over
        self.repairs = 0
        self.repaired = False  # it counts among the directories that were given bits
        self.survivors = False  # something in it stays, and is named
        self.error: OSError | None = None  # it could not be listed
        self.old_mode: OldMode | None = None  # until it is put back
        self.refilled: Level | None = None  # of the last name in `waiting`: it was emptied before
