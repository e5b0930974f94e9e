"""Remove what failed builds and killed cleaners left, and keep every whole entry of the cache.

Residue is what `audit` lists as such, defined in `wholeness`: partial trees, temporary names, trash, and the entries
that a poisoned directory spoils, each with all that is in it.

Guarantees: the promises of `removal`; nothing is removed but what is residue or in residue, so whatever a look-up found
whole before is found afterwards. Directories are detached first (`trash`): nobody sees half of one, and one that cannot
be removed is out of the builds' way all the same. "None is left" is what a second audit says: a place that could not be
looked into, where there may be residue, is left and named, and so is residue that has come meanwhile. A read-only
directory of ours that residue is in gets its mode back. A shelf (`wholeness`) that its mode shuts is opened for good,
and what is whole in it stays.

Under the exclusive lock of the cache every temporary name is stale, for whoever makes one holds the lock shared.
Without it (forced, not to be had, or builds that take none, such as pip's and those of uv before it had the lock) the
same is removed, and a build at work may lose what it is making: it fails or, where it does not notice, publishes
something incomplete. What was published before is safe in any case.
The first audit is the caller's: one that has a fence makes it before that stands (`job`).
Cost: an audit when something was found, one more for each depth at which a shelf was shut, and the removal.
"""

from __future__ import annotations

import errno
import os

from cache_core.again import is_there, look_again, split_by_presence
from cache_core.auditing import audit_open
from cache_core.below import Below
from cache_core.crew import ALONE
from cache_core.errors import errno_name
from cache_core.kernel import REAL, let_go
from cache_core.outcome import DEFAULT, Left, Options, Removal, going_on, nothing_but, rebased, telling, total
from cache_core.pinned import Opener
from cache_core.reasons import explain
from cache_core.removal import remove_tree
from cache_core.repair import grant, put_back
from cache_core.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.audit_report import AuditReport, Residue
    from cache_core.kernel import Kernel
    from cache_core.trash import Trash

_TURNS = {"dangling": 0, "trash": 2}
# Shelves are in shelves, a handful of them; somebody may shut them as fast as we open them.
_OPENINGS_MAX = 16
_APPEARED = "appeared while residue was removed: still in use"


def remove_residue(
    root_fd: int, found: AuditReport, trash: Trash, *, kernel: Kernel = REAL, options: Options = DEFAULT
) -> Removal:
    """Remove the residue in a cache.

    Args:
        root_fd: The cache's root.
        found: What an audit of it has found, the cancellation heeded.
        trash: Where directories are moved before they are removed.
        kernel: Where the calls go.
        options: How to remove; whom to tell of what, as if it were one removal below the root.
    """
    opener = Opener(kernel, root_fd)
    found, opened = _with_shelves_opened(root_fd, found, opener, kernel=kernel, options=options)
    items = [item for item in _in_turn(found) if not item.is_shut_shelf]
    residue = [item.path for item in items]
    # What was found before the caller stopped us may be a part of what belongs together.
    done, begun = nothing_but(cancelled=True), 0
    if not found.cancelled:
        done, begun = _remove_each(root_fd, items, opener, trash, kernel=kernel, options=options)
    trash.end()
    if done.cancelled:
        inside = Below(residue)
        not_seen = tuple(place for place in found.unreadable if inside.which(place.path) is None)
        # The last one that was begun may be gone.
        there = [path for path in residue[:begun][-1:] if is_there(root_fd, path, opener, kernel)]
        if trash.name is not None:
            there.append(trash.name)
        residue = sorted({*there, *residue[begun:]})
    else:
        found = audit_open(root_fd, ".", kernel=kernel, cancelled=options.cancelled) if begun else found
        not_seen = found.unreadable
        residue = [item.path for item in _in_turn(found)]
        # What was moved meanwhile is found by the audit where it is.
        done = replace(done, left=tuple(split_by_presence(root_fd, done.left, kernel)[0]))
    removal = total([nothing_but(*not_seen, cancelled=found.cancelled), done])
    removal = replace(removal, permissions_repaired=removal.permissions_repaired + opened)
    return total([removal, nothing_but(*_unnamed(root_fd, residue, removal, kernel))])


def name_residue(root_fd: int, found: AuditReport, refusal: OSError, *, kernel: Kernel = REAL) -> Removal:
    """Name all residue as left, where it is known beforehand that none can go.

    Args:
        root_fd: The cache's root.
        found: What the audit found there.
        refusal: Why nothing can go.
        kernel: Where the calls go.
    """
    number = refusal.errno or errno.EIO
    reason = explain(kernel, os.geteuid(), root_fd, ".", number)
    left = [Left(item.path, errno_name(number), reason) for item in found.residue]
    return total([nothing_but(*found.unreadable, *left, cancelled=found.cancelled)])


