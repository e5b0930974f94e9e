"""The single acts of a removal, each with its entry in the account that is given at the end.

Guarantees: what is counted was done, what is reported is named once, by path; a directory that was given bits counts
once. Where to act, in which order and how often is `removal`'s business. Cost: the calls themselves; what a mode or an
owner refuses costs a look at it, and what is left is explained (`reasons`).
"""

from __future__ import annotations

import errno
import os

from cache_core.errors import errno_name
from cache_core.outcome import Left, Options, Progress, Removal
from cache_core.reasons import explain
from cache_core.repair import mend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.kernel import Kernel
    from cache_core.level import Level
    from cache_core.trail import Trail

# How often a mode that others take away again is repaired in one directory; and how often a refusal there is put down
# to a mode that others have repaired by now.
REPAIRS_MAX = 3

BLOCK_BYTES = 512


class Acts:
    """What one removal has done so far, and how it does more."""

    def __init__(self, kernel: Kernel, trail: Trail, options: Options) -> None:
        self._kernel = kernel
        self._trail = trail
        self._options = options
        self.uid = os.geteuid()
        self.files = self.directories = self.bytes = self.repaired = 0
        self._left: dict[str, Left] = {}
        # Where that was which has a name in the top now; kept while it is there, and only if somebody is told of paths.
        self._origins: dict[str, str] = {}
        self.stopped = False

    def result(self) -> Removal:
        """The account."""
        left = tuple(self._left[path] for path in sorted(self._left))
        return Removal(self.files, self.directories, self.bytes, self.repaired, left, self.stopped)

    def stop(self) -> bool:
        """Whether the caller wants an end."""
        if not self.stopped and self._options.cancelled is not None:
            self.stopped = self._options.cancelled()
        return self.stopped

    def tell(self) -> None:
        """Tell the caller how far it is."""
        if self._options.progress is not None:
            self._options.progress(Progress(self.files, self.directories, self.bytes))

    def tell_removed(self, name: str) -> None:
        """Tell the caller what went from the current directory."""
        if self._options.removed is not None:
            self._options.removed(self._origin(self._trail.path(name)))
        if self._origins and not self._trail.names:
            self._origins.pop(name, None)

    def note_moved(self, name: str, aside: str) -> None:
        """What had the name in the current directory has the name `aside` in the top from now on."""
        if self._options.removed is not None or self._options.mended is not None:
            self._origins[aside] = self._origin(self._trail.path(name))

    def _origin(self, path: str) -> str:
        """Where it was before it, or what it is in, was moved up."""
        if not self._origins:
            return path
        first, slash, rest = path.partition("/")
        return self._origins.get(first, first) + slash + rest

    def unlink(self, fd: int, name: str) -> None:
        """Remove what is no directory: one of the few that the hot loop could not."""
        freed = 0
        if self._options.measure:
            status = self._kernel.lstat(name, dir_fd=fd)
            freed = status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0
        self._kernel.unlink(name, dir_fd=fd)
        self.files += 1
        self.bytes += freed
        self.tell_removed(name)

    def rmdir(self, fd: int, name: str) -> int:
        """Remove an empty directory. Returns 0 when it is gone, else the error number."""
        try:
            self._kernel.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            return 0
        except OSError as error:
            return error.errno or errno.EIO
        self.directories += 1
        self.tell_removed(name)
        return 0

    def repair(self, level: Level, fd: int) -> bool:
        """Give the owner of an open directory what is missing. Returns whether trying again makes sense."""
        if level.repairs >= REPAIRS_MAX:
            return False
        complete, old_mode = mend(self._kernel, fd, self.uid)
        if not complete:
            return False
        if old_mode is None:
            # Nothing refuses us by now: another cleaner may have repaired it between the refusal and our look.
            level.found_complete += 1
            return level.found_complete <= REPAIRS_MAX
        level.repairs += 1
        level.old_mode = level.old_mode or old_mode
        self.count_repair(level)
        return True

    def count_repair(self, level: Level) -> None:
        """Once for each directory that something was in, however often it is entered."""
        if level.old_mode is not None and not level.repaired:
            level.repaired = True
            if not self._options.provisional:
                self.repaired += 1
            if self._options.mended is not None:
                self._options.mended(self._origin("/".join(self._trail.names) or "."))

    def count_emptied(self, level: Level) -> None:
        """What was in a directory that was given bits went, and perhaps it as well: nobody else will count it."""
        if level.repaired and self._options.provisional:
            self.repaired += 1

    def report(self, level: Level, name: str, error: OSError) -> None:
        """A name in the current directory stays, and this is why."""
        if not self._options.provisional:
            number = error.errno or errno.EIO
            path = self._trail.path(name)
            reason = explain(self._kernel, self.uid, self._trail.current(), name, number)
            self._left[path] = Left(path, errno_name(number), reason)
        self.stays(level, name)

    @staticmethod
    def stays(level: Level, name: str) -> None:
        """It stays because of what is in it, which is named."""
        if not isinstance(level.skip, set):
            level.skip = set(level.skip)
        level.skip.add(name)
        level.survivors = True

    def forget_below(self, name: str) -> None:
        """What was said to stay below a name of the current directory: the walk begins there again."""
        start = self._trail.path(name) + "/"
        self._left = {path: left for path, left in self._left.items() if not path.startswith(start)}
