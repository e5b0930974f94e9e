"""Remove what failed builds left, and keep the rest of the cache.

Residue is what `audit` calls so: partial trees (`build/bdist.*`) and poisoned directories, with all that is in them.

Guarantees: the promises of `removal`; a directory is removed only when it is residue or in residue; a place that
could not be looked into, where there may be residue, is left and named. Not guaranteed yet: stale temporary files.
Cost: an audit, and the removal of what it finds.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from cache_core.audit import audit_open
from cache_core.errors import errno_name
from cache_core.kernel import REAL, let_go
from cache_core.outcome import DEFAULT, Left, Options, Removal, nothing_but, total
from cache_core.pinned import Opener
from cache_core.reasons import explain
from cache_core.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cache_core.kernel import Kernel


def remove_residue(root_fd: int, *, kernel: Kernel = REAL, options: Options = DEFAULT) -> Removal:
    """Remove the residue in a cache.

    Args:
        root_fd: The cache's root.
        kernel: Where the calls go.
        options: How to remove; progress is told for one tree at a time.
    """
    found = audit_open(root_fd, ".", kernel=kernel)
    opener = Opener(kernel, root_fd)
    done: list[Removal] = []
    residue = _topmost((*found.partial_trees, *(poisoned.path for poisoned in found.poisoned)))
    for path in residue:
        done.append(_remove_one(root_fd, path, opener, kernel, options))
        if done[-1].cancelled:
            break
    # What lies in residue was dealt with above.
    not_seen = (place for place in found.unreadable if not _lies_in(place.path, residue))
    return total([nothing_but(*not_seen), *done])


def _lies_in(path: str, directories: Iterable[str]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def _topmost(paths: Iterable[str]) -> list[str]:
    """The paths that are in none of the others, sorted."""
    top: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.split("/")):
        if not top or not path.startswith(f"{top[-1]}/"):
            top.append(path)
    return top


def _remove_one(root_fd: int, path: str, opener: Opener, kernel: Kernel, options: Options) -> Removal:
    directory, _, name = path.rpartition("/")
    fd = root_fd
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
        removal = remove_tree(name, dir_fd=fd, kernel=kernel, options=options)
    except FileNotFoundError:
        # Removed since the audit.
        return nothing_but()
    except OSError as error:
        number = error.errno or errno.EIO
        reason = explain(kernel, os.geteuid(), root_fd, ".", number)
        return nothing_but(Left(path, errno_name(number), reason))
    finally:
        if fd != root_fd:
            let_go(kernel, fd)
    left = tuple(
        Left(f"{directory}/{one.path}" if directory else one.path, one.errno, one.reason) for one in removal.left
    )
    return Removal(
        removal.files_removed,
        removal.directories_removed,
        removal.bytes_freed,
        removal.permissions_repaired,
        left,
        removal.cancelled,
    )
