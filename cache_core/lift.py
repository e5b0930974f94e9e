"""Move what lies deep up to the top, to be removed from there.

Behind a fence the kernel walks up at each call, from where it is made to the root of the cache: removing a chain of n
directories would cost n * n. So the walk gives a directory that lies deeper than `Options.depth` a name in the top.

Guarantees: moves within the tree only, by descriptors, directories that nothing is mounted in. One that its mode keeps
from being moved is given the bits first, and its mode back if it is not removed after all. Bounded by what the walk may
remember; what cannot be moved is entered where it is. A top whose own mode, or owner, refuses is asked once.
Not guaranteed: that nobody sees it under the name that it has then.
Races that remain, numbered on from `crew`, and why they do no harm:

- Race 14: a name is exchanged between the refusal, the repair and the rename: another directory of ours in the cache is
  given bits or moved up. A mode is put back on the inode that had it only.
- Race 15: of two cleaners without a lock one moves a directory from under the other. That one's way is lost, and begun
  again a bounded number of times; whoever moved it removes it.

Cost: one rename for each that is moved; a pin and a chmod more where the mode forbids it.
"""

from __future__ import annotations

import errno

from cache_core.kernel import let_go
from cache_core.layout import TRASH_PREFIX
from cache_core.repair import lacks_owner_bits, mend, put_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cache_core.kernel import Kernel
    from cache_core.outcome import Options
    from cache_core.pinned import Opener
    from cache_core.repair import OldMode

# How often a name in the top is looked for that nothing has.
_TRIES_MAX = 64


class Lift:
    """What one removal has moved up."""

    __slots__ = ("_depth", "_kernel", "_mark", "_number", "_old_modes", "_opener", "_top_fd", "_uid", "refused")

    def __init__(self, kernel: Kernel, opener: Opener, top_fd: int, options: Options, uid: int) -> None:
        self._kernel = kernel
        self._opener = opener
        self._top_fd = top_fd
        self._uid = uid
        self._depth = options.depth
        self._mark = options.mark
        self._number = 0
        self._old_modes: dict[str, OldMode] = {}
        self.refused = False  # by the top itself: nothing can be moved to it

    def move(self, name: str, parent_fd: int, depth: int, repair_parent: Callable[[], bool]) -> str | None:
        """Move a directory that lies `depth` levels below the top; returns its name there, None when it stays."""
        if not self._depth or depth <= self._depth or self.refused:
            return None
        old_mode: OldMode | None = None
        for _ in range(_TRIES_MAX):
            self._number += 1
            aside = f"{TRASH_PREFIX}-deep-{self._mark}{self._number}"
            try:
                self._kernel.rename(name, aside, src_dir_fd=parent_fd, dst_dir_fd=self._top_fd)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    continue
                self.refused = error.errno == errno.EACCES and self._top_keeps_us_out()
                if error.errno != errno.EACCES or self.refused:
                    break
                # What is moved gets another `..`, so its owner must be allowed to write it; and where it is from.
                if old_mode is None:
                    old_mode = self._mended(name, parent_fd)
                    if old_mode is not None:
                        continue
                if not repair_parent():
                    break
            else:
                if old_mode is not None:
                    self._old_modes[aside] = old_mode
                return aside
        if old_mode is not None:
            self._put_back(name, parent_fd, old_mode)
        return None

    def _top_keeps_us_out(self) -> bool:
        try:
            status = self._kernel.fstat(self._top_fd)
        except OSError:
            return False
        return status.st_uid != self._uid or lacks_owner_bits(status)

    def old_mode(self, aside: str) -> OldMode | None:
        """The mode of one that was moved, before it was repaired; from now on the caller's to put back."""
        return self._old_modes.pop(aside, None) if self._old_modes else None

    def end(self) -> None:
        """Those that were moved and not entered get their mode back."""
        while self._old_modes:
            aside, old_mode = self._old_modes.popitem()
            self._put_back(aside, self._top_fd, old_mode)

    def _mended(self, name: str, parent_fd: int) -> OldMode | None:
        try:
            pin = self._opener.pin(name, parent_fd)
        except OSError:
            return None
        try:
            return mend(self._kernel, pin, self._uid, pinned=True)[1]
        finally:
            let_go(self._kernel, pin)

    def _put_back(self, name: str, dir_fd: int, old_mode: OldMode) -> None:
        try:
            pin = self._opener.pin(name, dir_fd)
        except OSError:
            # Gone, or moved on: whoever did that has it as it is.
            return
        try:
            put_back(self._kernel, pin, old_mode, pinned=True)
        finally:
            let_go(self._kernel, pin)
