"""The asynchronous cleaner under both event loops. Also: what importing the library loads."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading

import anyio
import anyio.to_thread
import pytest

import cache_core
from cache_core import clean
from cache_core.layout import TRASH_PREFIX

pytestmark = pytest.mark.anyio

# Generous: it is there to end a test that waits for ever.
LIMIT_SECONDS = 30


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def fill(root, directories=30):
    for number in range(directories):
        (root / f"d{number}").mkdir()
        (root / f"d{number}" / "file").touch()


async def test_empties(cache):
    fill(cache)
    (cache / "d1").chmod(0o200)
    told = []
    reports = []
    report = await clean(str(cache), progress=told.append, on_report=reports.append)
    assert (report.empty, report.files_removed, report.permissions_repaired) == (True, 30, 1)
    assert told
    assert reports == [report]


async def test_errors_are_those_of_the_synchronous_one(place):
    (place / "data" / "d").mkdir(parents=True)
    with pytest.raises(cache_core.NotACacheError):
        await clean(str(place / "data"))


async def test_cancelled_while_waiting_for_the_lock(cache):
    fill(cache)
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    reports = []
    with anyio.CancelScope() as scope:
        await clean(str(cache), on_wait=lambda _: scope.cancel(), on_report=reports.append)
    os.close(fd)
    assert scope.cancelled_caught
    assert [(report.cancelled, report.files_removed) for report in reports] == [(True, 0)]
    assert len(list(cache.iterdir())) == 32


async def test_whoever_is_waited_for_is_told_in_the_event_loop(cache):
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    told = []

    def on_wait(holders):
        told.append((threading.get_ident(), [holder.pid for holder in holders]))
        os.close(fd)

    assert (await clean(str(cache), on_wait=on_wait)).lock == "exclusive"
    assert told == [(threading.get_ident(), [os.getpid()])]


async def test_however_many_wait_the_program_has_its_threads(cache):
    """Whoever holds the lock may need one to give it up."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    tokens, limiter.total_tokens = limiter.total_tokens, 2
    lock = cache_core.lock_cache(str(cache), shared=True)
    waiting = [anyio.Event() for _ in range(5)]
    reports = []

    async def wait(event):
        reports.append(await clean(str(cache), on_wait=lambda _: event.set()))

    try:
        with anyio.fail_after(LIMIT_SECONDS):
            async with anyio.create_task_group() as group:
                for event in waiting:
                    group.start_soon(wait, event)
                for event in waiting:
                    await event.wait()
                await anyio.to_thread.run_sync(lock.release)
    finally:
        limiter.total_tokens = tokens
    assert [report.lock for report in reports] == ["exclusive"] * 5


async def test_cancelled_while_removing_says_what_it_did(cache, monkeypatch):
    """The worker thread has stopped, and given the lock up, before the cancellation goes on."""
    monkeypatch.setattr("cache_core.asynchronous._PROGRESS_SECONDS", 0)
    fill(cache)
    reports = []
    with anyio.CancelScope() as scope:

        def progress(how_far):
            if how_far.directories_removed == 5:
                scope.cancel()

        await clean(str(cache), progress=progress, on_report=reports.append)
    assert scope.cancelled_caught
    (report,) = reports
    assert report.cancelled
    assert (report.directories_removed, len(os.listdir(cache / TRASH_PREFIX))) == (5, 25)
    assert [left.path for left in report.left] == [TRASH_PREFIX]
    fd = os.open(cache / ".lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


async def test_cancelled_before_it_starts(cache):
    fill(cache)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clean(str(cache))
    assert scope.cancelled_caught


async def test_a_callback_that_fails_fails_the_call(cache):
    fill(cache)

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await clean(str(cache), progress=fail)


def test_importing_loads_no_event_loop():
    code = (
        "import sys, cache_core, cache_core.privileges;"
        "print([name for name in ('anyio', 'trio', 'asyncio', 'rich', 'click', 'pydantic', 'argparse', 'shutil')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_a_link_is_followed_when_told_to(cache):
    fill(cache)
    link = cache.parent / "link"
    link.symlink_to(cache)
    with pytest.raises(cache_core.NotADirectoryRootError):
        await clean(str(link))
    assert (await clean(str(link), follow_root=True)).empty
    assert link.is_symlink()
