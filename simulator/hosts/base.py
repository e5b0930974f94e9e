"""What a host runs: parties. A party is an actor together with the function that it is.

A party keeps its failures, so that a host only ever sees bugs of ours.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from simulator.errors import ActorKilled

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.actor import Actor
    from simulator.engine.kernel import AsyncGatedKernel, GatedKernel


class Party:
    """An actor and what it does.

    Args:
        actor: as the gate knows it.
        function: takes a kernel; plain or async.
        failures: exceptions that are an outcome of the actor; anything else is a bug of ours and ends the run.

    Attributes:
        result: what the function returned.
        error: the failure it ended with.
        ended: whether it came to an end of its own: neither killed nor unwound where it stood.
    """

    __slots__ = ("_failures", "actor", "ended", "error", "function", "is_async", "result")

    def __init__(
        self, actor: Actor, function: Callable[[Any], Any], failures: tuple[type[Exception], ...] = (Exception,)
    ) -> None:
        self.actor = actor
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.result: Any = None
        self.error: Exception | None = None
        self.ended = False
        self._failures = failures

    def run_sync(self, kernel: GatedKernel) -> None:
        """The body of a plain actor."""
        try:
            self.result = self.function(kernel)
            self.ended = not self.actor.dead
        except self._failures as error:
            self._failed(error)
        except ActorKilled:
            # Its end is on the record already.
            return

    async def run_async(self, kernel: AsyncGatedKernel) -> None:
        """The body of a coroutine actor."""
        try:
            self.result = await self.function(kernel)
            self.ended = not self.actor.dead
        except self._failures as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        # What the clean-up of a dead actor raises is nobody's failure.
        if not self.actor.dead:
            self.error = error
            self.ended = True
