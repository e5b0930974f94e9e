"""Functions as actors: what each is given, by the names of its parameters, and how it comes behind the gate.

    def store(directory): ...           plain code: `open`, `os`, `shutil`, `pathlib`
    def clean(kernel, directory): ...   makes its calls through the kernel
    async def watch(kernel, directory): ...

A plain function is bridged whether or not it takes the kernel: calls by the names of `os` are steps as well. A
coroutine function has its awaited kernel and nothing else; what it does beside that is found by the audit hook.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.bridged.bridge import Bridge, Watch
from simulator.bridged.pinned import Pinned
from simulator.errors import BadInputError
from simulator.hosts.base import Party

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.engine.actor import Actor
    from simulator.engine.trace import RawStep

KERNEL, DIRECTORY = "kernel", "directory"


class ActorExitError(Exception):
    """An actor called `sys.exit` with something else than 0: its process would have failed."""


@dataclass(frozen=True, slots=True)
class Function:
    """What one actor does.

    Attributes:
        name: of the actor.
        call: the function.
        takes: which of `KERNEL` and `DIRECTORY` it has parameters for.
    """

    name: str
    call: Callable[..., Any]
    takes: tuple[str, ...]

    @property
    def is_async(self) -> bool:
        """Whether it is a coroutine function, or an object that is called as one."""
        return inspect.iscoroutinefunction(self.call) or inspect.iscoroutinefunction(_called(self.call))

    def arguments(self, kernel: Any, directory: str) -> dict[str, Any]:
        """For one call."""
        given = {KERNEL: kernel, DIRECTORY: directory}
        return {name: given[name] for name in self.takes}


def read_function(name: str, call: Any) -> Function:
    """Look at a function.

    Raises:
        BadInputError: it is none, has a parameter that nobody can give it, or does nothing when it is called.
    """
    if not callable(call):
        raise BadInputError("bad-actor", name, f"actor '{name}' is not callable: {call!r}")
    for body in (call, _called(call)):
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            raise BadInputError(
                "bad-actor",
                name,
                f"actor '{name}' is a generator function, and to call one does nothing: give a function that goes"
                " through what it yields",
            )
    takes = []
    for parameter in _parameters(call):
        if parameter.name in {KERNEL, DIRECTORY}:
            takes.append(parameter.name)
        elif parameter.default is parameter.empty and parameter.kind not in {
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        }:
            raise BadInputError(
                "bad-actor",
                name,
                f"actor '{name}' has a parameter '{parameter.name}', for which there is nothing: an actor takes"
                f" '{KERNEL}', '{DIRECTORY}', both or neither (functools.partial gives it the rest)",
            )
    return Function(name, call, tuple(takes))


def _called(call: Callable[..., Any]) -> Any:
    """What an object does that is called as a function."""
    return getattr(call.func if isinstance(call, functools.partial) else call, "__call__", None)  # noqa: B004


def _parameters(call: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(call).parameters.values())
    except ValueError:
        # A function in C that does not say.
        return []


def party_of(function: Function, actor: Actor, run: RunOfActors) -> Party:
    """An actor with what it does in a run."""
    if function.is_async:

        async def awaited(kernel: Any) -> Any:
            return await function.call(**function.arguments(kernel, run.directory))

        return Party(actor, awaited)

    def bridged(kernel: Any) -> Any:
        bridge = Bridge(kernel, actor, run.actors, run.watch, Pinned(actor.index, run.steps))
        return bridge.run(_to_its_end, function, kernel, run.directory)

    return Party(actor, bridged)


@dataclass(frozen=True, slots=True)
class RunOfActors:
    """What the actors of a run share.

    Attributes:
        directory: what they work in.
        steps: as they come.
        actors: everybody.
        watch: where calls beside the gate are noted.
    """

    directory: str
    steps: Sequence[RawStep]
    actors: Sequence[Actor]
    watch: Watch


def _to_its_end(function: Function, kernel: Any, directory: str) -> Any:
    try:
        return function.call(**function.arguments(kernel, directory))
    except SystemExit as ended:
        if ended.code in {None, 0}:
            return None
        raise ActorExitError(f"sys.exit({ended.code!r})") from ended
