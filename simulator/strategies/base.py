"""What a strategy is: three methods, and a fourth for those that know their next choices.

`begin` opens a run and may say that there is nothing left to try. `choose` picks who moves, with everything a sampler
or a reduction can want in reach: each actor's pending call, and the steps made so far. `end` closes the run (DPOR finds
its races there).

A strategy that must look at every step (exhaustive search) has no `quiet_steps`. One that has drawn how long the
current actor goes on says so there, and is not asked again until then: most steps of a sticky walk cost no choice at
all. Positions are counted in `steps`, never in calls of `choose`: an actor that stands still makes no step when it is
chosen, and one that ends may leave a step behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep


# As many quiet steps as there are.
FOR_EVER = 1 << 62


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

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """Who makes the next step.

        Args:
            enabled: who may move, ordered by index, never empty; `pending` of each is its next call.
            current: who made the last step; it may be done or blocked by now.

        Returns:
            One of `enabled`; or one that stands still by a fault, for which that is over then. None ends the run: what
            would follow is known.
        """

    def end(self) -> None:
        """The run is over; its steps are complete."""


class ForesightedStrategy(Strategy, Protocol):
    """A strategy that knows some of its choices beforehand."""

    def quiet_steps(self) -> int:
        """How often, after the choice just made, the same actor would be chosen again.

        That is: as long as it can move, and nobody becomes able to move who was not. It will not be asked before.
        """


class OverruledStrategy(Strategy, Protocol):
    """A strategy that has to know when a run has come to its bound."""

    def overrule(self) -> None:
        """From now on everybody moves in turn, and nobody asks it."""


class RehearsedStrategy(Strategy, Protocol):
    """A strategy that has to know beforehand how long a run is, roughly."""

    def rehearsed(self, steps: int) -> None:
        """So many steps the same storm makes, with everybody one after another; told before the first `begin`."""
