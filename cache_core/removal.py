"""Remove a tree, whatever state it is in, and nothing else.

Guarantees, in this order (each has a test that names it):

1. Nothing outside changes. Every call is relative to a descriptor that was reached downwards from the top through
   no symbolic link and no mount point (`pinned`). Links are unlinked, never followed. The mode of a file is never
   changed; that of a directory only when ours and only when bits are missing (`repair`), and it is put back when
   we leave the directory and it stays, be it for an error, a wish to stop, or an exception from a callback.
2. Every path that stays is named once, with errno and reason; its parents are not. (A directory that cannot be
   looked into stands for what is in it.)
3. One bad entry does not stop the walk.
4. Any mode, any depth, any name, any kind of node; a constant number of descriptors (`trail`); memory that does not
   grow with the number of entries in a directory, only with what is left and with depth.
5. Beside others: what is gone already is not an error, nor is a mode that another cleaner has repaired; a directory
   that is filled again while we empty it is tried again `Options.rescans` times and then reported, and so is one whose
   writer is too fast for a listing to end (`level.NAMES_MAX_TIMES`).

Not guaranteed: atomicity (others see a half-removed tree), what is in memory when the process is killed (modes
that were repaired then stay repaired), and entries created behind the walk. Races that remain, and why they do no harm:

- Race 1: between listing and unlink a name gets another file. That one is removed: it is in the cache as well.
- Race 2: a directory that we hold is moved out of the tree. What was in it was the cache's; what the mover puts into
  it afterwards goes too, and that is nothing that the mover, who must own it or its parent, could not delete.
- Race 3: on the way back down to a level that was given up, a name leads to another directory. It lies below the
  top as well; a repaired mode is put back only on the inode that had it.
- Race 4: a directory's mode is changed again between repair and use. Tried `REPAIRS_MAX` times, then reported.

Those that moving aside, several workers, moving up and removing a cache itself open are numbered on in `trash`, `crew`,
`lift` and `aftermath`.

Cost, per file: one unlink (and one lstat with `measure`); per directory: open, listing, rmdir, close.
"""

from __future__ import annotations

import errno
import os
import sys
from itertools import islice

from cache_core.acts import BLOCK_BYTES, REPAIRS_MAX, Acts
from cache_core.kernel import REAL, let_go
from cache_core.level import NOTHING, Level
from cache_core.lift import Lift
from cache_core.outcome import DEFAULT, Options, Removal
from cache_core.pinned import Opener
from cache_core.repair import mend, put_back
from cache_core.trail import Trail
from cache_core.units import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cache_core.kernel import DirEntry, Kernel, Listing
    from cache_core.repair import OldMode

# Entries looked at between two looks at the caller's wish to stop: some 5 ms.
_BATCH = 512
# Names of subdirectories that wait to be entered, in all levels together; half of what is left to each new level. The
# rest of a directory is listed again after they are gone.
_WAITING_MAX = 32_768
_WAITING_PER_LEVEL_MIN = 64
# How often, in one removal, the way back may be lost because others removed or moved a directory that we are in. Two
# cleaners do so to each other, and each time something is gone; more than this means that it is moved to and fro.
_WAYS_LOST_MAX = 1024


def remove_tree(path: str, *, dir_fd: int | None = None, kernel: Kernel = REAL, options: Options = DEFAULT) -> Removal:
    """Remove whatever has the name, with everything below it.

    Args:
        path: With `dir_fd`, one name in that directory; else a path, whose directory may be reached through links
            and is never changed but for this name.
        dir_fd: The directory the name is in.
        kernel: Where the calls go.
        options: How to remove.

    Raises:
        OSError: The directory that it is in cannot be opened; or EINVAL, the path ends in no name (`/`, `.`, `..`), or
            with `dir_fd` is more than one. All else is in the result.
    """
    if dir_fd is not None:
        return remove_entries((path,), dir_fd=dir_fd, kernel=kernel, options=options)
    directory, _, name = path.rstrip("/").rpartition("/")
    if not directory and path.startswith("/"):
        directory = "/"
    _require_name(name, path)
    fd = kernel.open(directory or ".", os.O_PATH | os.O_DIRECTORY)
    try:
        return _Walk(kernel, fd, options).only((name,))
    finally:
        let_go(kernel, fd)


def remove_entries(names: Sequence[str], *, dir_fd: int, kernel: Kernel = REAL, options: Options = DEFAULT) -> Removal:
    """Remove what has one of the names in the directory `dir_fd`; arguments and errors as those of `remove_tree`."""
    for name in names:
        _require_name(name, name)
    return _Walk(kernel, dir_fd, options).only(names)


