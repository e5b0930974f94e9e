"""A file that one process at a time holds, waited for without blocking.

Guarantee: held from entering the block to leaving it, and on by whoever got the descriptor, until the last copy of it
is closed; a holder that dies lets go. Costs: a look every 50 ms while somebody else holds it. Source: flock(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

# How long somebody who waits does not notice that it is free.
_POLL_SECONDS = 0.05


@contextlib.asynccontextmanager
async def held(path: str, what: str, tell: Callable[[str], None]) -> AsyncIterator[int]:
    """Hold it; gives its descriptor.

    Args:
        path: made if missing, its directory too; it stays afterwards.
        what: what the holder makes, for whoever waits.
        tell: gets a line if there is a wait.

    Raises:
        OSError: it cannot be made or opened.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _take(fd):
            tell(f"waiting for another process, which makes {what}")
            # Without a bound: who holds it is at work, or dead and then it is free.
            while not _take(fd):  # noqa: ASYNC110 - no event: it is another process's
                await trio.sleep(_POLL_SECONDS)
        yield fd
    finally:
        os.close(fd)


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
