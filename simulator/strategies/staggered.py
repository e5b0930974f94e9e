"""Staggered starts: actors arrive one after another, and then another strategy decides.

Real builds that are started at one moment do not come to the cache at one moment: each starts interpreters and
imports a back end first, thousands of calls that have nothing to do with the cache, and eight of them share a few
cores. Without that, all simulated builds meet in the first call of the same phase, and most of them break there: 85 %
fail where half of the real ones do (docs/decisions/0004-switch-probability.md has the measurements).

So each actor gets a time of arrival, counted in steps of the whole run and drawn uniformly from the first
`gap` * actors steps. Until then it is not chosen, whatever it could do; when nobody who has arrived can move, time
jumps to the next arrival. Bound: none is lost, everybody has arrived after that many steps at the latest.
The wrapped strategy never knows: it is asked about those who are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.randomness import Randomness
    from simulator.engine.trace import RawStep
    from simulator.strategies.base import Strategy

# Steps between two arrivals, on average: with it, and the switch probability that goes with it, as many builds of
# `issue-3515-loop` fail, and as many runs poison, as of the real ones.
START_GAP = 850


class Staggered:
    """`inner`, with arrivals.

    Args:
        inner: decides among those who have arrived.
        gap: mean number of steps between two arrivals, at least 0; 0 lets everybody start at once.
    """

    def __init__(self, inner: Strategy, gap: int = START_GAP) -> None:
        self.inner = inner
        self.gap = gap
        self._arrivals: list[int] = []
        self._last = 0
        self._next: int | None = None
        self._steps: Sequence[RawStep] = ()
        self._begun = 0

    def begin(self, actors: Sequence[Actor], steps: Sequence[RawStep], randomness: Randomness) -> bool:
        """As `Strategy.begin`; the arrivals are drawn before anything else."""
        window = self.gap * len(actors)
        self._arrivals = [int(randomness.draw() * window) for _ in actors] if self.gap else [0] * len(actors)
        self._last = max(self._arrivals, default=0)
        self._steps = steps
        self._begun = len(steps)
        return self.inner.begin(actors, steps, randomness)

    def choose(self, enabled: Sequence[Actor], current: Actor) -> Actor | None:
        """As `Strategy.choose`."""
        now = len(self._steps) - self._begun
        if now >= self._last:
            self._next = None
            return self.inner.choose(enabled, current)
        arrivals = self._arrivals
        here = [actor for actor in enabled if arrivals[actor.index] <= now]
        if not here:
            # Nobody who is here can move: the time until the next one comes is nobody's.
            first = min(arrivals[actor.index] for actor in enabled)
            self._begun -= first - now
            here = [actor for actor in enabled if arrivals[actor.index] <= first]
        now = len(self._steps) - self._begun
        self._next = min((when for when in arrivals if when > now), default=None)
        # At the very start the current actor is the first by name, who may be anywhere.
        return self.inner.choose(here, current if arrivals[current.index] <= now else here[0])

    def quiet_steps(self) -> int:
        """As `ForesightedStrategy.quiet_steps`; an arrival ends the quiet."""
        quiet = getattr(self.inner, "quiet_steps", None)
        steps: int = quiet() if quiet else 0
        if self._next is None:
            return steps
        return min(steps, self._next - (len(self._steps) - self._begun) - 1)

    def end(self) -> None:
        """As `Strategy.end`."""
        self.inner.end()
