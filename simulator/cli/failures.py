"""Errors as the user sees them: one line on stderr, a document on stdout with `--json`, an exit code.

The only place that knows all of it; the errors themselves carry data. Imports nothing heavy: `clean` starts with it.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from dataclasses import dataclass

import click

from cache_core import errors as cache_errors
from simulator.errors import CachestormError, InterruptedRunError

SCHEMA = "cachestorm/error/1"

USAGE = 2
MACHINE = 3
BUG = 70
# As the shell reports a program that SIGPIPE ended: whoever read our output went away.
BROKEN_PIPE = 141

# Bad input: the path is not what a cache may be.
_BAD_PATHS = (
    cache_errors.NotACacheError,
    cache_errors.RefusedRootError,
    cache_errors.NotADirectoryRootError,
    cache_errors.MountedRootError,
)
# The library speaks of arguments; at the command line they are options.
_OPTIONS = {
    cache_errors.NotACacheError: "--untagged",
    cache_errors.LinkedRootError: "--follow-root",
    cache_errors.MountedRootError: "leave out --remove-root",
    cache_errors.CacheInUseError: "--timeout, --force",
}
_SIGINT = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, ready to be shown.

    Attributes:
        exit: The exit code.
        kind: A word for scripts.
        value: What was wrong, as given; may be empty.
        message: What is wrong and what to do: a line, or one for each of several mistakes.
        report: What was done before a signal came; None of what leaves nothing done.
    """

    exit: int
    kind: str
    value: str
    message: str
    report: dict[str, object] | None = None

    def document(self) -> dict[str, object]:
        """The `cachestorm/error/1` document."""
        return {
            "schema": SCHEMA,
            "exit": self.exit,
            "kind": self.kind,
            **cache_errors.path_fields(self.value, "value"),
            "message": cache_errors.path_fields(self.message)["path"],
            **({} if self.report is None else {"report": self.report}),
        }


def failure_of(error: BaseException) -> Failure:
    """What an error means to the user."""
    error = _innermost(error)
    if isinstance(error, InterruptedRunError):
        return Failure(error.exit_code, error.kind, error.value, error.message, error.report)
    if isinstance(error, CachestormError):
        return Failure(error.exit_code, error.kind, error.value, error.message)
    if isinstance(error, cache_errors.CacheError):
        option = _OPTIONS.get(type(error))
        return Failure(_exit_of(error), error.kind, error.value, f"{error} ({option})" if option else str(error))
    if isinstance(error, click.ClickException):
        return Failure(USAGE, "usage", _wrong_value(error), _one_line(error.format_message()))
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return failure_of(InterruptedRunError(_SIGINT, "SIGINT"))
    text = f"{type(error).__name__}: {error}"
    return Failure(BUG, "bug", type(error).__name__, f"a bug of ours: {_one_line(text)}; please report it with --debug")


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Show an error; returns the exit code."""
    failure = failure_of(error)
    if debug:
        traceback.print_exception(error)
    lines = failure.message.splitlines() or [failure.kind]
    for line in lines:
        print(f"cachestorm: {cache_errors.shown(line)}", file=sys.stderr)
    if as_json:
        print(json.dumps(failure.document()), flush=True)
    return failure.exit


def _innermost(error: BaseException) -> BaseException:
    """Nurseries wrap what went through them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _exit_of(error: cache_errors.CacheError) -> int:
    if isinstance(error, _BAD_PATHS):
        return USAGE
    return MACHINE if isinstance(error, cache_errors.PrivilegeError) else 1


def _wrong_value(error: click.ClickException) -> str:
    for attribute in ("option_name", "command_name"):
        value = getattr(error, attribute, None)
        if value:
            return str(value)
    # click keeps the value in its sentence only: Invalid value for '--seed': 'x' is not ...
    quoted = re.search(r": '(.*?)' ", error.format_message())
    if quoted is not None:
        return quoted[1]
    parameter = getattr(error, "param", None)
    return str(parameter.opts[0]) if parameter is not None and parameter.opts else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
