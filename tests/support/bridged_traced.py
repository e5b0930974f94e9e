"""Plain functions as an actor under strace: `python -m tests.support.bridged_traced`, and what starts it.

Held against the steps are the calls on the sandbox, in order: which call, on which name, with which errno. What is no
step (docs/reference/explore.md): seeking but to the end, flags of a descriptor, and looks at an open file by fstat, as
`open` makes; nor is the look of the gate before an open that may create.
"""

from __future__ import annotations

import contextlib
import json
import os
import posix
import re
import shutil
import subprocess
import sys
from pathlib import Path

from simulator.engine.trace import errno_name
from tests.support.bridged import Bridged
from tests.support.plain_code import ALL
from tests.support.strace_log import MARKER, read_log
from tests.support.straced import STRACE

ROOT = Path(__file__).parents[2]
SANDBOX = "sandbox-of-a-bridge"

_LOCAL = frozenset({"lseek", "ioctl", "getdents64"})
_FAMILIES = {
    "openat": "open", "mkdirat": "mkdir", "newfstatat": "stat", "lstat": "stat", "statx": "stat",
    "readlinkat": "readlink",
    "renameat": "rename", "renameat2": "rename", "linkat": "link", "symlinkat": "symlink", "fchmodat": "chmod",
    "fchmodat2": "chmod", "faccessat": "access", "faccessat2": "access", "utimensat": "utime", "pread64": "pread",
    "pwrite64": "pwrite", "llistxattr": "listxattr", "flistxattr": "listxattr", "fchownat": "chown", "lchown": "chown",
    "opendir": "open", "create": "open", "create-excl": "open", "listdir": "list", "scandir": "list",
    "fdatasync": "fsync",
}  # fmt: skip
_AT_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


def sneaks(directory):
    """Makes a call that no audit hook is told of."""
    os.mkdir(f"{directory}/d")
    posix.stat(f"{directory}/d")
    os.rmdir(f"{directory}/d")


FUNCTIONS = {**ALL, "sneaks": sneaks}


def difference(folder, name, python=sys.executable):
    """The first difference between what strace saw and what was recorded; None when there is none."""
    assert shutil.which("strace"), "these tests need strace: apt-get install strace"
    log, report = f"{folder}/strace.log", f"{folder}/steps.json"
    driver = [python, "-W", "ignore", "-m", "tests.support.bridged_traced", name, str(folder), report]
    done = subprocess.run([*STRACE, "-o", log, *driver], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(log, encoding="ascii") as lines:
        (part,) = read_log(lines, f"{folder}/{SANDBOX}").parts
    steps = [tuple(step) for step in json.loads(Path(report).read_text())]
    return first_difference(list(calls_of(part.lines)), steps)


def calls_of(lines):
    """(family, name, errno, text) of each call that anybody else could see; a listing is one."""
    lines = list(lines)
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.name in _LOCAL and not _seeks_the_end(line):
            continue
        if at < len(lines) and _looks_whether_it_makes(line, lines[at]):
            continue
        copies = "F_DUPFD" in line.arguments
        if line.name == "fcntl" and not copies:
            continue
        lists = copies or "O_NONBLOCK|O_CLOEXEC|O_DIRECTORY" in line.arguments
        end = _end_of_listing(lines, at, line.result) if lists and line.errno is None else None
        if end is not None:
            at = end
        family = "list" if end is not None or (lists and not copies) else "dup" if copies else _family(line)
        # It says no, and os.access does not say why.
        error = None if family == "access" else line.errno
        yield family, _name(line), error, line.text


def _family(line):
    if line.name == "unlinkat":
        return "rmdir" if "AT_REMOVEDIR" in line.arguments else "unlink"
    if _seeks_the_end(line) or (line.name == "newfstatat" and "AT_EMPTY_PATH" in line.arguments):
        return "fstat"
    return _FAMILIES.get(line.name, line.name)


def _seeks_the_end(line):
    """A look at the size."""
    return line.name == "lseek" and "SEEK_END" in line.arguments


def _looks_whether_it_makes(line, following):
    """The gate's own look: an open that may create, and keeps what is there, does not tell whether it did."""
    flags = following.arguments
    if following.name != "openat" or "O_CREAT" not in flags or "O_EXCL" in flags or "O_TRUNC" in flags:
        return False
    return line.name == "newfstatat" and _AT_NAME.findall(line.arguments) == _AT_NAME.findall(flags)


def _end_of_listing(lines, at, fd):
    """The place after the close of `fd`, if what is done with it until then is to list it."""
    listed = False
    for place in range(at, len(lines)):
        line = lines[place]
        if not line.arguments.startswith(f"{fd}<"):
            return None
        listed = listed or line.name == "getdents64"
        if line.name == "close":
            return place + 1 if listed else None
    return None


def _name(line):
    """The last part of the last path that is given; None for a call on a descriptor alone."""
    if line.name in {"read", "write", "pread64", "pwrite64"}:
        return None
    if _family(line) == "fstat":
        # Whatever directory the sandbox is in.
        return re.search(rf"(/{SANDBOX}[^>]*)>", line.arguments)[1]
    given = _AT_NAME.findall(line.arguments)
    if line.name in {"readlink", "readlinkat", "symlink", "symlinkat", "getxattr", "listxattr"}:
        given = given[-1:] if line.name.startswith("symlink") else given[:1]
    return os.path.basename(given[-1].rstrip("/")) if given and given[-1] else None


def first_difference(calls, steps):
    """Walk both; `steps` are (family, name, errno)."""
    at, passed_over = 0, 0
    for family, name, error, text in calls:
        expected = steps[at] if at < len(steps) else ("nothing more", None, None)
        if family == "fstat" and expected[:2] != (family, name):
            passed_over += 1
            continue
        if expected[0] == "fstat" != family and passed_over:
            # It was the one: of what was opened by a link, the kernel shows another path.
            at += 1
            expected = steps[at] if at < len(steps) else ("nothing more", None, None)
        passed_over = 0
        if (family, error) != (expected[0], expected[2]) or (name is not None and name != expected[1]):
            return f"step {at + 1} is {expected}, and the call was {text}"
        at += 1
    return None if at == len(steps) else f"no call for step {at + 1}, {steps[at]}"


def _told(step):
    operation, path, target, error = step[2], step[3], step[4], step[6]
    name = target if operation in {"rename", "link"} else path
    absolute = os.path.normpath(f"/{SANDBOX}/cache/{name}")
    shown = absolute if operation == "fstat" else os.path.basename(absolute)
    return _FAMILIES.get(operation, operation), shown, errno_name(error)


def main(name, folder, report):
    run = Bridged(f"{folder}/{SANDBOX}", FUNCTIONS[name])
    ran, look = run.run_only, os.stat

    def mark(text):
        with contextlib.suppress(FileNotFoundError):
            look(f"{MARKER}/{text}")

    def marked():
        mark("begin")
        ran()
        mark(f"end/1/{len(run.steps)}")

    run.run_only = marked
    run.run()
    run.result()
    Path(report).write_text(json.dumps([_told(step) for step in run.steps]))


if __name__ == "__main__":
    main(*sys.argv[1:])
