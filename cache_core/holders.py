"""Who holds a lock, and which of them has started us, as far as /proc tells.

Guarantees: changes nothing, raises nothing that the system says: what /proc does not tell is left out. Whoever only
waits for the lock is not among its holders. A command is one line of at most 60 characters, without control
characters, and without what looks like a password: it ends up in messages and logs.

Not guaranteed: that it is still so when it is read. Processes of another pid namespace, or hidden from us, are not
seen; nor is one that got the lock by forking: the row is that of the process that took it, and goes with it. Only
flock(2), not fcntl(2).
Cost: two lists of /proc, and one or two files of it for each holder; one for each of our ancestors. Sources:
proc_locks(5), proc_pid_cmdline(5), proc_pid_stat(5).
"""

from __future__ import annotations

import os
import re

from cache_core.errors import shown
from cache_core.kernel import let_go
from cache_core.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cache_core.kernel import Kernel

COMMAND_CHARACTERS_MAX = 60
# Of several holders, how many a message names.
_NAMED_MAX = 3

_READ_BYTES = 65_536
# What stands before it in a shown command is enough to tell who it is.
_COMMAND_BYTES_MAX = 4096
# A number, "FLOCK" ("->" before it: somebody waits), how strong, which kind, pid, device and inode.
_LOCK_ROW = re.compile(rb"^\d+: FLOCK +\S+ +\S+ +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE)
# An id, that of the parent, the device.
_MOUNT_ROW = re.compile(rb"^(\d+) \d+ (\d+):(\d+) ", re.MULTILINE)

_IN_A_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_IN_AN_OPTION = re.compile(r"((?:password|passwd|secret|token|api-?key)[\w-]*[=\s])\S+", re.IGNORECASE)
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock.

    Attributes:
        pid: As seen from here.
        command: Its command line, fit to be shown; its name where it has none; empty where that cannot be read.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        """As `uv pip install jaeger-client (pid 4321)`."""
        return f"{self.command} (pid {self.pid})" if self.command else f"pid {self.pid}"


def holders_of(fd: int, kernel: Kernel) -> tuple[Holder, ...]:
    """The processes that hold a flock on the file behind a descriptor, by pid; none where /proc does not tell."""
    try:
        status = kernel.fstat(fd)
        rows = _LOCK_ROW.findall(_read(kernel, "/proc/locks"))
    except OSError:
        return ()
    devices = {(os.major(status.st_dev), os.minor(status.st_dev)), *_devices_of_mount(fd, kernel)}
    pids = {
        int(pid)
        for pid, major, minor, inode in rows
        if int(inode) == status.st_ino and (int(major, 16), int(minor, 16)) in devices
    }
    return tuple(Holder(pid, _command(pid, kernel)) for pid in sorted(pids))


def ancestor_among(holders: Sequence[Holder], kernel: Kernel) -> Holder | None:
    """The one among them that has started this process, or whoever started it, and so on; the nearest of several."""
    by_pid = {holder.pid: holder for holder in holders}
    process = "self"
    # None, or one that is not seen from here, is 0.
    while by_pid and (process := _parent(process, kernel)) not in ("0", ""):
        found = by_pid.pop(int(process), None)
        if found is not None:
            return found
    return None


def in_words(holders: Sequence[Holder]) -> str:
    """Who they are, for a message: `uv sync (pid 7), uv run (pid 9)`; `others` when it is not known."""
    if not holders:
        return "others"
    named = ", ".join(map(str, holders[:_NAMED_MAX]))
    more = len(holders) - _NAMED_MAX
    return f"{named} and {more} more" if more > 0 else named


def _devices_of_mount(fd: int, kernel: Kernel) -> list[tuple[int, int]]:
    """The device as the list of mounts has it, and that of locks too: on btrfs and overlayfs, stat(2) has another."""
    try:
        mount = kernel.mount_id(fd)
        rows = _MOUNT_ROW.findall(_read(kernel, "/proc/self/mountinfo"))
    except OSError:
        return []
    return [(int(major), int(minor)) for number, major, minor in rows if int(number) == mount]


def _command(pid: int, kernel: Kernel) -> str:
    """What the process was started as; what the system fails to tell (it has ended, it is hidden) is empty."""
    try:
        line = _read(kernel, f"/proc/{pid}/cmdline", _COMMAND_BYTES_MAX)
        if line.strip(b"\0"):
            program, *words = os.fsdecode(line).rstrip("\0").split("\0")
            # With a space in it, it is no path but a title that the process gave itself.
            name = program if " " in program else program.rpartition("/")[2]
            return _fit_to_be_shown(" ".join([name, *words]))
        # A thread of the kernel, or a process that is ending.
        return _fit_to_be_shown(os.fsdecode(_read(kernel, f"/proc/{pid}/comm", _COMMAND_BYTES_MAX)).rstrip("\n"))
    except OSError:
        return ""


def _parent(process: str, kernel: Kernel) -> str:
    """The number of its parent as /proc has it, whose numbers those of the holders are; empty when it does not tell."""
    try:
        row = _read(kernel, f"/proc/{process}/stat", _COMMAND_BYTES_MAX)
    except OSError:
        return ""
    # After the name, in which there may be anything, and the state.
    return os.fsdecode(b"".join(row.rpartition(b") ")[2].split()[1:2]))


def _fit_to_be_shown(command: str) -> str:
    text = shown(_IN_AN_OPTION.sub(rf"\1{_HIDDEN}", _IN_A_URL.sub(_HIDDEN, command)))
    return text if len(text) <= COMMAND_CHARACTERS_MAX else text[: COMMAND_CHARACTERS_MAX - 3] + "..."


def _read(kernel: Kernel, path: str, length_max: int | None = None) -> bytes:
    """The file, or about as much of it as is wanted."""
    fd = kernel.open(path, os.O_RDONLY | os.O_CLOEXEC)
    pieces: list[bytes] = []
    try:
        while (length_max is None or not pieces) and (piece := kernel.read(fd, length_max or _READ_BYTES)):
            pieces.append(piece)
    finally:
        let_go(kernel, fd)
    return b"".join(pieces)
