"""States that change while they are cleaned: somebody of the same user is at work in the cache.

Each comes to an end by itself where a cleaner that is right can make it: nothing here writes for ever to a path that is
gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

from scenarios.states.entries import Directories, Files
from scenarios.states.place import TWINS
from scenarios.states.state import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios.states.place import Place
    from scenarios.states.recipe import Recipe

GROUP = Group("live")

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)

# Between two files of a writer: faster than any build, slow enough to lose against a cleaner that tries again.
_WRITE_SECONDS = 0.0002
# How often a build begins again with what was removed under it.
_REFILLS = 40
_REFILLED = 5_000
_CLEANER_SECONDS_MAX = 10.0
_ENTRIES = 40
# A program that every system has, and that does nothing for as long as it is told to.
_PROGRAM = "/bin/sleep"


def _write(place: Place, ready: Callable[[], None]) -> None:
    """A process that writes one file after the other into http-v2/entry, until that is gone."""
    path = f"{place.cache}/http-v2/entry"
    number = 0
    ready()
    with contextlib.suppress(FileNotFoundError):
        while True:
            with open(f"{path}/written-{number}", "w", encoding="ascii"):
                number += 1
            time.sleep(_WRITE_SECONDS)


@GROUP.state(classes=(30,), met=("rust-lang/rust#139958", "jdx/mise#10993"), company=_write)
def writer(make: Recipe) -> None:
    """A build that holds no lock writes one file after the other into a directory, as long as that has its path.

    rmdir fails with ENOTEMPTY as long as it is faster than the cleaner.
    """
    make.fill(Files("http-v2/entry", 2_000))


def _write_by_descriptor(place: Place, ready: Callable[[], None]) -> None:
    """A process that does the same through a descriptor of the directory, wherever that is moved to."""
    fd = os.open(f"{place.cache}/http-v2/entry", os.O_RDONLY | os.O_DIRECTORY)
    number = 0
    ready()
    with contextlib.suppress(FileNotFoundError):
        while True:
            os.close(os.open(f"written-{number}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
            number += 1
            time.sleep(_WRITE_SECONDS)


@GROUP.state(classes=(30,), met=("rust-lang/rust#139958",), company=_write_by_descriptor)
def writer_by_descriptor(make: Recipe) -> None:
    """A writer that holds the directory open, so that it writes on wherever that is moved to, until it is removed."""
    make.fill(Files("http-v2/entry", 2_000))


def _refill(place: Place, ready: Callable[[], None]) -> None:
    """A process that makes directories and files in http-v2/entry, 40 times, from when the first of its files goes."""
    path = f"{place.cache}/http-v2/entry"
    deadline = time.monotonic() + _CLEANER_SECONDS_MAX
    ready()
    # In whatever order files go: the first or the last one made is among the first to go.
    while os.path.exists(f"{path}/0") and os.path.exists(f"{path}/{_REFILLED - 1}") and time.monotonic() < deadline:
        time.sleep(_WRITE_SECONDS)
    for number in range(_REFILLS):
        # A step of it was removed under it: it begins again, as a retried build does.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.makedirs(f"{path}/build-{number}", exist_ok=True)
            with open(f"{path}/build-{number}/file", "w", encoding="ascii"):
                time.sleep(_WRITE_SECONDS)


@GROUP.state(classes=(30,), met=("astral-sh/uv#15104",), company=_refill)
def refilled(make: Recipe) -> None:
    """A build without a lock makes its directories again, 40 times, from when the first of its files goes.

    It ends by itself; whoever reads the cache again at the end finds what it made behind the cleaner's back.
    """
    make.fill(Files("http-v2/entry", _REFILLED))


@GROUP.state(classes=(31,), met=("mozilla/sccache#407", "pnpm/pnpm#8586"), copies=2)
def two_cleaners(make: Recipe) -> None:
    """The same cleaner is started twice at once: what the other one has removed is gone, which is no error."""
    make.fill(Directories("http-v2/entry", 1_500, 0o755))


def _remove(place: Place, ready: Callable[[], None]) -> None:
    """A process that unlinks the files below http-v2/entry, by path."""
    ready()
    for directory, _, files in os.walk(f"{place.cache}/http-v2/entry"):
        for name in files:
            # The cleaner was faster.
            with contextlib.suppress(OSError):
                os.unlink(f"{directory}/{name}")


@GROUP.state(classes=(31,), met=("mozilla/sccache#407",), company=_remove)
def another_remover(make: Recipe) -> None:
    """Somebody else removes files from the cache meanwhile, path by path, and asks no lock."""
    make.fill(Directories("http-v2/entry", 1_500, 0o755))


def _exchange(one: str, other: str) -> bool:
    arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(_libc.renameat2(*arguments) == 0)


def _swap(place: Place, pairs: list[tuple[str, str]], ready: Callable[[], None]) -> None:
    ready()
    swapped = True
    while swapped:
        swapped = False
        for one, other in pairs:
            swapped |= _exchange(f"{place.cache}/{one}", f"{place.cache}/{other}")


def _swap_entries(place: Place, ready: Callable[[], None]) -> None:
    """A process that exchanges (renameat2) each http-v2/entry/N and http-v2/links/N, until they are gone."""
    _swap(place, [(f"http-v2/entry/{n}", f"http-v2/links/{n}") for n in range(_ENTRIES)], ready)


_SWAPS = ("CVE-2022-21658", "golang/go#52745", "python/cpython#157579")


@GROUP.state(classes=(19,), met=_SWAPS, company=_swap_entries)
def swapped_for_links(make: Recipe) -> None:
    """40 directories change places with symbolic links to a directory outside, over and over, until they are gone.

    Whoever looks at a path first and acts on it then acts on what is outside.
    """
    for number in range(_ENTRIES):
        make.fill(Files(f"http-v2/entry/{number}", TWINS))
        make.link(f"http-v2/links/{number}", "outside/twin")


def _swap_buckets(place: Place, ready: Callable[[], None]) -> None:
    """A process that exchanges (renameat2) http-v2 and archive-v0, until they are gone."""
    _swap(place, [("http-v2", "archive-v0")], ready)


@GROUP.state(classes=(19,), met=_SWAPS, company=_swap_buckets)
def bucket_swapped_for_a_link(make: Recipe) -> None:
    """A top-level directory changes places with a symbolic link to a directory outside, over and over."""
    make.fill(Files("http-v2/twin", TWINS))
    make.fill(Files("http-v2/entry", 3_000))
    make.link("archive-v0", "outside")


def _swap_files(place: Place, ready: Callable[[], None]) -> None:
    """A process that exchanges (renameat2) each http-v2/entry/N and http-v2/entry/hard-N, until they are gone."""
    _swap(place, [(f"http-v2/entry/{n}", f"http-v2/entry/hard-{n}") for n in range(_ENTRIES)], ready)


@GROUP.state(classes=(17, 18, 19), met=("CVE-2023-6597",), company=_swap_files)
def swapped_for_hard_links(make: Recipe) -> None:
    """Shut directories change places with hard links of a read-only file outside, over and over.

    Whoever repairs a mode by path repairs that of the file.
    """
    for number in range(_ENTRIES):
        make.file(f"http-v2/entry/{number}/file")
        make.hard_link(f"http-v2/entry/hard-{number}", "read-only")
    for number in range(_ENTRIES):
        make.mode(f"http-v2/entry/{number}", 0o500)


def _shut(place: Place, ready: Callable[[], None]) -> None:
    """A process that gives each http-v2/entry/N the mode 0200, again and again, until they are gone."""
    ready()
    found = True
    while found:
        found = False
        for number in range(_ENTRIES):
            with contextlib.suppress(FileNotFoundError):
                os.chmod(f"{place.cache}/http-v2/entry/{number}", 0o200)
                found = True
        time.sleep(_WRITE_SECONDS)


@GROUP.state(classes=(49,), met=("astral-sh/uv#3515",), company=_shut)
def shut_again(make: Recipe) -> None:
    """Directories get the mode 0200 again and again, as from a build whose error handler gives it, until they are gone.

    Between a repair and the use of it the mode may be 0200 again.
    """
    for number in range(_ENTRIES):
        make.fill(Files(f"http-v2/entry/{number}", TWINS))


def _keep_open(place: Place, ready: Callable[[], None]) -> None:
    """A process that holds files of http-v2/entry open, runs one of them, and stands in a directory below."""
    program = f"{place.cache}/http-v2/entry/program"
    shutil.copy(_PROGRAM, program)
    held = [os.open(f"{place.cache}/http-v2/entry/{number}", os.O_RDONLY) for number in range(5)]
    os.chdir(f"{place.cache}/http-v2/entry/below")
    running = os.posix_spawn(program, [program, "60"], {})
    try:
        ready()
        # Until all of it has gone.
        while any(os.fstat(fd).st_nlink for fd in held):
            time.sleep(_WRITE_SECONDS)
    finally:
        os.kill(running, signal.SIGKILL)
        os.waitpid(running, 0)


@GROUP.state(classes=(27, 36), company=_keep_open)
def open_files(make: Recipe) -> None:
    """Somebody has files of the cache open, runs one, and stands in one of its directories: all of it can go."""
    make.fill(Files("http-v2/entry", 5))
    make.directory("http-v2/entry/below")
