"""Pointer files: what uv keeps beside an entry, to say which one it is.

`<wheel>.http` and `.rev` name the archive of a wheel, `revision.http` and `.rev` the directory of a source. uv 0.1.42
believes them: when what they name is gone, it fails each time ("failed to read directory", "Invalid source
distribution"), where 0.13.9 fetches it again. So who removes an entry removes the pointer to it, and first: then,
killed in between, the next one still finds the entry spoilt.

Guarantees: follows no link, reads regular files only, never waits. What a pointer names is looked for as bytes in it,
for its format changes with the releases; ids are random and long. Cost: four calls for each pointer that is read.
Source: `HttpArchivePointer` and `Revision` in uv's crates/uv-distribution (at 0.1.42), and both releases tried.
"""

from __future__ import annotations

import os
import stat

from cache_core.kernel import let_go
from cache_core.wholeness import is_in_source_bucket, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Final

    from cache_core.kernel import Kernel
    from cache_core.pinned import Opener

_SUFFIXES: Final = (".http", ".rev")
_REVISION: Final = "revision"
_WHEEL_SUFFIX: Final = ".whl"
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# They have some 1,300 bytes; what is larger is no pointer.
_BYTES_MAX: Final = 64 * 1024


def may_name_an_archive(name: str, mode: int) -> bool:
    """Whether a file in the structure may be a pointer to the archive of a wheel."""
    return name.endswith(_SUFFIXES) and not name.startswith(f"{_REVISION}.") and stat.S_ISREG(mode)


def names_one_of(kernel: Kernel, dir_fd: int, name: str, ids: Collection[str]) -> bool:
    """Whether a pointer names one of the ids.

    Raises:
        OSError: It cannot be read.
    """
    fd = kernel.open(name, _FLAGS, dir_fd=dir_fd)
    try:
        if not stat.S_ISREG(kernel.fstat(fd).st_mode):
            return False
        content = kernel.read(fd, _BYTES_MAX)
    finally:
        let_go(kernel, fd)
    return any(os.fsencode(one) in content for one in ids)


def revision_pointers(kernel: Kernel, root_fd: int, opener: Opener, path: str) -> Iterator[str]:
    """The pointers that name a revision that would be gone with `path`, a source or the directory of a revision.

    None while a wheel is there that was built from it: the pointer leads to that one, too.

    Raises:
        OSError: A directory cannot be read, or a pointer.
    """
    names = path.split("/")
    if not is_in_source_bucket(names):
        return
    if place_of(names).zone == "source":
        names.pop()
        shard = opener.descend(root_fd, names)
        try:
            if any(name.endswith(_WHEEL_SUFFIX) for name in kernel.listdir(shard)):
                return
        finally:
            let_go(kernel, shard)
    *directory, revision = names
    fd = opener.descend(root_fd, directory)
    try:
        for suffix in _SUFFIXES:
            name = _REVISION + suffix
            try:
                if names_one_of(kernel, fd, name, (revision,)):
                    yield "/".join((*directory, name))
            except FileNotFoundError:
                # There is one of the two, or none.
                continue
    finally:
        let_go(kernel, fd)
