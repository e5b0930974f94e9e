"""Why a real install failed, read off what it printed: the rows of the table of real failures.

A tool prints what the back end printed, somewhere in its own words; the last line that a row below knows is the reason.
Guarantee: the kinds are those of the simulated builds (`simulator.actors.toolchains.base.ERROR_KINDS`), and
`wheel-refused`, which only a front end that opens the wheel can say. Not guaranteed: that another release words it
alike; then the kind is None, and the last line that speaks of an error is told. Operations are told only where one call
alone fails so.
Source: outputs of uv 0.1.42 and pip 26.3 with setuptools 69.5.1 and 84.2.1, kept in tests/data/real-failures.json.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.running.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEEL_REFUSED = "wheel-refused"
TIMEOUT = "Timeout"
# No row knows it; the message says all.
EXIT = "Exit"

# What every tool says when the disk is full: the machine's fault, and no result.
NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|\(os error (?:28|122)\)")


@dataclass(frozen=True, slots=True)
class _Row:
    """How one kind is recognised.

    Attributes:
        kind: of `Failure`.
        type: of `Failure`: the exception behind it.
        pattern: of a line, blanks around it cut off; may have the groups `path`, `errno` and `reason`.
        operation: the call that failed, where only one can.
    """

    kind: str
    type: str
    pattern: re.Pattern[str]
    operation: str | None = None


def _rows() -> tuple[_Row, ...]:
    call = r"(?:error|\w*Error): \[Errno (?P<errno>{number})\] [^:]+(?:: '(?P<path>[^']*)')?.*"

    def failed(kind: str, name: str, number: int, operation: str | None = None) -> _Row:
        return _Row(kind, name, re.compile(call.format(number=number)), operation)

    return (
        _Row("retry-type-error", "TypeError", re.compile(r"TypeError: open\(\) missing required argument 'flags'.*")),
        _Row(
            "egg-info-missing",
            "ValueError",
            re.compile(r"(?:ValueError|error): Egg metadata expected at (?P<path>.+) but not found"),
        ),
        # A list of (from, to, reason): the last one is where it gave up.
        _Row(
            "copytree",
            "Error",
            re.compile(
                r"(?:error|shutil\.Error): \[\('.*\('?(?P<path>[^']+)', '[^']*', [\"']\[Errno (?P<errno>\d+)\].*|"
                r"(?:error|shutil\.Error): \[\('(?P<only>[^']+)', '[^']*', [\"']\[Errno (?P<number>\d+)\].*"
            ),
        ),
        _Row(
            "create",
            "DistutilsFileError",
            re.compile(r"(?:error|\S*Error): could not create '(?P<path>[^']*)': (?P<reason>.+)"),
        ),
        _Row(
            "source-vanished",
            "DistutilsFileError",
            re.compile(
                r"(?:error|\S*Error): (?:file '(?P<path>[^']*)' does not exist"
                r"|could not open '(?P<only>[^']*)': (?P<reason>No such file or directory)"
                r"|can't copy '(?P<gone>[^']*)': doesn't exist or not a regular file)"
            ),
        ),
        failed("not-empty", "OSError", errno.ENOTEMPTY, "rmdir"),
        failed("exists", "FileExistsError", errno.EEXIST),
        failed("denied", "PermissionError", errno.EACCES),
        failed("not-found", "FileNotFoundError", errno.ENOENT),
        _Row(
            WHEEL_REFUSED,
            "InvalidWheel",
            re.compile(
                r"Caused by: (?:No \.dist-info directory found|The wheel is invalid.*|Failed to read `dist-info`.*)"
                r"|error: Failed to install: (?P<path>\S+\.whl) .*"
                r"|WARNING: Built wheel for .* is invalid.*|ERROR: .*(?:is not a valid wheel|invalid wheel).*"
                r"|BadZipFile: .*"
            ),
        ),
    )


_ROWS = _rows()
_CREATE = {errno.EACCES: "create-denied", errno.ENOENT: "create-not-found"}
_ERRNO_BY_REASON = {os.strerror(number): number for number in errno.errorcode}

# What setuptools says when it begins something, and which phase of a simulated build that is.
_PHASES = (
    ("removing build/bdist", "rmtree"),
    ("removing 'build/bdist", "rmtree"),
    ("creating '", "zip"),
    ("running install_scripts", "dist_info"),
    ("running install_egg_info", "install_egg_info"),
    ("running install_lib", "install_lib"),
    ("running egg_info", "egg_info"),
    ("running build_py", "build_py"),
    ("running bdist_wheel", "prepare"),
)
_FAILED_PACKAGE = re.compile(r"Failed to build:? `(?P<name>[A-Za-z0-9._-]+?)(?:==|`)")
_OWN_PHASE = "cachestorm: "


def read_failure(output: str, cache: str, trees: Sequence[str] = ()) -> tuple[Failure, str | None]:
    """The reason of a failed install.

    Args:
        output: all that it printed.
        cache: absolute path of the cache: paths in it are told relative to it.
        trees: absolute paths of the source trees that it was seen to build in: the back end's paths begin in one.

    Returns:
        The failure, and the phase it was in; None where the output does not tell.
    """
    tree = _failed_tree(output, trees)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in reversed(lines):
        for row in _ROWS:
            match = row.pattern.fullmatch(line)
            if match is not None:
                return _failure(row, match, line, cache, tree), _phase(lines)
    errors = [line for line in lines if "error" in line.lower()]
    last = (errors or lines or ["it printed nothing"])[-1]
    return Failure(EXIT, None, None, None, None, last.replace(cache, "<cache>"), injected=False), _phase(lines)


def _failed_tree(output: str, trees: Sequence[str]) -> str | None:
    """The tree whose build failed; None where that is not known."""
    told = _FAILED_PACKAGE.search(output)
    if told is not None and len(trees) > 1:
        name = re.compile("/" + re.sub(r"[-_.]+", "[-_.]+", told["name"]) + r"(?=[-/])", re.IGNORECASE)
        trees = [tree for tree in trees if name.search(tree)]
    return trees[0] if len(trees) == 1 else None


def timed_out(seconds: float) -> Failure:
    """The failure of an install whose time was up."""
    return Failure(TIMEOUT, None, None, None, None, f"it did not end within {seconds:g} s", injected=False)


def _failure(row: _Row, match: re.Match[str], line: str, cache: str, tree: str | None) -> Failure:
    told = match.groupdict()
    number: int | None = None
    if told.get("errno") or told.get("number"):
        number = int(told.get("errno") or told["number"])
    elif told.get("reason"):
        number = _ERRNO_BY_REASON.get(told["reason"])
    kind = row.kind if row.kind != "create" else _CREATE.get(number or 0)
    path = told.get("path") or told.get("only") or told.get("gone")
    shown = None if path is None else _in_cache(path, cache, tree)
    return Failure(row.type, kind, number, row.operation, shown, line.replace(cache, "<cache>"), injected=False)


def _in_cache(path: str, cache: str, tree: str | None) -> str:
    # A bare name is relative to a directory that was open: which one, nobody says.
    begins_in_tree = tree is not None and "/" in path and not path.startswith("/")
    whole = os.path.normpath(f"{tree}/{path}" if begins_in_tree else path)
    return whole.removeprefix(f"{cache}/")


def _phase(lines: list[str]) -> str | None:
    """The last phase that the output tells of, in the words of the simulated builds."""
    for line in reversed(lines):
        if line.startswith(_OWN_PHASE):
            return line.removeprefix(_OWN_PHASE)
        for beginning, phase in _PHASES:
            if line.startswith(beginning):
                return phase
    return None
