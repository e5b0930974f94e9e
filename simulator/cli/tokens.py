"""What `replay` is given: a token, a file that holds one, or a document of a run; and a trace to compare with."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from simulator.cli.saving import SCHEMA
from simulator.engine.trace import json_lines, where_it_parts
from simulator.errors import BadInputError, DivergenceError
from simulator.running.identity import storm_once, trace_of
from simulator.token import LONG, parse_token

if TYPE_CHECKING:
    from simulator.running.outcome import RunReport
    from simulator.token import Token

# A document of a run with a thousand builds has some 500 kB; more is another file.
_FILE_CHARACTERS_MAX = 16 * 1024 * 1024
_COMPARED = ("round", "actor", "phase", "operation", "path", "target", "mode", "errno")


def read_token(given: str) -> Token:
    """Read the one token that the user gave; ``-`` is standard input.

    Raises:
        BadInputError: It holds no token, or several.
    """
    tokens = read_tokens(given)
    if len(tokens) != 1:
        raise BadInputError(
            "bad-token", given, f"'{given}' holds {len(tokens)} schedules; give the token of one of them"
        )
    return tokens[0]


def read_tokens(given: str) -> list[Token]:
    """Read what the user gave: a token, a file with one, or one of `--save` with any number; ``-`` is standard input.

    Raises:
        BadInputError: It holds no token, or documents of several runs.
    """
    if given == "-":
        return _tokens_in(sys.stdin.read(_FILE_CHARACTERS_MAX), "standard input")
    if os.path.isfile(given):
        return _tokens_in(_read(given, "bad-token"), given)
    if "/" in given:
        raise BadInputError("bad-token", given, f"'{given}' is no file; give a token or a file with one")
    return [parse_token(given)]


def _tokens_in(text: str, origin: str) -> list[Token]:
    lines = [line for line in text.splitlines() if line.strip()]
    documents = _documents(text, lines)
    if documents is None:
        if len(lines) != 1:
            raise BadInputError(
                "bad-token", origin, f"'{origin}' holds neither one token nor a document of `run --json`"
            )
        return [parse_token(lines[0])]
    if all(document.get("schema") == SCHEMA for document in documents):
        return [parse_token(str(document.get("token"))) for document in documents]
    if len(documents) != 1:
        raise BadInputError(
            "bad-token", origin, f"'{origin}' holds {len(documents)} documents; give a file with one of them"
        )
    token = documents[0].get("token")
    if not isinstance(token, str):
        if documents[0].get("builds") and "token" in documents[0]:
            raise BadInputError(
                "bad-token", origin, f"the run in '{origin}' was of real installs (--tool): nobody can play it again"
            )
        what = documents[0].get("schema", "no schema")
        raise BadInputError(
            "bad-token", origin, f"the document in '{origin}' ({what}) has no token; give that of a run"
        )
    return [parse_token(token)]


def _documents(text: str, lines: list[str]) -> list[dict[str, object]] | None:
    """The JSON objects in a text: one, or one a line; None when it is no JSON."""
    for parts in ([text], lines):
        try:
            found = [json.loads(part) for part in parts]
        except ValueError:
            continue
        return [item for item in found if isinstance(item, dict)] or None
    return None


def _read(path: str, kind: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_FILE_CHARACTERS_MAX)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadInputError(kind, path, f"'{path}' cannot be read: {reason}") from error


def read_trace(path: str) -> list[dict[str, object]]:
    """The steps in a file that `run --trace` wrote.

    Raises:
        BadInputError: It cannot be read, or a line of it is no step.
    """
    steps = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                step = json.loads(line)
                if not isinstance(step, dict) or "operation" not in step:
                    raise BadInputError("bad-trace", path, f"'{path}' line {number} is no step of a trace")
                steps.append(step)
    except OSError as error:
        raise BadInputError("bad-trace", path, f"'{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError("bad-trace", path, f"'{path}' is no trace: {error}") from error
    return steps


def check_trace(report: RunReport, token: Token) -> None:
    """Hold a run against what its token says of the recorded one.

    Raises:
        DivergenceError: They differ; it names roughly where, as far as the token tells.
    """
    if token.has_trace(trace_of(report)):
        return
    where = "somewhere, though its schedule could be followed"
    if token.form == LONG:
        first, last = where_it_parts(storm_once(report.rounds, report.storm_steps), token.trace)
        where = f"between steps {first:,} and {last:,} of {token.trace.steps:,}"
    raise DivergenceError(
        "divergence",
        str(token),
        f"the replay parts from the token's run {where}: the scenario is the same, so this machine (kernel, file"
        " system) or this build of cachestorm answers otherwise there; for the very step, give the other run's trace"
        " (`run --trace FILE`) with --against",
    )


def compare_with_trace(report: RunReport, recorded: list[dict[str, object]], path: str) -> None:
    """Hold a run against a recorded one, step by step.

    Raises:
        DivergenceError: They differ; it names the first step that does.
    """
    played = [json.loads(line) for line in json_lines(report.rounds)]
    for was, now in zip(recorded, played, strict=False):
        if any(was.get(key) != now.get(key) for key in _COMPARED):
            raise DivergenceError(
                "divergence",
                path,
                f"step {now['step']} differs from '{path}': recorded {_told(was)}; here {_told(now)}",
            )
    if len(recorded) != len(played):
        step = min(len(recorded), len(played)) + 1
        who = "the recording goes on" if len(recorded) > len(played) else "this run goes on"
        longer = max(recorded, played, key=len)[step - 1]
        raise DivergenceError("divergence", path, f"step {step} differs from '{path}': {who} with {_told(longer)}")


def _told(step: dict[str, object]) -> str:
    target = f" to {step['target']}" if step.get("target") else ""
    return f"{step.get('actor')} {step.get('operation')} {step.get('path')}{target} -> {step.get('errno') or 'ok'}"
