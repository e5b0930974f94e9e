"""The cleaner for programs on asyncio or trio: the same work, in a worker thread of anyio.

Guarantees: the event loop is never blocked; progress is told in the event loop's thread, in order; when the calling
task is cancelled, the thread stops at the next directory (or some hundred entries), puts modes back, gives the lock
up, and only then does the cancellation go on, so that nothing of ours runs behind the caller's back. What a
cancelled cleaning did is told to `on_report`.
Not guaranteed: that one system call which hangs (a dead network file system) can be interrupted.
Cost: importing anyio, at the first call and not with this package.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from cache_core.cleaner import clean_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.cleaner import CleanReport
    from cache_core.outcome import Progress
    from cache_core.surroundings import Surroundings

# Callbacks run in the event loop: a removal of 100,000 files a second must not keep it busy.
_PROGRESS_SECONDS = 0.05
# asyncio needs two turns of the loop to wake a cancelled task, trio one.
_TURNS = 2


async def clean(
    path: str,
    *,
    force: bool = False,
    untagged: bool = False,
    dry_run: bool = False,
    remove_root: bool = False,
    residue_only: bool = False,
    timeout: float | None = None,  # noqa: ASYNC109 - how long to wait for the lock; the work is not limited by it
    measure: bool = True,
    progress: Callable[[Progress], None] | None = None,
    on_wait: Callable[[], None] | None = None,
    on_report: Callable[[CleanReport], None] | None = None,
    surroundings: Surroundings | None = None,
) -> CleanReport:
    """Empty a cache. Arguments and errors are those of `cleaner.clean_sync`, but for the callbacks.

    `progress` is called in the event loop, at most 20 times a second; `on_wait` in the event loop, once, when others
    hold the lock; `on_report` in the event loop with the report, also when the task was cancelled meanwhile.
    """
    # Not at the top: `clean` as a command must not pay for an event loop.
    import anyio.from_thread  # noqa: PLC0415
    import anyio.lowlevel  # noqa: PLC0415

    async def in_loop(how_far: Progress) -> None:
        if progress is not None:
            progress(how_far)
        # When that cancelled us, the thread is told before it removes any more.
        for _ in range(_TURNS):
            await anyio.lowlevel.cancel_shielded_checkpoint()

    def tell(how_far: Progress) -> None:
        anyio.from_thread.run(in_loop, how_far)

    stop = threading.Event()
    work = partial(
        clean_sync,
        path,
        force=force,
        untagged=untagged,
        dry_run=dry_run,
        remove_root=remove_root,
        residue_only=residue_only,
        timeout=timeout,
        measure=measure,
        progress=None if progress is None else _seldom(tell),
        cancelled=stop.is_set,
        on_wait=None if on_wait is None else partial(anyio.from_thread.run_sync, on_wait),
        surroundings=surroundings,
    )
    return await _in_thread(work, stop, on_report)


async def _in_thread(
    work: Callable[[], CleanReport], stop: threading.Event, on_report: Callable[[CleanReport], None] | None
) -> CleanReport:
    """Run `work` in a thread, set `stop` when the task is cancelled, and return only when the thread has ended."""
    import anyio  # noqa: PLC0415 - as in `clean`
    import anyio.lowlevel  # noqa: PLC0415
    import anyio.to_thread  # noqa: PLC0415

    async def pass_cancellation_on() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stop.set()

    report: CleanReport | None = None
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(pass_cancellation_on)
        # The thread is told by the task above, so waiting for its end is short; the shield keeps us until then.
        with anyio.CancelScope(shield=True):
            try:
                report = await anyio.to_thread.run_sync(work)
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group that would wrap it
                failure = error
        if report is not None and on_report is not None:
            on_report(report)
        group.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint_if_cancelled()
    if failure is not None:
        raise failure
    assert report is not None, "the thread either returned or raised"  # noqa: S101
    return report


def _seldom(tell: Callable[[Progress], object]) -> Callable[[Progress], None]:
    last = -_PROGRESS_SECONDS

    def progress(how_far: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            tell(how_far)

    return progress
