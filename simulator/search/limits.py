"""How far a search may go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How far.

    Attributes:
        schedules: how many runs at most, at least 1.
        budget_seconds: after which no further one begins; one is made in any case.
    """

    schedules: int
    budget_seconds: float
