"""The kernel's list of locks, to see that a process waits: no sleeping and hoping."""

from __future__ import annotations

import os
import time

# A process on a busy machine starts within a second or two.
_SECONDS_MAX = 60.0


def rows_of(path):
    """The rows of flock(2) on a file: (whether it waits, pid) each. Not for btrfs and overlayfs."""
    status = os.stat(path)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as lines:
        rows = [line.split() for line in lines]
    found = []
    for row in rows:
        waits = row[1] == "->"
        kind, _, _, pid, where = row[1 + waits : 6 + waits]
        if kind == "FLOCK" and where == place:
            found.append((waits, int(pid)))
    return found


def until(holds, process=None):
    """Ask until it holds.

    Args:
        holds: a function.
        process: must not end before it does.
    """
    end = time.monotonic() + _SECONDS_MAX
    while not holds():
        assert process is None or process.poll() is None, f"it ended: {process.communicate()}"
        assert time.monotonic() < end, "it takes too long"
        # Others need the processor for it to become so.
        time.sleep(0.001)


def until_it_waits(path, process):
    """Until a process waits in the kernel for the lock of a file."""
    until(lambda: (True, process.pid) in rows_of(path), process)
