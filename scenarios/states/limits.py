"""States with too little of something: descriptors, room, inodes, a file system that takes writes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from scenarios.states.entries import Chain, Directories, Files
from scenarios.states.privileged import Ballast, Disk, ReadOnly
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("limits")

_DISK_BYTES = 2 << 20
_DISK_INODES = 400


@GROUP.state(classes=(22,), limits={"nofile": 32})
def descriptors_32(make: Recipe) -> None:
    """Wide, deep and shut, for a cleaner that may open 32 files."""
    make.fill(Chain("http-v2/deep", 200))
    make.fill(Directories("http-v2/wide", 200, 0o755))
    make.fill(Directories("http-v2/shut", 200, 0o200))


@GROUP.state(limits={"fsize": 0})
def no_file_may_grow(make: Recipe) -> None:
    """A cleaner that may write no byte to any file (RLIMIT_FSIZE): it has no need to."""
    make.fill(Files("http-v2/entry", 100))


def _full(disk: Disk, make: Recipe) -> None:
    make.on(disk)
    make.fill(Files("http-v2/entry", 50))
    make.file("http-v2/large", b"x" * (1 << 16))
    make.file("http-v2/shut/file")
    make.mode("http-v2/shut", 0o200)
    make.last(Ballast(disk))


GROUP.add(
    "no-space",
    partial(_full, Disk(bytes=_DISK_BYTES)),
    """A disk without a free byte.

    A lock with content, or trash made aside, cannot be written; unlink and rename work.""",
    classes=(33,),
)
GROUP.add(
    "no-inodes",
    partial(_full, Disk(inodes=_DISK_INODES)),
    """A disk without a free inode.

    Nothing can be created: no lock, no directory to move things to.""",
    classes=(33,),
)


@GROUP.state(classes=(46,), stays=(".",))
def read_only_disk(make: Recipe) -> None:
    """A file system that takes no writes: nothing can go, and the error says why."""
    make.on(Disk(bytes=_DISK_BYTES))
    make.file("http-v2/entry/file")
    make.last(ReadOnly())
