"""The crew of a simulated cleaner: workers that are actors, with the division of work that ships.

What `cache_core.crew.Forked` does with processes is done with actors here: units are divided and taken by the same
code, a worker has copies of the cleaner's descriptors and its lock, stops when the cleaner is gone, and the cleaner
waits for all of them. So one schedule interleaves two removals call by call.

Guarantees: a worker that is not needed makes no step. Not modelled: that fork(2) fails, the time that it takes, and a
process in the place of a worker that was killed, for the next job.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from cache_core.crew import remove_unit, work_off
from cache_core.outcome import Removal, nothing_but
from cache_core.pinned import Opener
from cache_core.units import UNITS_WANTED, divide
from cache_core.values import replace
from simulator.actors.cleaners import CLEANERS
from simulator.engine.actor import Actor
from simulator.hosts.base import Party

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cache_core.kernel import Kernel
    from cache_core.outcome import Options
    from cache_core.units import Unit
    from simulator.actors.cleaners import Cleaned
    from simulator.engine.faults import ActorFaults
    from simulator.engine.kernel import GatedKernel


class ActorCrew:
    """The crew of one cleaner, for one cleaning.

    Args:
        cleaner: The actor that it helps.
        wanted: How many units are enough; fewer make the crew useful on smaller caches.
    """

    def __init__(self, cleaner: Actor, wanted: int = UNITS_WANTED) -> None:
        self._cleaner = cleaner
        self._wanted = wanted
        self._event = f"work of {cleaner.name}"
        self._helpers: list[GatedKernel] = []
        self._jobs: dict[GatedKernel, Callable[[], None]] = {}
        self._units: deque[Unit] = deque()
        self._done: dict[int, tuple[int, ...]] = {}
        self._stopped = False
        self._over = False

    def helper(self, kernel: GatedKernel) -> None:
        """What one more worker does; the function of a party."""
        self._helpers.append(kernel)
        try:
            while not self._over or kernel in self._jobs:
                job = self._jobs.get(kernel)
                if job is None:
                    kernel.await_event(self._event)
                    continue
                try:
                    job()
                    # A process for each job: what it was given goes with it.
                    kernel.give_up("exit")
                finally:
                    # Whatever its end was, nobody waits for it any more.
                    del self._jobs[kernel]
                    kernel.tell(self._event)
        finally:
            # One that was killed does no further job; the shipped crew would start another process for that.
            self._helpers.remove(kernel)

    def close(self, kernel: GatedKernel) -> None:
        """The cleaner has ended, of whatever kind: nobody waits for work any more."""
        self._over = True
        kernel.tell(self._event)

    def help(self, root_fd: int, keep: Collection[str], *, kernel: Kernel, options: Options) -> Removal:
        """As `cache_core.crew.Crew.help`."""
        ours: GatedKernel = kernel  # type: ignore[assignment]  # whoever simulates has no other
        units = divide(
            Opener(kernel, root_fd), root_fd, keep, kernel=kernel, workers=1 + len(self._helpers), wanted=self._wanted
        )
        if not units:
            return nothing_but()
        self._units.extend(units)
        self._done = {0: (0, 0, 0, 0)}
        for number, helper in enumerate(self._helpers, 1):
            fd = ours.fork(helper)[root_fd]
            self._jobs[helper] = partial(self._work, helper, fd, keep, options, number)
        ours.tell(self._event)
        self._work(ours, root_fd, keep, options, 0)
        while self._jobs:
            ours.await_event(self._event)
        files, directories, freed, repaired = map(sum, zip(*self._done.values(), strict=True))
        return Removal(files, directories, freed, repaired, (), self._stopped)

    def _work(self, kernel: Kernel, root_fd: int, keep: Collection[str], options: Options, who: int) -> None:
        opener = Opener(kernel, root_fd)

        def take() -> Unit | None:
            return self._units.popleft() if self._units else None

        def remove(unit: Unit, how: Options) -> Removal:
            return remove_unit(unit, root_fd, keep, opener, kernel=kernel, options=how)

        def note(*numbers: int) -> None:
            self._done[who] = numbers

        def stop() -> bool:
            if options.cancelled is not None and not self._stopped:
                self._stopped = options.cancelled()
            return self._stopped or self._cleaner.dead

        work_off(take, remove, replace(options, mark=f"{who}-"), note, stop)


class Cleaning:
    """A cleaner at work in a run: what its actor does, and what those do that help it.

    Args:
        cleaner: Its actor.
        name: One of `CLEANERS`.
        cache: Absolute path.
        wanted: As `ActorCrew`.
    """

    def __init__(self, cleaner: Actor, name: str, cache: str, wanted: int = UNITS_WANTED) -> None:
        self._actor = cleaner
        self._cleaner = CLEANERS[name]
        self._cache = cache
        self._crew = ActorCrew(cleaner, wanted)
        cleaner.phase = name

    def clean(self, kernel: GatedKernel) -> Cleaned:
        """The function of the cleaner's party."""
        try:
            return self._cleaner.run(kernel, self._cache, self._actor.name, self._crew)
        finally:
            self._crew.close(kernel)

    def helpers(self, index: int, first: int, faults: Mapping[str, ActorFaults]) -> list[Party]:
        """The parties that help: `worker-1` and so on, numbered from `first`; their actors' places from `index`."""
        parties = []
        for number in range(self._cleaner.workers - 1):
            name = f"worker-{first + number}"
            actor = Actor(name, index + number, faults.get(name), phase=self._actor.phase)
            # Whatever comes out of one is a bug of ours: what it cannot remove it leaves.
            parties.append(Party(actor, self._crew.helper, ()))
        return parties
