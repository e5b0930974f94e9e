"""POS, partial order sampling: a random priority for each pending call, and new ones for those that just lost a race.

Source: Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV 2018
(https://doi.org/10.1007/978-3-319-96142-2_20). Each actor's pending call has a priority, drawn uniformly; the highest
of those who can move moves, and its next call gets a new one. So far that is the paper's BasicPOS: the order of any two
calls that were pending together is a fair toss, but an actor with several dependent calls to make before a low one of
another rarely loses all of those tosses. POS therefore draws anew, after each step, for every pending call that races
with it. What does not race keeps its priority: how independent steps are ordered costs no luck, so of the runs that
differ in more than that, rare ones come more often than under a random walk.

Bound: whoever can move can have the highest priority, so no partial order of a run's steps is left out. The paper
proves a least probability for each, which is larger than that under a random walk by a factor that grows exponentially
with the number of steps; like that one it is far too small to count on (n actors, k steps: some n to the power -k).

How ours differs. A call is a system call, and two race when the footprint of the one that was made conflicts with what
the other may touch (`simulator.exploration`); the paper compares addresses. What may be touched is the widest, so a
few priorities are drawn anew that need not be. An actor that waits for a lock has a pending call, too, and whoever
gives the lock up races with it. What was in the sandbox before the run is not looked at, so two paths through a
symbolic link that was there count as two places.

Guarantees: while nobody's call races, the order of who moves is that of the priorities drawn.
Cost: it is asked at each step while there is a choice, each step is followed by the shadow, and what each new call may
touch is worked out: 20 us a step with two actors, 35 with eight, beside some 15 of the step itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.engine.actor import DONE
from simulator.exploration.footprints import Follower
from simulator.exploration.keys import conflict
from simulator.exploration.pending import Foresight
from simulator.strategies.base import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.actor import Actor, Call
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.exploration.keys import Footprint


class Pos:
    """Priorities of pending calls."""

    def __init__(self) -> None:
        self._draw: Callable[[], float]
        self._actors: Sequence[Actor] = ()
        self._steps: Sequence[RawStep] = ()
        self._seen = 0
        self._follower: Follower
        self._foresight: Foresight
        self._priorities: list[float] = []
        # The call that each actor waits with, and what that may touch; None when it must be asked anew.
        self._calls: list[tuple[Call | None, Footprint] | None] = []
        self._alone = False

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; there is always another run."""
        self._draw = randomness.draw
        self._actors = actors
        self._steps = steps
        self._seen = 0
        self._follower = Follower()
        self._foresight = Foresight(self._follower)
        self._priorities = [self._draw() for _ in actors]
        self._calls = [None] * len(actors)
        self._alone = False
        return True

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor:
        """As `Strategy.choose`."""
        del current
        while self._seen < len(self._steps):
            self._take_in(self._steps[self._seen])
            self._seen += 1
        self._alone = len(enabled) == 1
        if self._alone:
            # Nobody else can race with what it makes now, and whoever waits for it is asked about then.
            return enabled[0]
        for actor in self._actors:
            if actor.status != DONE:
                self._foresee(actor)
        priorities = self._priorities
        return max(enabled, key=lambda actor: priorities[actor.index])

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`: none, while anybody else could move, as pending calls must be known."""
        return FOR_EVER if self._alone else 0

    def end(self) -> None:
        """As `Strategy.end`; nothing is learned."""

    def _take_in(self, step: RawStep) -> None:
        """A step was made: its actor has a new call, and so, as it were, has whoever raced with it."""
        touched = self._follower.follow(step)
        for actor in self._actors:
            known = self._calls[actor.index]
            if actor.name == step[0] or (known is not None and conflict(touched, known[1])):
                self._priorities[actor.index] = self._draw()
                self._calls[actor.index] = None

    def _foresee(self, actor: Actor) -> None:
        """Know what a call may touch before anybody moves; it stays true until something conflicts with it."""
        known = self._calls[actor.index]
        if known is None or known[0] is not actor.pending:
            self._calls[actor.index] = (actor.pending, self._foresight.of(actor))