def _with_shelves_opened(
    root_fd: int, found: AuditReport, opener: Opener, *, kernel: Kernel, options: Options
) -> tuple[AuditReport, int]:
    """Give shelves their bits back. Returns what is found then, and how many were opened."""
    opened: set[str] = set()
    for _ in range(_OPENINGS_MAX):
        if found.cancelled:
            break
        shut = {item.path for item in found.residue if item.is_shut_shelf} - opened
        new = {path for path in sorted(shut) if _is_opened(root_fd, path, opener, kernel=kernel, options=options)}
        opened |= new
        if not new:
            break
        # There may be others in them.
        found = audit_open(root_fd, ".", kernel=kernel, cancelled=options.cancelled)
    return found, len(opened)


def _is_opened(root_fd: int, path: str, opener: Opener, *, kernel: Kernel, options: Options) -> bool:
    directory, _, name = path.rpartition("/")
    fd = root_fd
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
        pin = opener.pin(name, fd)
    except OSError:
        # Gone, or the audit names it.
        return False
    finally:
        if fd != root_fd:
            let_go(kernel, fd)
    try:
        opened = grant(kernel, pin, os.geteuid(), pinned=True) is not None
    finally:
        let_go(kernel, pin)
    if opened and options.mended is not None:
        options.mended(path)
    return opened


def _in_turn(found: AuditReport) -> list[Residue]:
    # Pointers before what they name: when we are killed in between, that is still there to tell of them. Trash last:
    # what can be moved there is.
    return sorted(found.residue, key=lambda item: _TURNS.get(item.kind, 1))


def _remove_each(
    root_fd: int, items: list[Residue], opener: Opener, trash: Trash, *, kernel: Kernel, options: Options
) -> tuple[Removal, int]:
    """Remove one after the other. Returns what was done, and how many of them were begun."""
    done = nothing_but()
    repaired: set[str] = set()
    for begun, item in enumerate(items, 1):
        # Our own trash is there when something was no lock: it is emptied in the end.
        if item.path != trash.name:
            how = going_on(done, options)
            done = total((done, _remove_one(root_fd, item, opener, trash, repaired, kernel=kernel, options=how)))
        if done.cancelled:
            return done, begun
    done = total((done, *trash.empty(ALONE, going_on(done, options))))
    return look_again(lambda before: total(trash.empty(ALONE, going_on(before, options))), done), len(items)


def _unnamed(root_fd: int, residue: list[str], removal: Removal, kernel: Kernel) -> list[Left]:
    """Residue that is still there although neither it nor anything in it is named as left."""
    inside = Below(residue)
    named = {inside.which(item.path) for item in removal.left}
    number = errno.ECANCELED if removal.cancelled else errno.ENOTEMPTY
    reason = explain(kernel, os.geteuid(), root_fd, ".", number) if removal.cancelled else _APPEARED
    return [Left(path, errno_name(number), reason) for path in residue if path not in named]


def _remove_one(
    root_fd: int, item: Residue, opener: Opener, trash: Trash, repaired: set[str], *, kernel: Kernel, options: Options
) -> Removal:
    """Remove one; a directory from the trash, if it can be moved there. `repaired`: of the directories they are in."""
    directory, _, name = item.path.rpartition("/")
    fd = root_fd
    old_mode = None
    aside = None
    before = len(repaired)
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
            old_mode = grant(kernel, fd, os.geteuid())
            if old_mode is not None and directory not in repaired:
                repaired.add(directory)
                if options.mended is not None:
                    options.mended(directory)
        if item.directories and item.kind != "trash":
            aside = trash.take(name, fd, item.path)
        if aside is not None:
            removal = trash.remove(aside, options)
        else:
            there = trash.rename_in_place(name, fd, item.path) if item.kind == "poisoned" else name
            # Where it lies, nobody would know for residue what is moved up.
            how = replace(telling(options, lambda path: item.path + path[len(there) :]), depth=0)
            removal = rebased(remove_tree(there, dir_fd=fd, kernel=kernel, options=how), directory)
    except FileNotFoundError:
        # Removed since the audit.
        return nothing_but()
    except OSError as error:
        number = error.errno or errno.EIO
        reason = explain(kernel, os.geteuid(), root_fd, ".", number)
        return nothing_but(Left(item.path, errno_name(number), reason))
    finally:
        if old_mode is not None:
            put_back(kernel, fd, old_mode)
        if fd != root_fd:
            let_go(kernel, fd)
    return replace(removal, permissions_repaired=removal.permissions_repaired + len(repaired) - before)
