"""What a removal knows of a directory while it is in it: values only, `removal` says what they mean.

Cost: memory for the names that wait and for those that stay, nothing for each entry that goes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cache_core.repair import OldMode

# A writer that never stops is given up when so many times the names that were there first have come. Others that fill
# a directory again are given `RESCANS_MAX` tries; this is as many, for a writer that does not let a listing end.
NAMES_MAX_TIMES = 16

NOTHING: frozenset[str] = frozenset()


class Level:
    """One directory between the top and here."""

    # What most directories never need is the class's until it is set: there is one of these for each directory.
    limit = 0  # how many may wait
    list_again = True
    first: int | None = None  # names met by the first listing, or so many as may wait
    seen = 0  # names met by all listings
    tries = 0  # how often others made us start over
    repairs = 0
    found_complete = 0  # how often a refusal was nobody's any more
    repaired = False  # it counts among the directories that were given bits
    survivors = False  # something in it stays, and is named
    error: OSError | None = None  # it could not be listed
    old_mode: OldMode | None = None  # until it is put back
    refilled: Level | None = None  # of the last name in `waiting`: it was emptied before

    def __init__(self, skip: Collection[str] = NOTHING) -> None:
        self.waiting: list[str] = []  # subdirectories to enter
        self.skip = skip  # names that stay: do not try again

    @property
    def endless(self) -> bool:
        """Whether names come faster than they go."""
        return self.first is not None and self.seen > NAMES_MAX_TIMES * self.first

    def go_on_from(self, before: Level) -> None:
        """Remember what counts for the directory, however often it is entered."""
        self.tries, self.repaired = before.tries, before.repaired
        self.first, self.seen = before.first, before.seen
