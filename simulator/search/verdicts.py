"""What other people's actors came to, and what an oracle of theirs says of it."""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.engine.trace import errno_name
from simulator.errors import BadInputError
from simulator.running.outcome import FAILED, KILLED, OK, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from simulator.hosts.base import Party

WAITS = "waits"
ENDLESS = "endless"

# A value that is longer tells kinds of outcome apart by what does not matter.
_VALUE_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class ActorResult:
    """How one actor ended.

    Attributes:
        name: of the actor.
        outcome: ``ok``, ``failed``, ``killed``, ``waits``, for a lock that nobody will give up, or ``endless``: it went
            on for as long as a run may take.
        value: what its function returned.
        error: the exception that it ended with; None when there was none.
    """

    name: str
    outcome: str
    value: Any
    error: Exception | None

    @property
    def ok(self) -> bool:
        """Whether it returned."""
        return self.outcome == OK

    def told(self, directory: str) -> str:
        """The end in a few words, the same for the same kind."""
        if self.error is not None:
            number = errno_name(self.error.errno) if isinstance(self.error, OSError) else None
            return f"{self.name} {type(self.error).__name__}" + (f" {number}" if number else "")
        value = repr(self.value) if isinstance(self.value, bool | int | str) else ""
        shown = f" -> {value}" if value and len(value) <= _VALUE_CHARACTERS and directory not in value else ""
        return f"{self.name} {self.outcome}{shown}"


Oracle = "Callable[..., str | None]"


def result_of(party: Party, *, moving: bool = False) -> ActorResult:
    """Of a run that is over; `moving` is who still was at the end of its bound."""
    actor = party.actor
    if party.error is not None:
        return ActorResult(actor.name, FAILED, None, party.error)
    if actor.killed:
        return ActorResult(actor.name, KILLED, None, None)
    return ActorResult(actor.name, OK if party.ended else ENDLESS if moving else WAITS, party.result, None)


def no_actor_raised(directory: str, results: Mapping[str, ActorResult]) -> str | None:
    """The oracle of those who give none: a violation when an actor ended with an exception."""
    failed = [result for result in results.values() if result.error is not None]
    if not failed:
        return None
    return "; ".join(
        f"{result.name} raised {type(result.error).__name__}: {result.error}".replace(f"{directory}/", "")
        for result in failed
    )


class OracleOfUser:
    """A function that judges a run.

    Args:
        function: takes the directory, and the results by name if it has a second parameter; raises AssertionError or
            returns a sentence when something is wrong, else returns None.

    Raises:
        BadInputError: it is none.
    """

    def __init__(self, function: Any) -> None:
        if not callable(function):
            raise BadInputError("bad-oracle", repr(function), f"the oracle is not callable: {function!r}")
        self.name: str = getattr(function, "__name__", type(function).__name__)
        self._function = function
        self._arguments = _arguments_of(function)

    def judge(self, directory: str, results: Mapping[str, ActorResult]) -> list[Violation]:
        """What it says of a run.

        Raises:
            OracleError: it raised something else than AssertionError.
        """
        try:
            said = self._function(*(directory, results)[: self._arguments])
        except AssertionError as error:
            where = _line_of(error.__traceback__)
            # What pytest adds below the first line has addresses in it.
            said = str(error).partition("\n")[0].replace(f"{directory}/", "")
            sentence = said or f"an assertion does not hold, at {where}"
            return [Violation(self.name, f"{self.name}:{where}", sentence)]
        except Exception as error:
            raise OracleError(self.name, error) from error
        if said is None:
            return []
        if not isinstance(said, str):
            raise OracleError(self.name, TypeError(f"it returned {said!r}, which is neither a sentence nor None"))
        return [Violation(self.name, f"{self.name}:{_kind(said)}", said.replace(f"{directory}/", ""))]


class OracleError(Exception):
    """An oracle broke. Caught by who knows the token."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"oracle '{name}' raised {type(error).__name__}: {error}")
        self.name = name


def _arguments_of(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 2
    positional = [item for item in parameters if item.kind in {item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD}]
    many = any(item.kind is item.VAR_POSITIONAL for item in parameters)
    return 2 if many else min(2, len(positional))


def _line_of(traceback: TracebackType | None) -> str:
    """The place of the assertion: innermost, so that one oracle of many assertions finds many kinds."""
    place = "?"
    while traceback is not None:
        place = f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


def _kind(sentence: str) -> str:
    """A sentence without its numbers."""
    return re.sub(r"[0-9]+", "N", sentence.partition("\n")[0])
