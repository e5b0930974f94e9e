"""What comes of one cleaner on one state: values only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

CLEAN = "clean"
REPORTED = "reported"
FAILED = "failed"
LIED = "lied"
HARMED = "harmed"
TIMEOUT = "timeout"
SKIPPED = "skipped"

# From good to bad; for each what it means.
VERDICTS = {
    CLEAN: "exit 0, and the cache is empty or gone",
    REPORTED: "what cannot go is there, and nothing else; it is named, and the exit code is not 0",
    SKIPPED: "this machine cannot make the state",
    FAILED: "something is left that could go, or is not named, or a success is called a failure",
    LIED: "exit 0, and the cache is not empty",
    TIMEOUT: "it did not end in time",
    HARMED: "something outside of the cache is not what it was",
}
GOOD = frozenset({CLEAN, REPORTED, SKIPPED})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cleaner on one state.

    Attributes:
        state: its name.
        cleaner: as it was given.
        verdict: one of `VERDICTS`.
        error: what was wrong, one line; of a skipped one, why. None when all is well.
        seconds: how long the cleaner took.
        harm: what changed outside, one line each.
        kept: where the state was left for a look, if it was.
    """

    state: str
    cleaner: str
    verdict: str
    error: str | None = None
    seconds: float = 0.0
    harm: tuple[str, ...] = ()
    kept: str | None = None

    @property
    def good(self) -> bool:
        """Whether nobody has to do anything about it."""
        return self.verdict in GOOD

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "state": self.state,
            "cleaner": self.cleaner,
            "verdict": self.verdict,
            "error": None if self.error is None else shown(self.error),
            "seconds": round(self.seconds, 3),
            "harm": [shown(line) for line in self.harm],
        }


def count(cells: Iterable[Cell]) -> dict[str, Counter[str]]:
    """How often each cleaner had which verdict, by cleaner."""
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        counts.setdefault(cell.cleaner, Counter())[cell.verdict] += 1
    return counts
