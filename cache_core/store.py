"""The store: finds entries in a shared cache, and publishes them so that nobody ever sees half of one.

Whatever is made, is made under a temporary name that belongs to this store alone, and then renamed into place; an
archive first, the link to it last. So at every moment, killed or not, what a look-up finds is whole:

- a link exists only when the archive that it names was renamed into place before it;
- a wheel file, an index file and the tag have their names only when they are complete.

Not guaranteed here: anything about the source tree of an entry, in which builds happen. Who may be in it, and when,
is what the protocols (`cache_core.protocols`) differ in. Nor that an entry stays: without the cache lock a cleaner
may take it away between the look-up and its use, which then fails with ENOENT.
What a killed store leaves is under temporary names; a store with the same identity clears its own away when it
meets them, the cleaner clears all. Nothing is synced to disk: after a power cut, the cache is to be cleaned.

The store knows nothing of packages and tools: what fills a directory is a callable. Its only names are derived from
names (`cache_core.buckets`) and from the identity.
Cost: a look-up is 2 calls for a wheel, 2 or 3 for a source entry; publishing an archive is 4 or more beside filling it.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core import buckets
from cache_core.kernel import REAL
from cache_core.layout import IGNORE_NAME, TAG_NAME, TAG_TEXT
from cache_core.locks import FOR_EVER, Wait, lock_cache
from cache_core.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cache_core.buckets import SourceEntry, WheelEntry
    from cache_core.kernel import Kernel

READ_BYTES = 64 * 1024
# What rename(2) says when a directory that is not empty has the name already.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a source entry.

    Attributes:
        archive: absolute path of the unpacked wheel, ready to install; None when there is none.
        wheel: absolute path of the wheel file; None when there is none.
    """

    archive: str | None = None
    wheel: str | None = None


def no_phase(name: str) -> None:
    """Nobody wants to know which phase begins."""
    del name


