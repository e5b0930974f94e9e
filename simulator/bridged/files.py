"""`open` for an actor: the standard library's buffers and text layers over a raw file whose calls are steps.

Opening, reading, writing, truncating and closing are steps, each when the real one makes its call: what is written
into a buffer is a step when it is flushed, and is lost with an actor that is killed before. To seek to the end is one
too, a look at the size; opening with mode ``a`` does. Not steps, since nobody else can see them: any other seeking, and
the look at what was just opened (is it a directory? how much is there to read?), which the real one makes as well.

Pinned: the size of a buffer, which the real one takes from the file system (4,096 bytes on the usual ones).
A file that nobody closed is closed when the last reference goes, as in CPython; in the hands of anybody but its actor
(the collector of cycles) it stays open until the actor ends.
Source: `_pyio.open` and `_pyio.FileIO` of CPython 3.11 to 3.13, for the order of calls.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.bridged.bridge import current_bridge
from simulator.bridged.os_names import lseek
from simulator.bridged.os_names import open_ as open_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.bridged.bridge import Bridge

BUFFER_BYTES = 4096

_ACCESS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


class Mode(NamedTuple):
    """What a mode of `open` says.

    Attributes:
        kind: one of ``rwxa``.
        updating: whether ``+`` is in it.
        binary: whether ``b`` is.
    """

    kind: str
    updating: bool
    binary: bool


@functools.cache
def _read_mode(mode: str) -> Mode | None:
    """In any order, as `open` takes it; None when it makes no sense."""
    kinds = set(mode) & _ACCESS.keys()
    sane = len(kinds) == 1 and len(set(mode)) == len(mode) and set(mode) <= {*"rwxabt+"} and not {*"bt"} <= set(mode)
    return Mode(kinds.pop(), "+" in mode, "b" in mode) if sane else None


# Here `os` has what stands for these.
_real_fstat, _real_ftruncate, _real_lseek, _real_os_open = os.fstat, os.ftruncate, os.lseek, os.open


class GatedFile(io.RawIOBase):
    """As `io.FileIO`, on a descriptor of an actor.

    Args:
        bridge: the actor's.
        fd: open.
        name: as `open` was told.
        mode: likewise.
        closefd: whether closing the file closes the descriptor.
    """

    def __init__(self, bridge: Bridge, fd: int, name: object, mode: Mode, *, closefd: bool) -> None:
        self._bridge = bridge
        self._fd = fd
        self.name = name
        kind = "r" if mode.kind == "w" and mode.updating else mode.kind
        self.mode = kind + "b" + ("+" if mode.updating else "")
        self._reads = mode.kind == "r" or mode.updating
        self._writes = mode.kind != "r" or mode.updating
        self.closefd = closefd

    def fileno(self) -> int:
        """The descriptor."""
        self._require_open()
        return self._fd

    def isatty(self) -> bool:
        """Never: it is a file in a directory of ours."""
        self._require_open()
        return False

    def readable(self) -> bool:
        """Whether it was opened for that."""
        self._require_open()
        return self._reads

    def writable(self) -> bool:
        """Whether it was opened for that."""
        self._require_open()
        return self._writes

    def seekable(self) -> bool:
        """Of a pipe not."""
        self._require_open()
        try:
            _real_lseek(self._fd, 0, os.SEEK_CUR)
        except OSError:
            return False
        return True

    def readinto(self, buffer: Any) -> int:
        """One call."""
        self._require(self._reads, "reading")
        view = memoryview(buffer).cast("B")
        data = self._bridge.kernel.read(self._fd, len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Read to the end: a call for what there is, and one that says that there is no more."""
        self._require(self._reads, "reading")
        parts = []
        while part := self._bridge.kernel.read(self._fd, max(BUFFER_BYTES, self._left() + 1)):
            parts.append(part)
        return b"".join(parts)

    def write(self, data: Any) -> int:
        """One call, which may take fewer bytes than given."""
        self._require(self._writes, "writing")
        with memoryview(data) as view:
            whole = bytes(view)
        if self._bridge.actor.dead:
            # What a file that is being dropped still had in its buffer.
            return len(whole)
        return self._bridge.kernel.write(self._fd, whole)  # type: ignore[no-any-return]

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Not a step, unless it looks for the end."""
        self._require_open()
        return lseek(self._bridge, _real_lseek, self._own(), offset, whence)

    def tell(self) -> int:
        """Not a step."""
        return self.seek(0, os.SEEK_CUR)

    def truncate(self, size: int | None = None, /) -> int:
        """One call."""
        self._require(self._writes, "writing")
        length = self.tell() if size is None else size
        self._bridge.kernel.step("ftruncate", self._fd, _real_ftruncate, (self._fd, length), changes=True)
        return length

    def close(self) -> None:
        """One call, the first time."""
        if self.closed:
            return
        super().close()
        if self.closefd and not self._bridge.actor.dead and current_bridge() is self._bridge:
            self._bridge.kernel.close(self._fd)

    def __repr__(self) -> str:
        state = "[closed]" if self.closed else f"name={self.name!r} mode={self.mode!r} closefd={self.closefd!r}"
        return f"<{type(self).__qualname__} {state}>"

    def _left(self) -> int:
        """How many bytes there are to read, about."""
        return max(0, _real_fstat(self._own()).st_size - _real_lseek(self._fd, 0, os.SEEK_CUR))

    def _own(self) -> int:
        if self._fd not in self._bridge.actor.descriptors:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._fd

    def _require(self, possible: bool, what: str) -> None:
        self._require_open()
        if not possible:
            raise io.UnsupportedOperation(f"File not open for {what}")

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def open_(  # noqa: PLR0917 - as the real one
    bridge: Bridge,
    real: Callable[..., Any],
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[Any, int], int] | None = None,
) -> Any:
    """`open` and `io.open`; what concerns nothing inside, or makes no sense, is left to the real one."""
    rest = (mode, buffering, encoding, errors, newline, closefd, opener)
    meant = _read_mode(mode)
    text_options = encoding is not None or errors is not None or newline is not None
    # In these cases the real one touches nothing and says what is wrong.
    wrong = meant is None or (meant.binary and text_options)
    if wrong or meant is None or not _concerns(bridge, file, opener):
        if not wrong and meant is not None and meant.kind != "r" and not isinstance(file, int):
            bridge.changes_outside("open", file)
        return real(file, *rest)
    if not closefd and not isinstance(file, int):
        raise ValueError("Cannot use closefd=False with file name")
    made = _descriptor(bridge, file, meant, opener)
    if not bridge.owns(made):
        return real(made, mode, buffering, encoding, errors, newline, closefd)
    raw = GatedFile(bridge, made, file, meant, closefd=closefd)
    try:
        _check_kind(raw, file, opened=made is not file)
        if meant.kind == "a":
            raw.seek(0, os.SEEK_END)
        buffer = _buffered(raw, meant, buffering)
        layers: Any = buffer if meant.binary else io.TextIOWrapper(buffer, encoding, errors, newline, buffering == 1)
    except BaseException:
        raw.close()
        raise
    if not meant.binary:
        layers.mode = mode
    return layers


def _concerns(bridge: Bridge, file: Any, opener: object) -> bool:
    if isinstance(file, int):
        return bridge.owns(file)
    # Whose descriptor an opener returns is known when it has.
    return opener is not None or bridge.inside(file) is not None


def _descriptor(bridge: Bridge, file: Any, mode: Mode, opener: Callable[[Any, int], int] | None) -> int:
    if isinstance(file, int):
        return file
    flags = _ACCESS[mode.kind] | os.O_CLOEXEC
    if mode.updating:
        flags = flags & ~os.O_WRONLY | os.O_RDWR
    if opener is None:
        return open_descriptor(bridge, _real_os_open, file, flags, 0o666)
    fd = opener(file, flags)
    if not isinstance(fd, int):
        raise TypeError("expected integer from opener")
    if fd < 0:
        raise ValueError(f"opener returned {fd}")
    return fd


def _check_kind(raw: GatedFile, file: object, *, opened: bool) -> None:
    if stat.S_ISDIR(_real_fstat(raw.fileno()).st_mode):
        raw.closefd = raw.closefd and opened
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file)


def _buffered(raw: GatedFile, mode: Mode, buffering: int) -> Any:
    if buffering == 0:
        if not mode.binary:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    size = BUFFER_BYTES if buffering < 0 or buffering == 1 else buffering
    if mode.updating:
        return io.BufferedRandom(raw, size)
    return io.BufferedReader(raw, size) if mode.kind == "r" else io.BufferedWriter(raw, size)
