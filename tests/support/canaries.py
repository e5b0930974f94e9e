"""Subjects that are broken on purpose: a search that finds nothing in them cannot find anything.

Cleaners
    liar    removes what it can, and reports success without reading the cache again.
    faint   gives up at the first EACCES, and says so.
Locks, in the place of `entry-lock`
    early   gives the lock up as soon as the source is there, before it builds and publishes.
    unlink  removes the lock file when it is done: who waited has the lock of a file without a name, who comes next
            makes another, and both think that they are alone.

All are the shipped protocol or a plain removal but for that one mistake, and all of them pass when everybody comes one
after another.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import replace

from cache_core import protocols
from simulator.actors.cleaners import CLEANERS, Cleaned, Cleaner
from simulator.engine.faults import parse_fault
from simulator.scenario import Expect
from simulator.scenario_file import load_scenario

OLD_CLEANER = "rmtree"


def liar(kernel, root, identity, crew):
    for name in kernel.listdir(root):
        remove(kernel, f"{root}/{name}", give_up=False)
    return Cleaned()


def faint(kernel, root, identity, crew):
    try:
        for name in kernel.listdir(root):
            remove(kernel, f"{root}/{name}", give_up=True)
    except PermissionError as error:
        return Cleaned(error=f"PermissionError: {error.strerror}", errno=error.errno)
    return Cleaned()


def remove(kernel, path, *, give_up):
    with contextlib.suppress(PermissionError) if not give_up else contextlib.nullcontext():
        try:
            names = kernel.listdir(path)
        except NotADirectoryError:
            kernel.unlink(path)
            return
        for name in names:
            remove(kernel, f"{path}/{name}", give_up=give_up)
        with contextlib.suppress(OSError):
            kernel.rmdir(path)


def early(store, entry, work):
    with locked(store, entry, unlink=False):
        if store.find_built(entry).archive is None and not protocols._exists(store, entry.source):
            protocols._unpack_source(store, entry, work)
    return build(store, entry, work)


def unlink(store, entry, work):
    with locked(store, entry, unlink=True):
        found = store.find_built(entry)
        if found.archive is not None:
            return found.archive
        store.discard(store.path(entry.source))
        protocols._unpack_source(store, entry, work)
        return build(store, entry, work)


def build(store, entry, work):
    found = store.find_built(entry)
    if found.archive is not None:
        return found.archive
    wheel = found.wheel or protocols._build_in_entry(store, entry, work)
    return protocols._publish(store, entry, wheel, work, owner=store.identity)


@contextlib.contextmanager
def locked(store, entry, *, unlink):
    kernel, path = store.kernel, store.path(entry.lock)
    store.make_directories(entry.release)
    fd = kernel.open(path, os.O_RDWR | os.O_CREAT)
    kernel.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if unlink:
            with contextlib.suppress(FileNotFoundError):
                kernel.unlink(path)
        kernel.close(fd)


def broken_cleaner(monkeypatch, cleaner):
    """`issue-3515-small` with a broken cleaner after the storm."""
    monkeypatch.setitem(CLEANERS, OLD_CLEANER, Cleaner(cleaner, "broken on purpose"))
    return replace(load_scenario("issue-3515-small"), cleaners_after=(OLD_CLEANER,))


def broken_lock(monkeypatch, protocol, builds=4):
    """Builds of the smallest package, each of which should be alone in the entry, and nothing tolerated."""
    monkeypatch.setitem(protocols.PROTOCOLS, "entry-lock", protocol)
    return whole_lock(builds)


def whole_lock(builds=4):
    """The same with the lock that ships."""
    small = load_scenario("issue-3515-small")
    # Those that fail give the lock up before anything is published: then whoever waits for it has to build.
    failing = tuple(parse_fault(f"build-{number}:install_lib:build-error") for number in range(1, builds - 1))
    return replace(small, builds=builds, protocol="entry-lock", cache_lock=True, faults=failing, expect=Expect())