@dataclass(frozen=True, slots=True)
class Store:
    """A cache, seen by one of those who share it.

    Attributes:
        root: absolute path of the cache.
        identity: a word that no other live user of the cache has; temporary names carry it. No slash.
        kernel: makes the calls.
        enter_phase: told the name of each phase as it begins: ``look-up``, ``lock``, ``publish``.
        wait: how to wait for locks that others hold.
    """

    root: str
    identity: str
    kernel: Kernel = REAL
    enter_phase: Callable[[str], None] = no_phase
    wait: Wait = FOR_EVER

    def __post_init__(self) -> None:
        if not self.identity or "/" in self.identity:
            raise ValueError(f"an identity becomes part of file names; it cannot be {self.identity!r}")

    def path(self, relative: str) -> str:
        """The absolute path of a place that `buckets` names."""
        return f"{self.root}/{relative}"

    def temporary(self, directory: str, purpose: str) -> str:
        """The absolute path of a name in `directory` (relative; empty for the root) that is this store's alone."""
        name = f"{buckets.TEMPORARY_PREFIX}-{self.identity}-{purpose}"
        return self.path(f"{directory}/{name}" if directory else name)

    # The cache as a whole.

    @contextmanager
    def in_use(self, locked: bool) -> Iterator[None]:
        """For the length of a `with`: the cache is there and, when `locked`, no cleaner starts.

        Args:
            locked: whether to hold the cache lock, shared.

        Raises:
            CacheError: the lock cannot be had; see `cache_core.locks`.
            OSError: the cache cannot be made.
        """
        self.make_directories("")
        # Tagged under the lock: a cleaner must not meet the tag under its temporary name.
        with lock_cache(self.root, shared=True, kernel=self.kernel, wait=self.wait) if locked else nullcontext():
            self.prepare()
            yield

    def prepare(self) -> None:
        """Make the cache, tagged as one, unless it is there.

        Raises:
            OSError: it cannot be made.
        """
        try:
            self.kernel.lstat(self.path(TAG_NAME))
        except FileNotFoundError:
            self.make_directories("")
            self.publish_file(IGNORE_NAME, b"*")
            self.publish_file(TAG_NAME, TAG_TEXT)

    # Looking up.

    def index_file(self, index: str, name: str, fetch: Callable[[], bytes]) -> bytes:
        """What the index says about a package: from the cache, or fetched and kept.

        Args:
            index: id of the index.
            name: of the package.
            fetch: asks the index.

        Raises:
            OSError: a call failed.
        """
        place = buckets.simple_file(index, name)
        try:
            fd = self.kernel.open(self.path(place), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            answer = fetch()
            self.publish_file(place, answer)
            return answer
        return read_all(self.kernel, fd)

    def find_wheel(self, entry: WheelEntry) -> str | None:
        """The absolute path of the unpacked wheel, or None."""
        return self._follow(self.path(entry.link))

    def find_built(self, entry: SourceEntry) -> Found:
        """What there is of a source entry: an archive, at least a wheel, or nothing."""
        shard = self.path(entry.shard)
        links: list[str] = []
        wheels: list[str] = []
        try:
            with self.kernel.scandir(shard) as listing:
                for item in listing:
                    if item.name.startswith(buckets.TEMPORARY_PREFIX):
                        continue
                    if item.is_symlink():
                        links.append(item.path)
                    elif item.name.endswith(buckets.WHEEL_SUFFIX):
                        wheels.append(item.path)
        except FileNotFoundError:
            return Found()
        for link in sorted(links):
            archive = self._follow(link)
            if archive is not None:
                return Found(archive=archive)
        return Found(wheel=min(wheels, default=None))

    def _follow(self, link: str) -> str | None:
        try:
            target = self.kernel.readlink(link)
        except FileNotFoundError:
            return None
        archive = self.path(f"{buckets.ARCHIVES}/{target.rpartition('/')[2]}")
        try:
            self.kernel.lstat(archive)
        except FileNotFoundError:
            # A cleaner took the archive first and has not come to the link yet.
            return None
        return archive

    # Making and publishing.

    def make_directories(self, relative: str) -> None:
        """Make a directory and what it lies in, deepest first, as most of it is there most of the time."""
        path = self.path(relative).rstrip("/")
        missing: list[str] = []
        # Nothing can be made in a root that is missing, so the walk up ends there at the latest.
        while not self._make_directory(path, must=path.count("/") <= 1):
            missing.append(path)
            path = path.rpartition("/")[0]
        while missing:
            self._make_directory(missing.pop(), must=True)

    def _make_directory(self, path: str, *, must: bool) -> bool:
        try:
            self.kernel.mkdir(path)
        except FileExistsError:
            return True
        except FileNotFoundError:
            if must:
                raise
            return False
        return True

    def fresh_directory(self, directory: str, purpose: str) -> str:
        """Make an empty directory under a temporary name; returns its absolute path."""
        path = self.temporary(directory, purpose)
        try:
            self.kernel.mkdir(path)
        except FileExistsError:
            # Ours, from a life before: nobody else has this name.
            self.discard(path)
            self.kernel.mkdir(path)
        return path

    def discard(self, path: str) -> None:
        """Remove a tree, whatever its modes are; none is fine.

        Raises:
            OSError: something of it cannot be removed.
        """
        try:
            # Empty or gone, in most cases.
            self.kernel.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return
        left = remove_tree(path, kernel=self.kernel).left
        if left:
            raise OSError(getattr(errno, left[0].errno), left[0].reason, f"{path}/{left[0].path}")

    def publish_file(self, place: str, data: bytes) -> None:
        """Write a file under a temporary name, then give it its own; an older one is replaced."""
        directory, _, name = place.rpartition("/")
        if directory:
            self.make_directories(directory)
        temporary = self.temporary(directory, name)
        fd = self.kernel.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            write_all(self.kernel, fd, data)
        finally:
            self.kernel.close(fd)
        self.kernel.rename(temporary, self.path(place))

    def publish_archive(self, link: str, archive: str, fill: Callable[[str], None]) -> str:
        """Unpack a wheel and make it what `link` leads to.

        Args:
            link: relative path of the link.
            archive: relative path of the archive. When there is one already it stays, and ours is discarded.
            fill: fills an empty directory, given by its absolute path.

        Returns:
            The absolute path of the archive.

        Raises:
            Exception: what `fill` raised, or OSError; nothing is published then.
        """
        temporary = self.fresh_directory("", link.rpartition("/")[2])
        published = False
        try:
            fill(temporary)
            self.enter_phase("publish")
            self.make_directories(buckets.ARCHIVES)
            published = self.publish_tree(temporary, archive)
        finally:
            if not published:
                self.discard(temporary)
        self._point(link, archive)
        return self.path(archive)

    def publish_tree(self, tree: str, place: str) -> bool:
        """Give a directory its name; False when somebody was quicker, and ours is still where it was."""
        try:
            self.kernel.rename(tree, self.path(place))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _point(self, link: str, archive: str) -> None:
        directory, _, name = link.rpartition("/")
        self.make_directories(directory)
        temporary = self.temporary(directory, name)
        up = "../" * link.count("/")
        try:
            self.kernel.symlink(up + archive, temporary)
        except FileExistsError:
            # Ours, from a life before, and it may lead elsewhere.
            self.kernel.unlink(temporary)
            self.kernel.symlink(up + archive, temporary)
        self.kernel.rename(temporary, self.path(link))


def read_all(kernel: Kernel, fd: int) -> bytes:
    """Read a file to its end and close it."""
    parts: list[bytes] = []
    try:
        while part := kernel.read(fd, READ_BYTES):
            parts.append(part)
    finally:
        kernel.close(fd)
    return b"".join(parts)


def write_all(kernel: Kernel, fd: int, data: bytes) -> None:
    """Write all of `data`, however little the kernel takes at a time; nothing to write is no call."""
    while data:
        data = data[kernel.write(fd, data) :]
