"""PCT, probabilistic concurrency testing: random priorities, and a few places where the highest one is lowered.

Source: Burckhardt, Kothari, Musuvathi, Nagarakatti, "A randomized scheduler with probabilistic guarantees of finding
bugs", ASPLOS 2010. Each of n actors draws a priority, all different and all above d - 1; whoever has the highest one of
those who can move, moves. Of the k steps that a run is expected to make, d - 1 are drawn as change points; at the i-th
drawn, the actor about to move gets the priority i, below all that were drawn, so that others overtake it. A race of
depth d needs d things to come in a certain order, and most races are not deep: one place where a build is overtaken
is depth 2.

Bound: a run shows a race of depth d with a probability of at least 1 / (n * k^(d-1)), whatever the others do, as long
as no run makes more than k steps.

How ours differs. A step is a system call, where theirs is an access to memory or a lock. k is not told: it is the
length of a rehearsal, the same storm with everybody one after another and no random faults, so that a seed is the same
run whatever was run before. Where builds share a tree, runs in which they meet may be twice as long (measured:
issue-3515-loop), and change points never fall into what is beyond. Two change points may fall on one step, as in the
paper; an actor that waits for a lock is not enabled, and keeps its priority.

Guarantees: at most d - 1 times is an actor overtaken that could have gone on and that nobody woke a higher one for.
Cost: nothing between change points; the rehearsal, once for a scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep

# Deep enough for a build that is overtaken twice; 5 and more find more where there are many builds.
DEPTH = 3
# Beyond so many change points a run is a sticky walk, and costs more than one.
DEPTH_MAX = 16


class Pct:
    """Priorities and change points.

    Args:
        depth: d above, at least 1; 1 is priorities alone.
        steps: k above, until `rehearsed` says otherwise.
    """

    def __init__(self, depth: int = DEPTH, steps: int = 0) -> None:
        self.depth = depth
        self.expected_steps = steps
        self._priorities: list[int] = []
        # Step and new priority, the earliest last.
        self._changes: list[tuple[int, int]] = []
        self._steps: Sequence[RawStep] = ()

    def rehearsed(self, steps: int) -> None:
        """As `RehearsedStrategy.rehearsed`."""
        self.expected_steps = steps

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; priorities are drawn before anything else."""
        count = len(actors)
        self._priorities = list(range(self.depth, self.depth + count))
        for place in range(count - 1, 0, -1):
            other = randomness.below(place + 1)
            priorities = self._priorities
            priorities[place], priorities[other] = priorities[other], priorities[place]
        drawn = [(len(steps) + randomness.below(self.expected_steps), value) for value in range(1, self.depth)]
        self._changes = sorted(drawn, reverse=True)
        self._steps = steps
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        del current
        now = len(self._steps)
        while self._changes and self._changes[-1][0] <= now:
            self._priorities[self._highest(enabled).index] = self._changes.pop()[1]
        return self._highest(enabled)

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: those before the next change point."""
        return self._changes[-1][0] - len(self._steps) - 1 if self._changes else FOR_EVER

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _highest(self, enabled: Sequence[Actor]) -> Actor:
        return max(enabled, key=lambda actor: self._priorities[actor.index])
