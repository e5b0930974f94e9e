"""A real build's rows, read off what strace wrote: the same rows as of a simulated one (simulator.likeness.fidelity).

Guarantees: relative paths are taken from the working directory that their process had (inherited, changed) or from the
directory behind their descriptor; a call that was interrupted counts once. A call that strace cannot show, but that
changed something, is an error: it would be missing. Not guaranteed: calls of processes that strace does not follow.
Cost: linear in the length of the log. Sources: strace(1), path_resolution(7).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.errors import MachineError
from simulator.likeness.fidelity import ROW_OPERATIONS, Row, row_of
from simulator.tools.strace_calls import Descriptor, Place, call_of
from simulator.tools.strace_log import log_line, whole_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORKS = frozenset({"fork", "vfork", "clone", "clone3"})
_OPENS = frozenset({"open", "openat", "openat2"})
_CHANGES = frozenset(
    {
        *("mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"),
        *("symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat"),
    }
)
# fchmodat2(2), the youngest of them, for a strace that knows its number only.
_UNNAMED = "syscall_0x1c4"
# Which calls strace must show; those that a machine or a strace does not have are left out ("?").
TRACED = ",".join(f"?{name}" for name in sorted(_FORKS | _OPENS | _CHANGES | {"chdir", "fchdir"}))


def rows_of_log(lines: Iterable[str], source: str, output: str | None = None) -> list[Row]:
    """The rows of one real build.

    Args:
        lines: what ``strace -f -y -e trace=TRACED`` wrote. The first process must not use relative paths before it
            changes its directory.
        source: absolute path of the unpacked source distribution, without symbolic links.
        output: absolute path of the directory that takes the wheel, shown as ``dist``; `source`/dist when not given.

    Raises:
        LogError: a line is not as strace writes it.
        MachineError: strace could not show a call that changed something.
    """
    places = {source: "", f"{source}/dist" if output is None else output: "dist"}
    directories: dict[int, str] = {}
    found: list[Row] = []
    for process, text in whole_calls(lines):
        name = text.partition("(")[0]
        if name in _FORKS:
            child = log_line(text).result
            if child > 0:
                directories[child] = directories.get(process, "/")
        elif name in {"chdir", "fchdir"}:
            _change_directory(directories, process, text)
        elif name == _UNNAMED:
            _must_have_failed(text)
        elif name in _CHANGES or name in _OPENS:
            row = _row(text, directories.get(process, "/"), places)
            if row is not None:
                found.append(row)
    return found


def _row(text: str, directory: str, places: Mapping[str, str]) -> Row | None:
    line = log_line(text)
    call = call_of(line)
    if call.operation not in ROW_OPERATIONS:
        return None
    target = _absolute(call.target, directory) if isinstance(call.target, Place) else call.target
    return row_of(
        call.operation, _absolute(call.place, directory), target, mode=call.mode, errno=call.errno, places=places
    )


def _absolute(place: Place, directory: str) -> str:
    start = place.fd.path if isinstance(place.fd, Descriptor) else directory
    path = os.path.join(start, place.name.removeprefix("./"))
    # As it was passed, where that is clear: the rows of real builds keep a "." within a path.
    return os.path.normpath(path) if ".." in path.split("/") else path.rstrip("/")


def _change_directory(directories: dict[int, str], process: int, text: str) -> None:
    line = log_line(text)
    if line.errno is None:
        # The same words as of any call on a path, or on what is behind a descriptor.
        name = {"chdir": "rmdir", "fchdir": "close"}[line.name]
        place = call_of(line._replace(name=name)).place
        directories[process] = _absolute(place, directories.get(process, "/"))


def _must_have_failed(text: str) -> None:
    if log_line(text).errno is None:
        raise MachineError(
            "strace",
            "fchmodat2",
            f"this strace does not know fchmodat2, which the build called ({text}); install strace 6.7 or later",
        )
