"""The cleaner for programs on asyncio or trio: the same work, in a worker thread of anyio.

Guarantees: the event loop is never blocked; progress is told in the event loop's thread, in order; when the calling
task is cancelled, the thread stops at the next directory (or some hundred entries), puts modes back, gives the lock
up, and only then does the cancellation go on, so that nothing of ours runs behind the caller's back. That holds for
the scopes of anyio and trio, and for `Task.cancel`, `asyncio.timeout`, `asyncio.wait_for` and the end of
`asyncio.run`, from which no scope shields. What a cancelled cleaning did is told to `on_report`.
Each call has a thread of its own, beside those that anyio allows the program: however many wait for a lock, the
program's own work in threads goes on.
Not guaranteed: that one system call which hangs (a dead network file system) can be interrupted.
Cost: importing anyio, at the first call and not with this package.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cache_core.cleaner import clean_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.holders import Holder
    from cache_core.outcome import Progress
    from cache_core.report import CleanReport
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
    follow_root: bool = False,
    timeout: float | None = None,  # noqa: ASYNC109 - how long to wait for the lock; the work is not limited by it
    measure: bool = True,
    progress: Callable[[Progress], None] | None = None,
    on_wait: Callable[[tuple[Holder, ...]], None] | None = None,
    on_report: Callable[[CleanReport], None] | None = None,
    surroundings: Surroundings | None = None,
) -> CleanReport:
    """Empty a cache. Arguments and errors are those of `cleaner.clean_sync`, but for the callbacks.

    `progress` is called in the event loop, at most 20 times a second; `on_wait` in the event loop, once, when others
    hold the lock, with who they are; `on_report` in the event loop with the report, also when the task was cancelled
    meanwhile.
    """
    # Not at the top: `clean` as a command must not pay for an event loop.
    from concurrent.futures import CancelledError  # noqa: PLC0415

    import anyio.from_thread  # noqa: PLC0415
    import anyio.lowlevel  # noqa: PLC0415

    async def in_loop(how_far: Progress) -> None:
        if progress is not None:
            progress(how_far)
        # When that cancelled us, the thread is told before it removes any more.
        for _ in range(_TURNS):
            await anyio.lowlevel.cancel_shielded_checkpoint()

    stop = threading.Event()

    def tell(how_far: Progress) -> None:
        try:
            anyio.from_thread.run(in_loop, how_far)
        except CancelledError:
            # asyncio.run ends and cancels every task, that of the callback too: an end like any other.
            stop.set()

    work = partial(
        clean_sync,
        path,
        force=force,
        untagged=untagged,
        dry_run=dry_run,
        remove_root=remove_root,
        residue_only=residue_only,
        follow_root=follow_root,
        timeout=timeout,
        measure=measure,
        progress=None if progress is None else _seldom(tell),
        cancelled=stop.is_set,
        on_wait=None if on_wait is None else partial(_in_loop, on_wait),
        surroundings=surroundings,
    )
    return await _Thread(work, stop, on_report).result()


class _Thread:
    """The work in a thread, and the task that waits for it; made in the event loop, for one call of `result`."""

    def __init__(
        self,
        work: Callable[[], CleanReport],
        stop: threading.Event,
        on_report: Callable[[CleanReport], None] | None,
    ) -> None:
        import anyio  # noqa: PLC0415 - as in `clean`

        self._work = work
        self._stop = stop
        self._on_report = on_report
        self._ended = anyio.Event()
        # Not anyio's own: whoever holds the lock that we wait for may need a thread of those to give it up.
        self._limiter = anyio.CapacityLimiter(1)
        # Whoever takes it first, the thread or a task cancelled before the thread began, decides whether there is work.
        self._claim = threading.Lock()
        self._report: CleanReport | None = None
        self._failure: Exception | None = None
        self._cancellation: BaseException | None = None

    async def result(self) -> CleanReport:
        """Set `stop` when the task is cancelled, and return only when the thread has ended."""
        import anyio.lowlevel  # noqa: PLC0415

        async with anyio.create_task_group() as group:
            group.start_soon(self._pass_cancellation_on)
            # The thread is told by the task above, so waiting for its end is short; the shield keeps us until then.
            with anyio.CancelScope(shield=True):
                await self._run_and_wait()
            self._tell_report()
            group.cancel_scope.cancel()
        if self._cancellation is not None:
            raise self._cancellation
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self._failure is not None:
            raise self._failure
        assert self._report is not None, "the thread either returned or raised"  # noqa: S101
        return self._report

    async def _run_and_wait(self) -> None:
        import anyio.to_thread  # noqa: PLC0415

        cancelled_class = anyio.get_cancelled_exc_class()
        try:
            await anyio.to_thread.run_sync(self._run, limiter=self._limiter)
        except cancelled_class as error:
            # Past the shield: asyncio's own cancellation, which the other task does not get.
            self._cancellation = error
            self._stop.set()
            if self._claim.acquire(blocking=False):
                return
            while not self._ended.is_set():
                # However often we are cancelled: waiting is short.
                with suppress(cancelled_class):
                    await self._ended.wait()

    def _run(self) -> None:
        """What the thread does."""
        import anyio.from_thread  # noqa: PLC0415

        if not self._claim.acquire(blocking=False):
            return
        try:
            self._report = self._work()
        except Exception as error:  # noqa: BLE001 - raised again in `result`, outside of the group that would wrap it
            self._failure = error
        finally:
            anyio.from_thread.run_sync(self._ended.set)

    async def _pass_cancellation_on(self) -> None:
        import anyio  # noqa: PLC0415

        try:
            await anyio.sleep_forever()
        finally:
            self._stop.set()

    def _tell_report(self) -> None:
        if self._report is None or self._on_report is None:
            return
        try:
            self._on_report(self._report)
        except Exception as error:  # noqa: BLE001 - as in `_run`
            self._failure = error


def _in_loop(on_wait: Callable[[tuple[Holder, ...]], None], holders: tuple[Holder, ...]) -> None:
    import anyio.from_thread  # noqa: PLC0415 - as in `clean`

    anyio.from_thread.run_sync(on_wait, holders)


def _seldom(tell: Callable[[Progress], object]) -> Callable[[Progress], None]:
    last = -_PROGRESS_SECONDS

    def progress(how_far: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_SECONDS:
            last = now
            tell(how_far)

    return progress
