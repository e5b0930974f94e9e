"""What is given to an exploration of actors, read and checked: the actors with their names, oracles, setup, faults.

An actor without a name is called after its function. In a token an actor is known by its initial and its number
(`simulator.schedule`), so where two initials are the same, numbers are added: ``writer-1, writer-2, reader``.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.bridged.actors import read_function
from simulator.engine.faults import parse_fault
from simulator.errors import BadInputError
from simulator.schedule import code_of
from simulator.search.actors_subject import STEPS_MAX, ActorsSubject
from simulator.search.verdicts import OracleOfUser, no_actor_raised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.bridged.actors import Function
    from simulator.engine.faults import Fault
    from simulator.ground.sandbox import Sandbox
    from simulator.scenario import Schedule

_NAME = re.compile(r"[a-z][a-z0-9_]*(-[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Plan:
    """What is to be run, as given."""

    actors: Sequence[Any]
    oracle: Any
    setup: Callable[[str], object] | None
    faults: tuple[str, ...]
    sandbox: str | None
    steps: int

    def subject(self, sandbox: Sandbox, schedule: Schedule) -> ActorsSubject:
        """What is explored."""
        return ActorsSubject(
            _functions(self.actors),
            sandbox,
            schedule,
            oracles=[OracleOfUser(oracle) for oracle in self._oracles()],
            setup=self.setup,
            faults=self._faults(),
            steps=self.steps,
        )

    def check(self) -> None:
        """Before anything is made.

        Raises:
            BadInputError: something of it is wrong.
        """
        names = {function.name for function in _functions(self.actors)}
        for oracle in self._oracles():
            OracleOfUser(oracle)
        if self.setup is not None and not callable(self.setup):
            raise BadInputError("bad-setup", repr(self.setup), f"setup is not callable: {self.setup!r}")
        if self.steps < 1:
            raise BadInputError("bad-steps", str(self.steps), f"steps is {self.steps}; a run makes at least one")
        for fault in self._faults():
            if fault.phase:
                raise BadInputError(
                    "bad-fault",
                    str(fault),
                    f"fault '{fault}' is at phase '{fault.phase}', and actors of yours have no phases: name a step, as"
                    f" '{fault.actor}:3:{fault.action}'",
                )
            if fault.actor not in names:
                raise BadInputError(
                    "bad-fault",
                    str(fault),
                    f"fault '{fault}' is of '{fault.actor}'; there is {', '.join(sorted(names))}",
                )

    def line(self, token: str) -> str:
        """A call that replays a token."""
        actors = ", ".join(
            f"({item[0]!r}, {_source(item[1])})" if isinstance(item, tuple) else _source(item) for item in self.actors
        )
        arguments = [repr(token), f"actors=[{actors}]"]
        if self.oracle is not no_actor_raised:
            oracles = ", ".join(map(_source, self._oracles()))
            arguments.append(f"oracle=[{oracles}]" if isinstance(self.oracle, list | tuple) else f"oracle={oracles}")
        if self.setup is not None:
            arguments.append(f"setup={_source(self.setup)}")
        if self.faults:
            arguments.append(f"faults={list(self.faults)!r}")
        if self.steps != STEPS_MAX:
            arguments.append(f"steps={self.steps}")
        return f"simulator.replay({', '.join(arguments)}).assert_holds()"

    def _oracles(self) -> list[Any]:
        return list(self.oracle) if isinstance(self.oracle, list | tuple) else [self.oracle]

    def _faults(self) -> tuple[Fault, ...]:
        return tuple(map(parse_fault, self.faults))


def listed(faults: str | Sequence[str]) -> tuple[str, ...]:
    """Faults as they are given; one alone is one.

    Raises:
        BadInputError: one is no string.
    """
    given = (faults,) if isinstance(faults, str) else tuple(faults)
    for fault in given:
        if not isinstance(fault, str):
            raise BadInputError("bad-fault", repr(fault), f"fault {fault!r} is no string; give it as 'store-1:3:kill'")
    return given


def _functions(actors: Sequence[Any]) -> list[Function]:
    """The actors by their names, of which no two have the same code.

    Raises:
        BadInputError: there are none; two have the same name; one is not callable.
    """
    if not actors:
        raise BadInputError("no-actors", "[]", "there are no actors: give at least one function")
    given = [item if isinstance(item, tuple) else (None, item) for item in actors]
    names = [str(name) for name, _ in given if name is not None]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise BadInputError(
                "bad-actor", name, f"actor name '{name}' is not a word of a-z, 0-9 and _, with a number after it (a-1)"
            )
        if names.count(name) > 1:
            raise BadInputError("same-name", name, f"two actors have the name '{name}'")
    words = [str(name) if name is not None else _word(function) for name, function in given]
    codes = [code_of(word) for word in words]
    return [
        read_function(word if codes.count(code_of(word)) == 1 else f"{word.partition('-')[0]}-{place}", function)
        for place, (word, (_, function)) in enumerate(zip(words, given, strict=True), 1)
    ]


def _word(function: Any) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    word = re.sub(r"[^a-z0-9_]", "", str(getattr(inner, "__name__", type(inner).__name__)).lower()).lstrip(
        "_0123456789"
    )
    return word or "actor"


def _source(given: Any) -> str:
    name = getattr(given, "__name__", "")
    return name if name.isidentifier() else "..."
