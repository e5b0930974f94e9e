"""What a strategy is: three methods.

`begin` opens a run and may say that there is nothing left to try (exhaustive search, DPOR). `choose` picks who
moves, with everything a sampler or a reduction can want in reach: each actor's pending call, and the steps made
so far. `end` closes the run (DPOR finds its races there, a portfolio learns).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep


class Strategy(Protocol):
    """Picks the next actor. One object serves many runs, one after another."""

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """A run begins.

        Args:
            actors: all parties; the list never changes during the run.
            steps: grows as the run goes on.
            randomness: the run's own draws.

        Returns:
            False when the strategy has no further run to make.
        """

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """Who makes the next step.

        Args:
            enabled: who may move, ordered by index, never empty; `pending` of each is its next call.
            current: who made the last step; it may be done or blocked by now.
        """

    def end(self) -> None:
        """The run is over; its steps are complete."""