def _require_name(name: str, path: str) -> None:
    if name in ("", ".", "..") or "/" in name:
        raise OSError(errno.EINVAL, "not the name of an entry of a directory", path)


def remove_contents(
    directory_fd: int, *, keep: Collection[str] = NOTHING, kernel: Kernel = REAL, options: Options = DEFAULT
) -> Removal:
    """Remove everything in a directory, but not the directory.

    Args:
        directory_fd: The directory, open for reading (not O_PATH).
        keep: Names in it that are left alone and not reported.
        kernel: Where the calls go.
        options: How to remove.
    """
    return _Walk(kernel, directory_fd, options).everything(keep)


class _Walk:
    """One removal: a stack of levels, the deepest last, in step with the trail."""

    def __init__(self, kernel: Kernel, top_fd: int, options: Options) -> None:
        self._kernel = kernel
        self._opener = Opener(kernel, top_fd)
        self._trail = Trail(kernel, self._opener, top_fd)
        self._options = options
        self._acts = Acts(kernel, self._trail, options)
        self._levels: list[Level] = []
        self._waiting = 0
        self._ways_lost = 0
        self._depth = options.depth or sys.maxsize
        self._lift = Lift(kernel, self._opener, top_fd, options, self._acts.uid)

    def only(self, names: Sequence[str]) -> Removal:
        """Remove names of the top, which is outside: its mode is not ours to repair."""
        top = Level()
        top.list_again = False
        top.repairs = REPAIRS_MAX
        top.waiting.extend(reversed(names))
        self._waiting = len(names)
        return self._run(top)

    def everything(self, keep: Collection[str]) -> Removal:
        """Remove what is in the top."""
        return self._run(Level(keep))

    def _run(self, top: Level) -> Removal:
        self._levels.append(top)
        finished = False
        try:
            finished = self._walk()
        finally:
            try:
                self._put_modes_back(everywhere=not finished)
            finally:
                self._trail.close()
        return self._acts.result()

    def _walk(self) -> bool:
        """Returns whether it came to the end."""
        while not self._acts.stop():
            level = self._levels[-1]
            if level.waiting:
                self._waiting -= 1
                self._enter(level, level.waiting.pop())
            elif level.list_again:
                self._list(level)
            elif len(self._levels) > 1:
                self._leave()
            else:
                return True
        return False

    def _list(self, level: Level) -> None:
        """Unlink what is no directory, as it is listed, and note the subdirectories."""
        level.list_again = False
        level.error = None
        level.limit = max(_WAITING_PER_LEVEL_MIN, (_WAITING_MAX - self._waiting) // 2)
        fd = self._trail.current()
        met = 0
        try:
            listing = self._kernel.scandir(fd)
        except OSError as error:
            level.error = error
        else:
            with listing:
                met = self._unlink_listed(level, fd, listing)
        if level.first is None:
            level.first = max(level.seen, level.limit)
        self._waiting += len(level.waiting)
        if len(self._levels) == 1:
            self._list_top_again(level, met)

    def _unlink_listed(self, level: Level, fd: int, listing: Listing) -> int:
        """Returns how many entries it met that are not known to stay."""
        met = 0
        skip = level.skip
        part = skip if isinstance(skip, Part) else None
        while batch := self._next_batch(level, listing):
            if level.old_mode is not None:
                self._acts.count_repair(level)
            names = self._unlink_batch(level, fd, batch if part is None else part.of(batch))
            met += names
            level.seen += names
            self._acts.tell()
            if level.endless:
                level.list_again = False
                break
            if len(level.waiting) >= level.limit:
                # Ends: each of these names is gone, or in `skip`, before the next listing.
                level.list_again = True
                if level.first is not None:
                    break
                # To the end all the same, once: how many there are tells a large directory from an endless one.
                del level.waiting[level.limit :]
            # A batch that is not full was the last one: nobody need be asked for the next.
            if len(batch) < _BATCH or self._acts.stop():
                break
        return met

    @staticmethod
    def _next_batch(level: Level, listing: Listing) -> list[DirEntry]:
        # Around nothing else: an error from a callback is no error of the listing.
        try:
            return list(islice(listing, _BATCH))
        except OSError as error:
            level.error = error
            return []

    def _list_top_again(self, top: Level, met: int) -> None:
        """The top is not removed, so no rmdir tells whether it is empty: list until nothing new is met."""
        if top.error is not None:
            self._acts.report(top, ".", top.error)
        elif top.endless:
            self._acts.report(top, ".", OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY)))
        elif met and not top.list_again:
            top.tries += 1
            top.list_again = top.tries <= self._options.rescans

    def _unlink_batch(self, level: Level, fd: int, batch: list[DirEntry]) -> int:
        """The hot loop. Returns how many entries it met that are not known to stay."""
        unlink = self._kernel.unlink
        measure = self._options.measure
        tell_each = self._options.removed is not None
        skip = level.skip
        files = met = freed = 0
        for entry in batch:
            name = entry.name
            if name in skip:
                continue
            met += 1
            try:
                if entry.is_dir(follow_symlinks=False):
                    level.waiting.append(name)
                    continue
                blocks = 0
                if measure:
                    status = entry.stat(follow_symlinks=False)
                    blocks = status.st_blocks if status.st_nlink == 1 else 0
                unlink(name, dir_fd=fd)
            except FileNotFoundError:
                # Another cleaner, or its owner, was faster: gone is what we want.
                continue
            except OSError as error:
                self._unlink_refused(level, fd, name, error)
                skip = level.skip
            else:
                files += 1
                freed += blocks
                if tell_each:
                    self._acts.tell_removed(name)
        self._acts.files += files
        self._acts.bytes += freed * BLOCK_BYTES
        return met

    def _unlink_refused(self, level: Level, fd: int, name: str, error: OSError) -> None:
        while error.errno == errno.EACCES and self._acts.repair(level, fd):
            try:
                self._acts.unlink(fd, name)
            except OSError as again:
                error = again
            else:
                return
        if error.errno == errno.EISDIR:
            level.waiting.append(name)
        elif error.errno != errno.ENOENT:
            self._acts.report(level, name, error)

    def _enter(self, parent: Level, name: str) -> None:
        """Open a subdirectory and make it the current one; or settle what else has become of the name."""
        level = Level()
        if parent.refilled is not None:
            # The name that was put back last is the one that was taken now.
            level.go_on_from(parent.refilled)
            parent.refilled = None
        parent_fd = self._trail.current()
        if len(self._levels) > self._depth and self._is_moved_up(parent, parent_fd, name):
            return
        try:
            fd = self._opener.open(name, parent_fd)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.EACCES:
                opened = self._enter_shut(parent, parent_fd, name, error)
                if opened is None:
                    return
                fd, level.old_mode = opened
            elif error.errno in (errno.ENOTDIR, errno.ELOOP):
                self._replaced(parent, parent_fd, name, error)
                return
            else:
                self._acts.report(parent, name, error)
                return
        self._trail.enter(name, fd)
        if len(self._levels) == 1:
            level.old_mode = level.old_mode or self._lift.old_mode(name)
        self._levels.append(level)
        # At once, and not at the next turn: there is one of these for each directory.
        self._list(level)

    def _is_moved_up(self, parent: Level, parent_fd: int, name: str) -> bool:
        """Whether nothing is to be done about a directory that lies deep: not here, or not by us."""
        held = self._options.held
        if self._waiting >= _WAITING_MAX or (held and self._trail.path(name) in held):
            return False
        aside = self._lift.move(name, parent_fd, len(self._levels), lambda: self._acts.repair(parent, parent_fd))
        if aside is not None:
            self._acts.note_moved(name, aside)
            self._levels[0].waiting.append(aside)
            self._waiting += 1
        elif self._lift.refused and self._options.provisional:
            # Whoever looks afterwards has another top, to which it can be moved.
            self._acts.stays(parent, name)
        else:
            return False
        return True

    def _enter_shut(
        self, parent: Level, parent_fd: int, name: str, error: OSError
    ) -> tuple[int, OldMode | None] | None:
        """Open a directory that keeps us out. None: it is gone, or reported."""
        for _ in range(REPAIRS_MAX):
            # An empty one goes without being opened, whoever owns it.
            number = self._acts.rmdir(parent_fd, name)
            if number == 0:
                return None
            again = number == errno.EACCES and self._acts.repair(parent, parent_fd)
            try:
                pin = self._opener.pin(name, parent_fd)
            except OSError as refused:
                error = refused
                again = again or (error.errno == errno.EACCES and self._acts.repair(parent, parent_fd))
            else:
                try:
                    complete, old_mode = mend(self._kernel, pin, self._acts.uid, pinned=True)
                    again = again or complete
                    return self._open_pinned(pin, old_mode), old_mode
                except OSError as refused:
                    error = refused
                finally:
                    let_go(self._kernel, pin)
            if not again:
                break
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            self._replaced(parent, parent_fd, name, error)
        elif error.errno != errno.ENOENT:
            self._acts.report(parent, name, error)
        return None

    def _open_pinned(self, pin: int, old_mode: OldMode | None) -> int:
        """Open what was given bits, or take them away again."""
        opened = False
        try:
            fd = self._opener.open_pinned(pin)
            opened = True
        finally:
            if not opened and old_mode is not None:
                put_back(self._kernel, pin, old_mode, pinned=True)
        return fd

    def _replaced(self, parent: Level, parent_fd: int, name: str, error: OSError) -> None:
        """What was a directory is none any more: a link or a file goes like any other."""
        parent.tries += 1
        try:
            self._acts.unlink(parent_fd, name)
        except OSError as refused:
            if refused.errno == errno.EISDIR and parent.tries > self._options.rescans:
                self._acts.report(parent, name, error)
                return
            before = len(parent.waiting)
            self._unlink_refused(parent, parent_fd, name, refused)
            self._waiting += len(parent.waiting) - before

    def _leave(self) -> None:
        """Go up, and remove the directory that was left unless something in it stays."""
        level = self._levels[-1]
        name, fd = self._trail.leave()
        try:
            self._levels.pop()
            self._settle(level, name)
        finally:
            # Whatever has become of the name: the directory may have been moved out of the tree.
            try:
                if level.old_mode is not None:
                    put_back(self._kernel, fd, level.old_mode)
            finally:
                let_go(self._kernel, fd)
        self._acts.tell()

    def _settle(self, level: Level, name: str) -> None:
        """Remove the directory `name` of the current one, or see to it that it is tried again, or named."""
        try:
            parent_fd = self._trail.current()
        except OSError as error:
            self._way_lost(error)
            return
        parent = self._levels[-1]
        if level.survivors and level.error is None:
            self._acts.stays(parent, name)
            return
        number = self._acts.rmdir(parent_fd, name)
        while number == errno.EACCES and self._acts.repair(parent, parent_fd):
            number = self._acts.rmdir(parent_fd, name)
        full = number in (errno.ENOTEMPTY, errno.EEXIST)
        if not full and level.error is None:
            self._acts.count_emptied(level)
        if number == 0:
            return
        refilled = full and level.error is None
        if refilled and level.tries < self._options.rescans and not level.endless:
            level.tries += 1
            parent.refilled = level
            parent.waiting.append(name)
            self._waiting += 1
        elif number == errno.ENOTDIR:
            self._replaced(parent, parent_fd, name, OSError(number, os.strerror(number)))
        else:
            self._acts.report(parent, name, level.error or OSError(number, os.strerror(number)))

    def _way_lost(self, error: OSError) -> None:
        """A directory above was taken away or shut: begin again at the nearest one that is open (Race 3).

        Modes repaired on the lost way stay repaired: what we could put back cannot be reached.
        """
        lost = self._trail.retreat()
        depth = len(self._trail.names) + 1
        self._waiting -= sum(len(level.waiting) for level in self._levels[depth:])
        del self._levels[depth:]
        level = self._levels[-1]
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        if gone:
            self._ways_lost += 1
            again = self._ways_lost <= _WAYS_LOST_MAX
        else:
            level.tries += 1
            again = level.tries <= self._options.rescans
        if again:
            # What stays there is met again, unless it is gone as well.
            self._acts.forget_below(lost)
            level.waiting.append(lost)
            self._waiting += 1
            return
        # The error says what the way was like; what its beginning is like now is what can be reported.
        fd = self._trail.current()
        number = self._acts.rmdir(fd, lost)
        now = OSError(number, os.strerror(number))
        if number == errno.ENOTDIR:
            self._replaced(level, fd, lost, now)
        elif number:
            self._acts.report(level, lost, now if gone else error)

    def _put_modes_back(self, *, everywhere: bool) -> None:
        """At the end, or where we were stopped: directories that survive get their old mode.

        Wherever that was: an interrupt can leave the levels a step ahead of the trail, or behind it. A mode is put back
        on its own inode only, so a level that is taken for its neighbour does no harm.
        """
        while self._trail.names:
            try:
                self._trail.current()
            except OSError:
                self._trail.retreat()
                continue
            depth = len(self._trail.names)
            _, fd = self._trail.leave()
            try:
                old_mode = self._levels[depth].old_mode if depth < len(self._levels) else None
                if old_mode is not None:
                    put_back(self._kernel, fd, old_mode)
            finally:
                let_go(self._kernel, fd)
        self._lift.end()
        top = self._levels[0]
        # Whoever comes after us, or works beside us in another part of it, has to find the mode that it had.
        if top.old_mode is not None and (top.survivors or everywhere or self._options.provisional):
            put_back(self._kernel, self._trail.current(), top.old_mode)
