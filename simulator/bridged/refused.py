"""What an actor may not do, since no gate can stand before it: one line that names the call and where it is.

The line is kept as well as raised, so that an actor which catches everything does not hide it: the run ends with it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from simulator.errors import UngatedCallError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from simulator.bridged.bridge import Bridge, Watch

_PROGRAM = "a program that it starts makes its calls beside the gate"
_DIRECTORY = "one process has one working directory, which all actors share; use absolute paths or dir_fd"
_PROCESS = "all actors are one process"
_SIGNAL = "all actors are one process; the number that os.getpid tells one is that of no process, or of a stranger"
_FREE = "how much space is free depends on the machine and on everybody"
SHARED_LOCKS = "its locks belong to the process, which all actors share; use fcntl.flock"

# Names of `os`.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp"), _PROGRAM),
    **dict.fromkeys(("execv", "execve", "_exit", "abort", "login_tty", "unshare", "setns"), _PROCESS),
    **dict.fromkeys(("setuid", "seteuid", "setreuid", "setresuid", "setgid", "setegid", "setregid"), _PROCESS),
    **dict.fromkeys(("setresgid", "setgroups", "initgroups", "setsid", "setpgid", "setpgrp", "tcsetpgrp"), _PROCESS),
    **dict.fromkeys(("nice", "setpriority", "sched_setaffinity", "sched_setparam", "sched_setscheduler"), _PROCESS),
    **dict.fromkeys(("wait", "wait3", "wait4", "waitid", "waitpid"), _PROCESS),
    **dict.fromkeys(("kill", "killpg"), _SIGNAL),
    **dict.fromkeys(("chdir", "fchdir", "chroot"), _DIRECTORY),
    **dict.fromkeys(("dup2", "closerange"), "it closes descriptors of others by number; use os.dup and os.close"),
    "copy_file_range": "it has no footprint yet; copy by os.sendfile, or by reading and writing",
}

# Names of `os` that are refused on what is inside: the arguments that say what that is, the first ones, and why.
REFUSED_INSIDE: dict[str, tuple[tuple[str, ...], str]] = {
    "lockf": (("fd",), SHARED_LOCKS),
    "splice": (("src", "dst"), "it has no footprint yet; read and write"),
    "statvfs": (("path",), _FREE),
    "fstatvfs": (("fd",), _FREE),
    "pathconf": (("path",), "it is no step; use os.fpathconf"),
}

# Whose frames are not where a call comes from: ours, and what the call goes through in the standard library.
_OURS = "simulator."


def cannot_gate(bridge: Bridge, call: str, reason: str) -> UngatedCallError:
    """To be raised."""
    return report(bridge.watch, bridge.actor.name, call, reason)


def report(watch: Watch, who: str, call: str, reason: str) -> UngatedCallError:
    """Keep the line, and make the error.

    Args:
        watch: the run's.
        who: made the call.
        call: with its arguments, as far as they help.
        reason: why it cannot be gated, and what to do instead.
    """
    line = f"{who} calls {call} at {place(sys._getframe(1))}, which cannot be gated: {reason}"  # noqa: SLF001
    if line not in watch.problems:
        watch.problems.append(line)
    return UngatedCallError("ungated-call", call, line)


def refusal(name: str) -> Callable[..., Any]:
    """What stands for a name of `REFUSED`."""

    def call(bridge: Bridge, real: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        del real, arguments, keywords
        raise cannot_gate(bridge, f"os.{name}", REFUSED[name])

    return call


def refusal_inside(name: str) -> Callable[..., Any]:
    """What stands for a name of `REFUSED_INSIDE`."""
    given, reason = REFUSED_INSIDE[name]

    def call(bridge: Bridge, real: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        for what in (*arguments[: len(given)], *map(keywords.get, given)):
            if bridge.owns(what) or bridge.inside(what) is not None:
                raise cannot_gate(bridge, f"os.{name}", reason)
        return real(*arguments, **keywords)

    return call


def place(frame: FrameType | None) -> str:
    """The innermost file and line that are not ours."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
