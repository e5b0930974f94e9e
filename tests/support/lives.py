"""Whether a process is alive."""

from __future__ import annotations


def lives(pid):
    """Whether there is more of it than the body of one that nobody has reaped yet."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return "State:\tZ" not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False
