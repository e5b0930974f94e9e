"""Each name that `os` has is gated, refused, or known to concern no file of anybody."""

from __future__ import annotations

import json
import subprocess

import pytest

from simulator.bridged.os_names import GATED
from simulator.bridged.pinned import OS_NAMES
from simulator.bridged.refused import REFUSED, REFUSED_INSIDE
from tests.support.interpreters import find_interpreter

# Python code in os.py, by other names of os.
MADE_OF_OTHERS = {
    "execl", "execle", "execlp", "execlpe", "execvp", "execvpe", "fdopen", "fwalk", "makedirs", "removedirs",
    "renames", "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe", "walk",
}  # fmt: skip
# What the machine and the process are, the same for everybody in every run of it.
OF_THE_PROCESS = {
    "confstr", "cpu_count", "ctermid", "device_encoding", "get_exec_path", "get_terminal_size", "getcwd", "getcwdb",
    "getegid", "getenv", "getenvb", "geteuid", "getgid", "getgrouplist", "getgroups", "getloadavg", "getlogin",
    "getpgid", "getpgrp", "getppid", "getpriority", "getresgid", "getresuid", "getsid", "getuid", "process_cpu_count",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_rr_get_interval", "sched_yield", "sysconf", "tcgetpgrp", "times", "uname",
}  # fmt: skip
# Memory that all actors share, as any other (docs/reference/explore.md): the environment, and callbacks.
IN_MEMORY = {"putenv", "unsetenv", "register_at_fork"}
# Of a descriptor alone, or of one that is of no file; what becomes durable is no matter here.
OF_A_DESCRIPTOR = {
    "eventfd", "eventfd_read", "eventfd_write", "fpathconf", "get_blocking", "get_inheritable", "grantpt", "isatty",
    "memfd_create", "openpty", "pidfd_open", "pipe", "pipe2", "posix_fadvise", "posix_openpt", "ptsname",
    "set_blocking", "set_inheritable", "sync", "timerfd_create", "timerfd_gettime", "timerfd_gettime_ns",
    "timerfd_settime", "timerfd_settime_ns", "ttyname", "unlockpt",
}  # fmt: skip
ON_VALUES = {
    "WCOREDUMP", "WEXITSTATUS", "WIFCONTINUED", "WIFEXITED", "WIFSIGNALED", "WIFSTOPPED", "WSTOPSIG", "WTERMSIG",
    "fsdecode", "fsencode", "fspath", "major", "makedev", "minor", "strerror", "waitstatus_to_exitcode",
}  # fmt: skip
HARMLESS = MADE_OF_OTHERS | OF_THE_PROCESS | IN_MEMORY | OF_A_DESCRIPTOR | ON_VALUES
KNOWN = (GATED.keys() | OS_NAMES.keys(), REFUSED.keys() | REFUSED_INSIDE.keys(), HARMLESS)

NAMES = """
import json, os
names = [name for name in dir(os) if callable(getattr(os, name)) and not isinstance(getattr(os, name), type)]
print(json.dumps([name for name in names if name == "_exit" or not name.startswith("_")]))
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_is_in_one_of_three_lists(version):
    interpreter = find_interpreter(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} on this machine")
    done = subprocess.run([interpreter, "-c", NAMES], capture_output=True, text=True, check=True)
    lists = {name: sum(name in known for known in KNOWN) for name in json.loads(done.stdout)}
    assert {name for name, count in lists.items() if count != 1} == set()
