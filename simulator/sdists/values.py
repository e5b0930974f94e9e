"""Values that a setup script has, as far as they can be read off it; everything else is `UNKNOWN`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

# No setup script of a real package comes near any of these; one made to hurt does.
STEPS_MAX = 100_000
TEXT_CHARACTERS_MAX = 1 << 20
ITEMS_MAX = 200_000
CALLS_DEEP_MAX = 20


class Unknown:
    """The value of what cannot be told without running code; it is neither true nor false."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise AssertionError("an unknown value has no truth: ask `is UNKNOWN` first")


UNKNOWN: Final = Unknown()


class Module:
    """A module that a script has imported; its attributes are looked up by dotted name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Known:
    """A function whose result follows from names alone.

    Args:
        call: gets the positional and the named arguments.
    """

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class Written:
    """A function that the script itself defines."""

    __slots__ = ("node", "scope")

    def __init__(self, node: ast.FunctionDef | ast.Lambda, scope: dict[str, Any]) -> None:
        self.node = node
        self.scope = scope


class Inner(dict[str, Any]):
    """The names of a running function, before those of the scope behind it, which are as they are at the moment.

    Args:
        outer: the scope behind it.

    Attributes:
        shared: names that are bound in the outer scope (``global``).
    """

    def __init__(self, outer: dict[str, Any]) -> None:
        super().__init__()
        self.outer = outer
        self.shared: set[str] = set()

    def __missing__(self, key: str) -> Any:
        return self.outer[key]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self.outer

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self.shared:
            self.outer[key] = value
        else:
            super().__setitem__(key, value)


class Marker:
    """Something that is only recognised, such as an extension module or a class."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


class RaisedError(Exception):
    """The script would raise here.

    Attributes:
        kind: name of the exception.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class ExhaustedError(Exception):
    """The script computes more than is worth following: what it has not said by now is unknown."""


def is_known(value: Any) -> bool:
    """Whether a value is a plain one all through."""
    if isinstance(value, dict):
        return all(is_known(key) and is_known(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return all(is_known(item) for item in value)
    return value is None or isinstance(value, str | int | float | bytes)


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None when that cannot be told."""
    if value is UNKNOWN:
        return None
    if isinstance(value, Module | Known | Written | Marker):
        return True
    return bool(value)
