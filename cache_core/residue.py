"""Remove what failed builds and killed cleaners left, and keep every whole entry of the cache.

Residue is what `audit` lists as such, defined in `wholeness`: partial trees, temporary names, trash, and the entries
that a poisoned directory spoils, each with all that is in it.

Guarantees: the promises of `removal`; nothing is removed but what is residue or in residue, so whatever a look-up found
whole before is found afterwards. Directories are detached first (`trash`): nobody sees half of one, and one that cannot
be removed is out of the builds' way all the same. "None is left" is what a second audit says: a place that could not be
looked into, where there may be residue, is left and named, and so is residue that has come meanwhile. A read-only
directory of ours that residue is in gets its mode back.

Under the exclusive lock of the cache every temporary name is stale, for whoever makes one holds the lock shared.
Without it (forced, not to be had, or builds that take none, such as pip's and those of uv before it had the lock) the
same is removed, and a build at work may lose what it is making: it fails or, where it does not notice, publishes
something incomplete. What was published before is safe in any case.
Cost: two audits (one when there is nothing), and the removal.
"""

from __future__ import annotations

import errno
import os

from cache_core.auditing import audit_open
from cache_core.below import Below
from cache_core.crew import ALONE
from cache_core.errors import errno_name
from cache_core.kernel import REAL, let_go
from cache_core.outcome import DEFAULT, Left, Options, Progress, Removal, nothing_but, total
from cache_core.pinned import Opener
from cache_core.reasons import explain
from cache_core.removal import remove_tree
from cache_core.repair import grant, put_back
from cache_core.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.auditing import AuditReport
    from cache_core.kernel import Kernel
    from cache_core.trash import Trash

_TURNS = {"dangling": 0, "trash": 2}
_APPEARED = "appeared while residue was removed: still in use"


def remove_residue(root_fd: int, trash: Trash, *, kernel: Kernel = REAL, options: Options = DEFAULT) -> Removal:
    """Remove the residue in a cache.

    Args:
        root_fd: The cache's root.
        trash: Where directories are moved before they are removed.
        kernel: Where the calls go.
        options: How to remove; whom to tell of what, as if it were one removal below the root.
    """
    found = audit_open(root_fd, ".", kernel=kernel, cancelled=options.cancelled)
    residue = _residue(found)
    opener = Opener(kernel, root_fd)
    telling = _Telling(options)
    done: list[Removal] = []
    # What was found before the caller stopped us may be a part of what belongs together.
    poisoned = {item.path for item in found.residue if item.kind == "poisoned"}
    detached = {item.path for item in found.residue if item.directories and item.kind != "trash"}
    for path in () if found.cancelled else residue:
        if path == trash.name:
            # Ours, with what was no lock: emptied in the end.
            done.append(nothing_but())
            continue
        where = trash if path in detached else None
        how = telling.options(path)
        done.append(_remove_one(root_fd, path, opener, where, poisoned=path in poisoned, kernel=kernel, options=how))
        telling.add(done[-1])
        if done[-1].cancelled:
            break
    else:
        # What was no lock may be in there, too.
        done += trash.empty(ALONE, telling.options(""))
    trash.end()
    if found.cancelled or (done and done[-1].cancelled):
        inside = Below(residue)
        not_seen = tuple(place for place in found.unreadable if inside.which(place.path) is None)
        # The last one that was begun may be gone.
        begun = [path for path in residue[len(done) - 1 : len(done)] if _is_there(root_fd, path, opener, kernel)]
        if trash.name is not None:
            begun.append(trash.name)
        residue = sorted({*begun, *residue[len(done) :]})
    else:
        found = audit_open(root_fd, ".", kernel=kernel, cancelled=options.cancelled) if done else found
        not_seen = found.unreadable
        residue = _residue(found)
    removal = total([nothing_but(*not_seen, cancelled=found.cancelled), *done])
    return total([removal, nothing_but(*_unnamed(root_fd, residue, removal, kernel))])


def _residue(found: AuditReport) -> list[str]:
    # Pointers before what they name: when we are killed in between, that is still there to tell of them. Trash last:
    # what can be moved there is.
    return [item.path for item in sorted(found.residue, key=lambda item: _TURNS.get(item.kind, 1))]


