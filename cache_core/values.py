"""Values: frozen, slotted, compared by what is in them. `dataclasses`, as far as this package needs it, at no cost.

The standard decorator loads `inspect`, `re`, `ast` and a dozen more, and compiles six functions for each class: a third
of the time that `cachestorm clean` took to its first removal (docs/decisions/0013-start-up.md).

Guarantees: for a type checker this *is* `dataclasses`: constructor arguments, `replace` and assignments are checked. At
run time a class has positional and named arguments, defaults, `__post_init__`, equality, a hash, `repr`, `match`,
pickles and copies as there. What else looks at it finds a dataclass too: `dataclasses.fields`, `asdict`, `replace` and
`inspect.signature` work, and what they need is made when first asked for.

Not guaranteed: the rest (`field`, inheritance between values, mutable ones, `InitVar`, `order`): take the original.
Cost: some 20 us a class; making a value takes about as long as with the original.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from dataclasses import dataclass, replace
    from typing import Any, NoReturn, Self

__all__ = ["dataclass", "replace"]


class _Standard:
    """What the standard modules look for, taken from a dataclass like ours when they do."""

    def __init__(self, take: Callable[[type], object]) -> None:
        self._take = take
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, value: object, owner: type[_Value]) -> object:
        import dataclasses  # noqa: PLC0415 - this is what the module is for

        defaults = owner._defaults  # noqa: SLF001 - a part of it
        fields = [
            (name, owner.__annotations__[name], dataclasses.field(default=defaults.get(name, dataclasses.MISSING)))
            for name in owner.__match_args__
        ]
        found = self._take(dataclasses.make_dataclass(owner.__name__, fields, frozen=True))
        setattr(owner, self._name, found)
        return found


def _signature(cls: type) -> object:
    import inspect  # noqa: PLC0415 - as above

    return inspect.signature(cls)


class _Value:
    """What all values can do; `_made` gives each class the rest."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()
    _defaults: dict[str, object] = {}  # noqa: RUF012 - ours, and never changed
    # One for each field: how to set it, past `__setattr__`.
    _setters: tuple[Callable[[object, object], None], ...] = ()

    __dataclass_fields__ = _Standard(lambda cls: cls.__dataclass_fields__)  # type: ignore[attr-defined]
    __dataclass_params__ = _Standard(lambda cls: cls.__dataclass_params__)  # type: ignore[attr-defined]
    __signature__ = _Standard(_signature)

    def __init__(self, *given: object, **named: object) -> None:
        setters = self._setters
        values: Sequence[object] = given
        if named or len(given) != len(setters):
            values = self._complete(given, named)
        for put, value in zip(setters, values):  # noqa: B905 - as many of each, and faster
            put(self, value)

    @classmethod
    def _complete(cls, given: tuple[object, ...], named: dict[str, object]) -> list[object]:
        """All values, in order."""
        names, defaults = cls.__match_args__, cls._defaults
        values = list(given)
        missing = []
        for name in names[len(given) :]:
            if name in named:
                values.append(named.pop(name))
            elif name in defaults:
                values.append(defaults[name])
            else:
                missing.append(name)
        if missing:
            raise TypeError(f"{cls.__name__}: no value for {', '.join(missing)}")
        if named:
            raise TypeError(f"{cls.__name__}: unknown, or given twice: {', '.join(named)}")
        if len(given) > len(names):
            raise TypeError(f"{cls.__name__}: {len(given)} values for {len(names)} fields")
        return values

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), self._values()

    def __replace__(self, /, **changes: object) -> Self:
        for name in self.__match_args__:
            changes.setdefault(name, getattr(self, name))
        return type(self)(**changes)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        _refuse("assign to", name)

    def __delattr__(self, name: str) -> NoReturn:
        _refuse("delete", name)


def _refuse(what: str, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError  # noqa: PLC0415 - a bug has time

    raise FrozenInstanceError(f"cannot {what} field {name!r}")


class _Checked(_Value):
    """A value that has something to say about what it is made of."""

    __slots__ = ()

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)
        self.__post_init__()

    def __post_init__(self) -> None:
        """As in `dataclasses`."""


def _made(cls: type[Any]) -> type[Any]:
    """A class like `cls`, with a slot for each of its annotations."""
    names = tuple(cls.__annotations__)
    body = {name: value for name, value in vars(cls).items() if name not in (*names, "__dict__", "__weakref__")}
    body.update(
        __slots__=names,
        __match_args__=names,
        __qualname__=cls.__qualname__,
        _defaults={name: vars(cls)[name] for name in names if name in vars(cls)},
    )
    made = type(cls.__name__, (_Checked if "__post_init__" in body else _Value,), body)
    setters = tuple(vars(made)[name].__set__ for name in names)
    made._setters = setters  # type: ignore[attr-defined]  # noqa: SLF001 - the slots exist only now
    return made


def _dataclass(*, frozen: bool, slots: bool) -> Callable[[type[Any]], type[Any]]:
    assert frozen, "there is no other kind here"  # noqa: S101
    assert slots, "there is no other kind here"  # noqa: S101
    return _made


def _replace(value: _Value, /, **changes: object) -> _Value:
    return value.__replace__(**changes)


if not TYPE_CHECKING:
    dataclass, replace = _dataclass, _replace
