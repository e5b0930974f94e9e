"""Where names stand for others while actors move: `os`, `open`, `fcntl`, `time`, `random`, and whoever captured them.

For each name there is one stand-in, made once in a process. Called in an actor's greenlet, it goes by the actor's
bridge; called by anybody else, it is the real function, one look-up later. Stand-ins are put in place of the real
functions in their modules, and wherever else a loaded module has them: as a global (`from os import unlink`), an
attribute of a class, a default of a function. When the last run is over, everything is as it was.

`os.supports_dir_fd` and its like get the stand-ins of what they have, so that `os.rmdir in os.supports_dir_fd` stays
true, and `shutil.rmtree` stays the one that symbolic links cannot fool.

Not reached: a function in a closure, in a list, in an instance; `posix.unlink`; whatever C code calls. Audit hooks see
some of it (`audit.py`). Modules that are loaded by an actor and capture a name keep the stand-in, which is the real
function when no actor asks.
Costs: 20 to 60 ms for an exploration, to look through the loaded modules; some 0.2 us for a call of somebody else.
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import io
import os
import sys
import types
from typing import TYPE_CHECKING, Any

from simulator.bridged import audit, files, lock_names, os_names, pinned, refused
from simulator.bridged.bridge import current_bridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SETS = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")

# Modules whose own calls are the gate, the host, or what makes interpreters: they keep the real functions.
_KEPT = frozenset({"simulator", "cache_core", "greenlet", "posix", "_io", "_pyio", "importlib", "zipimport"})


class StandIn:
    """Stands for a function of the standard library. Not a Python function, so that no class makes a method of it."""

    def __init__(self, name: str, real: Callable[..., Any], gated: Callable[..., Any], *, by_name: bool) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = real.__doc__
        self.__wrapped__ = real
        self._gated = gated
        # What to call it when a thread of an actor uses it on what is inside; None for what no file system sees.
        self._operation = name if by_name else None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """By the bridge of the actor that asks; the real call for everybody else."""
        bridge = current_bridge()
        if bridge is not None:
            return self._gated(bridge, self.__wrapped__, *arguments, **keywords)
        if self._operation is not None and audit.watching():
            audit.check_stranger(self._operation, arguments)
        return self.__wrapped__(*arguments, **keywords)

    def __repr__(self) -> str:
        return f"<stand-in for {self.__wrapped__!r}>"


def _stand_ins() -> list[tuple[types.ModuleType, str, StandIn]]:
    """Each name, in its module."""
    found: list[tuple[types.ModuleType, str, StandIn]] = []
    tables: list[tuple[types.ModuleType, dict[str, Callable[..., Any]], bool]] = [
        (os, os_names.GATED, True),
        (os, {name: refused.refusal(name) for name in refused.REFUSED}, False),
        (os, {name: refused.refusal_inside(name) for name in refused.REFUSED_INSIDE}, False),
        (os, pinned.OS_NAMES, False),
        (fcntl, lock_names.GATED, False),
        *((module, names, False) for module, names in pinned.MODULES),
    ]
    made: dict[int, StandIn] = {}
    for module, names, by_name in tables:
        for name, gated in names.items():
            real = getattr(module, name, None)
            if real is not None:
                made[id(real)] = StandIn(name, real, gated, by_name=by_name)
                found.append((module, name, made[id(real)]))
    opened = StandIn("open", builtins.open, files.open_, by_name=True)
    return [*found, (builtins, "open", opened), (io, "open", opened)]


class _Names:
    """What is in place, and how it is undone."""

    def __init__(self) -> None:
        self._stand_ins: list[tuple[types.ModuleType, str, StandIn]] = []
        self._users = 0
        self._undo = contextlib.ExitStack()

    def put(self) -> None:
        self._users += 1
        if self._users > 1:
            return
        if not self._stand_ins:
            self._stand_ins = _stand_ins()
        by_real = {id(stand_in.__wrapped__): stand_in for _, _, stand_in in self._stand_ins}
        with contextlib.ExitStack() as undo:
            for name in _SETS:
                _widen(undo, getattr(os, name), by_real)
            # Whatever anybody has put there.
            loaded: list[Any] = list(sys.modules.values())
            for module in loaded:
                if isinstance(module, types.ModuleType) and module.__name__.partition(".")[0] not in _KEPT:
                    _replace_in_module(undo, module, by_real)
            self._undo = undo.pop_all()

    def take_away(self) -> None:
        self._users -= 1
        if not self._users:
            self._undo.close()


_names = _Names()


@contextlib.contextmanager
def names_in_place() -> Iterator[None]:
    """While this lasts, actors that have a bridge make their calls by it. May be nested."""
    _names.put()
    try:
        yield
    finally:
        _names.take_away()


def _widen(undo: contextlib.ExitStack, supported: set[Any], by_real: dict[int, StandIn]) -> None:
    new = {by_real[id(real)] for real in supported if id(real) in by_real}
    supported |= new
    undo.callback(supported.difference_update, new)


def _replace_in_module(undo: contextlib.ExitStack, module: types.ModuleType, by_real: dict[int, StandIn]) -> None:
    space = vars(module)
    for name, value in list(space.items()):
        stand_in = by_real.get(id(value))
        if stand_in is not None:
            space[name] = stand_in
            undo.callback(space.__setitem__, name, value)
        elif isinstance(value, types.FunctionType):
            _replace_defaults(undo, value, by_real)
        elif isinstance(value, type) and value.__module__ == module.__name__:
            _replace_in_class(undo, value, by_real)


def _replace_in_class(undo: contextlib.ExitStack, owner: type, by_real: dict[int, StandIn]) -> None:
    for name, value in list(vars(owner).items()):
        inner = value.__func__ if isinstance(value, staticmethod) else value
        stand_in = by_real.get(id(inner))
        if stand_in is not None:
            # Only classes made by Python hold such a thing, and these can be changed.
            setattr(owner, name, stand_in)
            undo.callback(setattr, owner, name, value)
        elif isinstance(inner, types.FunctionType):
            _replace_defaults(undo, inner, by_real)


def _replace_defaults(undo: contextlib.ExitStack, function: types.FunctionType, by_real: dict[int, StandIn]) -> None:
    defaults: tuple[Any, ...] = function.__defaults__ or ()
    by_keyword: dict[str, Any] = function.__kwdefaults__ or {}
    if any(id(value) in by_real for value in defaults):
        function.__defaults__ = tuple(by_real.get(id(value), value) for value in defaults)
        undo.callback(setattr, function, "__defaults__", defaults)
    if any(id(value) in by_real for value in by_keyword.values()):
        function.__kwdefaults__ = {name: by_real.get(id(value), value) for name, value in by_keyword.items()}
        undo.callback(setattr, function, "__kwdefaults__", by_keyword)
