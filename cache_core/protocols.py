"""How those who build share an entry of the cache: protocols, each a function of the same form.

`shared`      As uv up to 0.1.42. Look up; else unpack the source into the entry, or take what is there already, and
              build *in it*, all at once, with no lock. Publishing is atomic, building is not: this is the race of
              astral-sh/uv#3515, kept as it was.
`entry-lock`  As uv from 0.1.43. An exclusive lock on a file per entry is held from the look-up to the link. The lock
              goes with its holder, the tree does not: a tree in the entry under the lock without a wheel was left by
              a build that failed or was killed, so it is removed, poisoned directories and all, and unpacked again.
`private`     As pip. Unpack and build in a directory of one's own; publish by rename. Several may do the same work
              at once; the first archive stays, the others are discarded.
`in-place`    As pip with a local directory (``pip install ./pkg``). The source tree is there before anybody comes, in
              the place `SourceEntry.local`; everybody builds in it, all at once, with no lock and no look-up, and
              takes the wheel away to a directory of their own. Nothing is published: what it leaves in the tree is
              all there is.

Guarantee of `entry-lock` and `private`: a build never sees a file that another build made, so what is published is
what one build alone would have made. Not guaranteed by `shared` and `in-place`: exactly that.
Those that publish: what is returned is an archive that was whole when it was published.

Under `shared` and `entry-lock` each unpacks into an archive of its own, as uv with its random ids; the link leads to
the last one, and what others made stays until the cache is cleaned. Under `private` there is one archive for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol as TypingProtocol

from cache_core import buckets
from cache_core.locks import lock_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.buckets import SourceEntry
    from cache_core.store import Found, Store


@dataclass(frozen=True, slots=True)
class Work:
    """What to do for an entry that is not in the cache. All paths are absolute.

    Attributes:
        fetch: fills the empty directory that it is given with the unpacked source; returns the path of the source
            tree, which is that directory or one in it.
        build: given the source tree and an empty output directory, leaves a wheel there; returns its file name.
        unpack: given a wheel file and an empty directory, unpacks it there.
        scratch: makes an empty directory outside of the cache that nobody else uses; returns its path.
    """

    fetch: Callable[[str], str]
    build: Callable[[str, str], str]
    unpack: Callable[[str, str], None]
    scratch: Callable[[], str]


class Protocol(TypingProtocol):
    """How an entry is got."""

    def __call__(self, store: Store, entry: SourceEntry, work: Work, /) -> str:
        """Return the absolute path of the entry's archive, built if need be.

        Raises:
            Exception: what `work` raised; nothing is published then.
            OSError: a call of the store failed.
            CacheError: a lock cannot be had.
        """


def shared(store: Store, entry: SourceEntry, work: Work, /) -> str:
    """Everybody builds in the one tree of the entry, without a lock; form and errors as `Protocol`."""
    found = _look_up(store, entry)
    if found.archive is not None:
        return found.archive
    wheel = found.wheel
    if wheel is None:
        # Race 1: whoever unpacked the tree, whoever is building in it, and whatever they left: it is used.
        if not _exists(store, entry.source):
            _unpack_source(store, entry, work)
        wheel = _build_in_entry(store, entry, work)
    return _publish(store, entry, wheel, work, owner=store.identity)


def entry_lock(store: Store, entry: SourceEntry, work: Work, /) -> str:
    """One at a time, by a lock on a file of the entry; form and errors as `Protocol`."""
    # Without the lock: what is published is whole, so whoever finds it need not wait for anybody.
    found = _look_up(store, entry)
    if found.archive is not None:
        return found.archive
    store.enter_phase("lock")
    store.make_directories(entry.release)
    with lock_entry(store.path(entry.lock), kernel=store.kernel, wait=store.wait):
        found = _look_up(store, entry)
        if found.archive is not None:
            return found.archive
        wheel = found.wheel
        if wheel is None:
            # No wheel and nobody at work: a tree that is here was given up or abandoned, in whatever state.
            store.discard(store.path(entry.source))
            _unpack_source(store, entry, work)
            wheel = _build_in_entry(store, entry, work)
        return _publish(store, entry, wheel, work, owner=store.identity)


def private(store: Store, entry: SourceEntry, work: Work, /) -> str:
    """Each in a directory of their own, published by rename; form and errors as `Protocol`."""
    found = _look_up(store, entry)
    if found.archive is not None:
        return found.archive
    wheel = found.wheel
    if wheel is None:
        place = store.fresh_directory("", f"{entry.name}-build")
        try:
            source = f"{place}/source"
            output = f"{place}/wheel"
            store.kernel.mkdir(source)
            store.kernel.mkdir(output)
            wheel = _publish_wheel(store, entry, output, work.build(work.fetch(source), output))
        finally:
            store.discard(place)
    return _publish(store, entry, wheel, work, owner="")


def in_place(store: Store, entry: SourceEntry, work: Work, /) -> str:
    """Everybody builds in the local directory itself; form and errors as `Protocol`."""
    scratch = work.scratch()
    output, archive = f"{scratch}/wheel", f"{scratch}/archive"
    for directory in (output, archive):
        store.kernel.mkdir(directory)
    # Race 2: whoever else is building in the tree, and whatever they left in it: it is used.
    wheel = work.build(store.path(entry.local), output)
    work.unpack(f"{output}/{wheel}", archive)
    return archive


PROTOCOLS: dict[str, Protocol] = {
    "shared": shared,
    "entry-lock": entry_lock,
    "private": private,
    "in-place": in_place,
}
# Those that find the source at `SourceEntry.local` and do not fetch it.
BUILD_IN_PLACE = frozenset({"in-place"})
# Those that build in a tree that lies at `SourceEntry.source` already, whoever put it there.
USE_WHAT_LIES_THERE = frozenset({"shared"})


def _look_up(store: Store, entry: SourceEntry) -> Found:
    store.enter_phase("look-up")
    return store.find_built(entry)


def _exists(store: Store, place: str) -> bool:
    try:
        store.kernel.lstat(store.path(place))
    except FileNotFoundError:
        return False
    return True


def _unpack_source(store: Store, entry: SourceEntry, work: Work) -> None:
    """Unpack under a temporary name; then it is the entry's source, unless somebody was quicker."""
    temporary = store.fresh_directory("", entry.name)
    try:
        tree = work.fetch(temporary)
        store.make_directories(entry.shard)
        store.publish_tree(tree, entry.source)
    finally:
        store.discard(temporary)


def _build_in_entry(store: Store, entry: SourceEntry, work: Work) -> str:
    output = store.fresh_directory(entry.shard, "wheel")
    try:
        name = work.build(store.path(entry.source), output)
        return _publish_wheel(store, entry, output, name)
    finally:
        store.discard(output)


def _publish_wheel(store: Store, entry: SourceEntry, output: str, name: str) -> str:
    """Move a finished wheel beside the source; an older one is replaced, and nobody sees half of either."""
    store.enter_phase("publish")
    store.make_directories(entry.shard)
    wheel = store.path(f"{entry.shard}/{name}")
    store.kernel.rename(f"{output}/{name}", wheel)
    return wheel


def _publish(store: Store, entry: SourceEntry, wheel: str, work: Work, owner: str) -> str:
    name = wheel.rpartition("/")[2]
    link = f"{entry.shard}/{name.removesuffix(buckets.WHEEL_SUFFIX)}"

    def fill(directory: str) -> None:
        work.unpack(wheel, directory)

    return store.publish_archive(link, buckets.archive(name, owner), fill)
