"""Work on real processes that a signal ends: asked often, and cancelled.

Guarantee: within a moment of the signal the work is cancelled; when `ended_by` raises, it has cleaned up after itself.
Cost: a look every 50 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulator.cli.signals import Interruption

T = TypeVar("T")

# How long somebody who pressed Ctrl-C waits at most.
_LOOK_SECONDS = 0.05


async def ended_by(interruption: Interruption, work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, unless a signal comes.

    Raises:
        InterruptedRunError: one came.
    """
    interruption.check()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, interruption, scope)
            result = await work()
            nursery.cancel_scope.cancel()
        return result
    raise interruption.error()


async def _cancel_when(interruption: Interruption, scope: trio.CancelScope) -> None:
    while not interruption():  # noqa: ASYNC110 - a signal handler only notes
        await trio.sleep(_LOOK_SECONDS)
    scope.cancel()
