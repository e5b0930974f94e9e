"""However the task that cleans is cancelled: it ends after the thread, with the lock free and the report told."""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading

import anyio
import pytest
import trio

from cache_core import clean, clean_sync
from cache_core.layout import TRASH_PREFIX


@pytest.fixture
def working(monkeypatch):
    """How many threads clean at the moment; progress is told each time."""
    count = [0]

    def counting(*arguments, **options):
        count[0] += 1
        try:
            return clean_sync(*arguments, **options)
        finally:
            count[0] -= 1

    monkeypatch.setattr("cache_core.asynchronous.clean_sync", counting)
    monkeypatch.setattr("cache_core.asynchronous._PROGRESS_SECONDS", 0)
    return count


def fill(root, directories=30):
    for number in range(directories):
        (root / f"d{number}").mkdir()
        (root / f"d{number}" / "file").touch()


def hold(cache):
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def assert_free(cache):
    fd = os.open(cache / ".lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_a_task_of_asyncio_cancelled_while_it_removes(cache, working):
    fill(cache)
    reports = []

    async def main():
        def progress(how_far):
            if how_far.directories_removed == 5:
                task.cancel("by the test")
                task.cancel("again")

        task = asyncio.create_task(clean(str(cache), progress=progress, on_report=reports.append))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert working == [0]
        assert_free(cache)

    asyncio.run(main())
    (report,) = reports
    assert (report.cancelled, report.directories_removed) == (True, 5)
    assert len(os.listdir(cache / TRASH_PREFIX)) == 25


def test_a_task_of_asyncio_cancelled_again_while_it_waits_for_the_thread(cache, working, monkeypatch):
    fill(cache)
    reports = []
    ready, go_on = threading.Event(), threading.Event()

    class Held:
        def __call__(self, *arguments, **options):
            ready.set()
            go_on.wait(10)
            return clean_sync(*arguments, **options)

    monkeypatch.setattr("cache_core.asynchronous.clean_sync", Held())

    async def main():
        task = asyncio.create_task(clean(str(cache), on_report=reports.append))
        await asyncio.to_thread(ready.wait, 10)
        for _ in range(5):
            task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_free(cache)

    asyncio.run(main())
    assert [(report.cancelled, report.directories_removed) for report in reports] == [(True, 0)]


async def by_timeout(work):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await work


async def by_wait_for(work):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, 0.02)


async def by_scope(work):
    with anyio.move_on_after(0.02) as scope:
        await work
    assert scope.cancelled_caught


async def by_trio(work):
    with trio.move_on_after(0.02) as scope:
        await work
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("end", "backend"),
    [(by_timeout, "asyncio"), (by_wait_for, "asyncio"), (by_scope, "asyncio"), (by_scope, "trio"), (by_trio, "trio")],
)
def test_a_time_limit_while_others_hold_the_lock(cache, working, end, backend):
    fill(cache, 3)
    fd = hold(cache)
    reports = []

    async def main():
        await end(clean(str(cache), on_report=reports.append))
        assert working == [0]
        os.close(fd)
        assert_free(cache)
        # Nothing of the cancellation is left in the task.
        await anyio.lowlevel.checkpoint()

    anyio.run(main, backend=backend)
    assert [(report.cancelled, report.files_removed) for report in reports] == [(True, 0)]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_scope_cancelled_while_it_removes(cache, working, backend):
    fill(cache)
    reports = []

    async def main():
        with anyio.CancelScope() as scope:

            def progress(how_far):
                if how_far.directories_removed == 5:
                    scope.cancel()

            await clean(str(cache), progress=progress, on_report=reports.append)
        assert scope.cancelled_caught
        assert working == [0]
        assert_free(cache)

    anyio.run(main, backend=backend)
    assert [(report.cancelled, report.directories_removed) for report in reports] == [(True, 5)]


def test_asyncio_run_ends_while_a_task_cleans(cache, working):
    fill(cache)
    reports = []

    async def main():
        begun = asyncio.Event()
        main.task = asyncio.create_task(clean(str(cache), progress=lambda _: begun.set(), on_report=reports.append))
        await begun.wait()

    asyncio.run(main())
    assert main.task.cancelled()
    assert working == [0]
    assert_free(cache)
    assert [report.cancelled for report in reports] == [True]


def test_cancelled_before_the_thread_begins(cache, working, monkeypatch):
    """asyncio cancels while the thread is waited for: the thread, when its turn comes, does nothing."""
    fill(cache)
    begin = threading.Event()
    real = anyio.to_thread.run_sync

    async def late(function, **options):
        def wait_and_call():
            begin.wait(10)
            function()

        await real(wait_and_call, **options)

    monkeypatch.setattr("anyio.to_thread.run_sync", late)

    async def main():
        task = asyncio.create_task(clean(str(cache)))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        begin.set()

    asyncio.run(main())
    assert working == [0]
    assert len(os.listdir(cache)) == 31


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_report_callback_that_fails_fails_the_call(cache, backend):
    def fail(_):
        raise ZeroDivisionError

    async def main():
        with pytest.raises(ZeroDivisionError):
            await clean(str(cache), on_report=fail)

    anyio.run(main, backend=backend)