def _unnamed(root_fd: int, residue: list[str], removal: Removal, kernel: Kernel) -> list[Left]:
    """Residue that is still there although neither it nor anything in it is named as left."""
    inside = Below(residue)
    named = {inside.which(item.path) for item in removal.left}
    number = errno.ECANCELED if removal.cancelled else errno.ENOTEMPTY
    reason = explain(kernel, os.geteuid(), root_fd, ".", number) if removal.cancelled else _APPEARED
    return [Left(path, errno_name(number), reason) for path in residue if path not in named]


def _is_there(root_fd: int, path: str, opener: Opener, kernel: Kernel) -> bool:
    directory, _, name = path.rpartition("/")
    fd = root_fd
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
        kernel.lstat(name, dir_fd=fd)
    except FileNotFoundError:
        return False
    except OSError:
        # Something is there that cannot be looked at.
        return True
    finally:
        if fd != root_fd:
            let_go(kernel, fd)
    return True


class _Telling:
    """Makes many removals, each of one tree, tell the caller as one removal below the root would."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._before = Progress(0, 0, 0)

    def options(self, path: str) -> Options:
        """How to remove what has this path."""
        directory = path.rpartition("/")[0]
        return replace(
            self._options,
            progress=self._options.progress and self._progress,
            removed=_below(self._options.removed, directory),
            mended=_below(self._options.mended, directory),
        )

    def add(self, done: Removal) -> None:
        """One is done."""
        self._before = self._sum(Progress(done.files_removed, done.directories_removed, done.bytes_freed))

    def _progress(self, now: Progress) -> None:
        assert self._options.progress is not None, "asked for only where there is somebody to tell"  # noqa: S101
        self._options.progress(self._sum(now))

    def _sum(self, now: Progress) -> Progress:
        before = self._before
        return Progress(
            before.files_removed + now.files_removed,
            before.directories_removed + now.directories_removed,
            before.bytes_freed + now.bytes_freed,
        )


def _below(tell: Callable[[str], None] | None, directory: str) -> Callable[[str], None] | None:
    """Tell paths in `directory` as they are below the root."""
    if tell is None or not directory:
        return tell
    return lambda path: tell(f"{directory}/{path}" if path else directory)


def _remove_one(
    root_fd: int, path: str, opener: Opener, trash: Trash | None, *, poisoned: bool, kernel: Kernel, options: Options
) -> Removal:
    """Remove what has a path below the root; from the trash, where there is one and it can be moved there."""
    directory, _, name = path.rpartition("/")
    fd = root_fd
    old_mode = None
    aside = None
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
            old_mode = grant(kernel, fd, os.geteuid())
            if old_mode is not None and options.mended is not None:
                options.mended("")
        aside = None if trash is None else trash.take(name, fd, path)
        if trash is not None and aside is not None:
            removal = trash.remove(aside, _named(options, aside, name))
        else:
            there = trash.rename_in_place(name, fd, path) if trash is not None and poisoned else name
            # Where it lies, nobody would know for residue what is moved up.
            how = replace(_named(options, there, name), depth=0)
            removal = _below_root(remove_tree(there, dir_fd=fd, kernel=kernel, options=how), directory)
    except FileNotFoundError:
        # Removed since the audit.
        return nothing_but()
    except OSError as error:
        number = error.errno or errno.EIO
        reason = explain(kernel, os.geteuid(), root_fd, ".", number)
        return nothing_but(Left(path, errno_name(number), reason))
    finally:
        if old_mode is not None:
            put_back(kernel, fd, old_mode)
        if fd != root_fd:
            let_go(kernel, fd)
    return replace(removal, permissions_repaired=removal.permissions_repaired + (old_mode is not None))


def _below_root(removal: Removal, directory: str) -> Removal:
    left = tuple(
        Left(f"{directory}/{one.path}" if directory else one.path, one.errno, one.reason) for one in removal.left
    )
    return replace(removal, left=left)


def _named(options: Options, aside: str, name: str) -> Options:
    """Tell of what was moved `aside` by the name that it had."""

    def told_of(tell: Callable[[str], None] | None) -> Callable[[str], None] | None:
        return None if tell is None else lambda path: tell(name + path[len(aside) :])

    return replace(options, removed=told_of(options.removed), mended=told_of(options.mended))
