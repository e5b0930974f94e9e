"""Synchronous actors behind a gate that may have to wait: each runs in a greenlet.

The actor's code is plain Python (`shutil.rmtree`, `cache_core.removal`); where it must wait, the greenlet hands
over to the host, which resumes it when it is its turn. SQLAlchemy bridges sync and async code in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import greenlet

from simulator.errors import ActorKilled

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine.actor import Actor


def hand_over(chosen: Actor | None) -> None:
    """Called inside the actor's greenlet: let the host wake `chosen`, come back when it is our turn."""
    greenlet.getcurrent().parent.switch(chosen)


class BridgedActor:
    """A synchronous function that can be resumed.

    Args:
        function: runs to its end, with any number of `hand_over` calls inside.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._greenlet = greenlet.greenlet(function)

    @property
    def finished(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._greenlet.dead)

    def resume(self) -> Actor | None:
        """Run until the next hand-over; returns who is to move. Exceptions of the function come out here."""
        chosen: Actor | None = self._greenlet.switch()
        return chosen

    def unwind(self) -> None:
        """End it where it stands. The caller has marked the actor dead, so its clean-up has no effect."""
        if self._greenlet and not self._greenlet.dead:
            try:
                self._greenlet.throw(ActorKilled)
            except ActorKilled:
                return
