"""The value of an expression of a setup script, read off its syntax tree.

Guarantee: no code object is ever made of what is read, and no function of the script's choosing is called: there is a
fixed list of operations on strings, numbers and containers (this module) and of functions (`known_calls`), each of
which is bounded in time and size. What is not on it is `UNKNOWN`. Cost: linear in the steps of the script, of which
there are at most `values.STEPS_MAX`.
"""

from __future__ import annotations

import ast
import operator
import re
import sys
from typing import TYPE_CHECKING, Any

from simulator.sdists.values import (
    ITEMS_MAX,
    TEXT_CHARACTERS_MAX,
    UNKNOWN,
    Inner,
    Known,
    Marker,
    Module,
    RaisedError,
    Written,
    is_known,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Scope = dict[str, Any]

# What any of the operations raises when the values do not fit it: the result is unknown, never our crash.
_MISFITS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, UnicodeError, re.error)

_TEXT_METHODS = """
    capitalize casefold count endswith find format index isalnum isalpha isdigit isidentifier islower isspace istitle
    isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split
    splitlines startswith strip swapcase title upper
"""
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(_TEXT_METHODS.split()),
    list: frozenset({"append", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"copy", "get", "items", "keys", "pop", "setdefault", "update", "values"}),
    set: frozenset({"add", "copy", "difference", "discard", "intersection", "union", "update"}),
    frozenset: frozenset({"difference", "intersection", "union"}),
}
# What keeps its arguments as they are, unknown ones too.
_CARRIERS = frozenset(
    {"append", "extend", "insert", "get", "pop", "setdefault", "update", "add", "items", "keys", "values", "copy"}
)
_CARRIER_CALLS = frozenset({"dict", "list", "tuple", "print", "exit", "sys.exit", "quit", "collections.OrderedDict"})
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Sub: operator.sub,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.FloorDiv: operator.floordiv,
}
# A width or a precision could ask for any number of characters.
_WIDE_FORMAT = re.compile(r"[0-9]{4}|\*")


class Expressions:
    """Evaluates expressions; statements are `script.Script`'s, which calls back for functions of the script.

    Args:
        table: what is known by dotted name, as of `known_calls`.
        call_written: runs a function of the script.
        met: told each call of a function that is known by name only: (dotted name, arguments, named arguments).
        step: called for each node; raises when there were too many.
    """

    def __init__(
        self,
        table: dict[str, Any],
        call_written: Callable[[Written, list[Any], dict[str, Any]], Any],
        met: Callable[[str, dict[str, Any]], None],
        step: Callable[[], None],
    ) -> None:
        self._table = table
        self._call_written = call_written
        self._met = met
        self._step = step
        # Reading a missing key raises in the script, which matters where it is caught.
        self.caught = 0

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression, or `UNKNOWN`.

        Raises:
            RaisedError: the script would raise.
            ExhaustedError: too many steps.
        """
        self._step()
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            return UNKNOWN
        try:
            return method(node, scope)
        except RaisedError as error:
            if self.caught or error.kind == "SystemExit":
                raise
            return UNKNOWN
        except _MISFITS as error:
            if self.caught:
                raise RaisedError(type(error).__name__) from error
            return UNKNOWN

    def _constant(self, node: ast.Constant, _: Scope) -> Any:
        return node.value

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        return scope[node.id] if node.id in scope else self._table.get(node.id, UNKNOWN)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        owner = self.value(node.value, scope)
        if isinstance(owner, Module):
            return self.member(owner.name, node.attr)
        if hasattr(owner, "_fields") and node.attr in owner._fields:
            return getattr(owner, node.attr)
        return UNKNOWN

    def member(self, module: str, name: str) -> Any:
        """What a module has under a name; a module again where names go on below it."""
        dotted = f"{module}.{name}"
        if dotted in self._table:
            return self._table[dotted]
        if any(known.startswith(f"{dotted}.") for known in self._table):
            return Module(dotted)
        return UNKNOWN if name != "setup" else Marker(dotted)

    def members(self, module: str) -> dict[str, Any]:
        """What ``import *`` binds."""
        inside = f"{module}."
        names = {name[len(inside) :].partition(".")[0] for name in self._table if name.startswith(inside)}
        return {name: self.member(module, name) for name in (*sorted(names), "setup")}

    def _list(self, node: ast.List, scope: Scope) -> Any:
        return self._items(node.elts, scope)

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._items(node.elts, scope))

    def _set(self, node: ast.Set, scope: Scope) -> Any:
        return set(self._items(node.elts, scope))

    def _items(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        items: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.value(node.value, scope)
                items.extend([UNKNOWN] if inner is UNKNOWN else inner)
            else:
                items.append(self.value(node, scope))
        return items

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        result: dict[Any, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            inner = self.value(item, scope)
            if key is not None:
                result[self.value(key, scope)] = inner
            elif isinstance(inner, dict):
                result.update(inner)
            else:
                result[UNKNOWN] = UNKNOWN
        return result

    def _joinedstr(self, node: ast.JoinedStr, scope: Scope) -> Any:
        parts = [self.value(part, scope) for part in node.values]
        return UNKNOWN if UNKNOWN in parts else _bounded("".join(parts))

    def _formattedvalue(self, node: ast.FormattedValue, scope: Scope) -> Any:
        inner = self.value(node.value, scope)
        plain = node.format_spec is None and node.conversion in {-1, ord("s")}
        return str(inner) if plain and is_known(inner) else UNKNOWN

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Any:
        stops_at = isinstance(node.op, ast.Or)
        result: Any = UNKNOWN
        for part in node.values:
            result = self.value(part, scope)
            decided = truth(result)
            if decided is None:
                # A later part could decide, but not what the result is.
                return UNKNOWN
            if decided is stops_at:
                return result
        return result

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Any:
        inner = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            decided = truth(inner)
            return UNKNOWN if decided is None else not decided
        return -inner if isinstance(node.op, ast.USub) and inner is not UNKNOWN else UNKNOWN

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        for sign, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other, scope)
            if not _comparable(left, right, sign):
                return UNKNOWN
            if not _COMPARISONS[type(sign)](left, right):
                return False
            left = right
        return True

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Any:
        decided = truth(self.value(node.test, scope))
        if decided is None:
            return UNKNOWN
        return self.value(node.body if decided else node.orelse, scope)

    def _binop(self, node: ast.BinOp, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        return self.combined(node.op, left, right)

    def combined(self, sign: ast.operator, left: Any, right: Any) -> Any:
        """The result of an operation with two operands."""
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        if isinstance(sign, ast.Add) and type(left) is type(right) and isinstance(left, str | list | tuple | int):
            return _bounded(left + right)
        if isinstance(sign, ast.Mult) and isinstance(left, str | list | tuple) and isinstance(right, int):
            return _bounded(left * right) if len(left) * right <= ITEMS_MAX else UNKNOWN
        if isinstance(sign, ast.Mod) and isinstance(left, str):
            return _bounded(left % right) if is_known(right) and not _WIDE_FORMAT.search(left) else UNKNOWN
        operation = _OPERATIONS.get(type(sign))
        return UNKNOWN if operation is None else operation(left, right)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.value(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            bounds = [None if part is None else self.value(part, scope) for part in _bounds(node.slice)]
            return UNKNOWN if owner is UNKNOWN or UNKNOWN in bounds else owner[slice(*bounds)]
        key = self.value(node.slice, scope)
        return UNKNOWN if owner is UNKNOWN or key is UNKNOWN else owner[key]

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        return Written(node, scope)

    def _listcomp(self, node: ast.ListComp, scope: Scope) -> Any:
        return self._comprehended(node.generators, scope, lambda inner: self.value(node.elt, inner))

    _generatorexp = _listcomp

    def _setcomp(self, node: ast.SetComp, scope: Scope) -> Any:
        found = self._comprehended(node.generators, scope, lambda inner: self.value(node.elt, inner))
        return UNKNOWN if found is UNKNOWN else set(found)

    def _dictcomp(self, node: ast.DictComp, scope: Scope) -> Any:
        found = self._comprehended(
            node.generators, scope, lambda inner: (self.value(node.key, inner), self.value(node.value, inner))
        )
        return UNKNOWN if found is UNKNOWN else dict(found)

    def _comprehended(self, generators: list[ast.comprehension], scope: Scope, result: Callable[[Scope], Any]) -> Any:
        found: list[Any] = []
        for inner in self._chosen(generators, Inner(scope)):
            if inner is None:
                return UNKNOWN
            found.append(result(inner))
        return found

    def _chosen(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope | None]:
        """The scopes in which a comprehension makes an item; None once that cannot be told."""
        if not generators:
            yield scope
            return
        first, *rest = generators
        items = self.value(first.iter, scope)
        if items is UNKNOWN:
            yield None
            return
        for item in list(items):
            self._step()
            assign(first.target, item, scope)
            decided = [truth(self.value(condition, scope)) for condition in first.ifs]
            if None in decided:
                yield None
                return
            if all(decided):
                yield from self._chosen(rest, scope)

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        arguments = self._items(node.args, scope)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            inner = self.value(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = inner
            else:
                named.update(inner if isinstance(inner, dict) else {"**": UNKNOWN})
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if type(owner) in _METHODS:
                return self._method(owner, node.func.attr, arguments, named)
        return self._called(self.value(node.func, scope), ast.unparse(node.func), arguments, named)

    def _called(self, function: Any, name: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        if isinstance(function, Written):
            return self._call_written(function, arguments, named)
        if isinstance(function, Marker) or (function is UNKNOWN and name == "setup"):
            self._met(function.kind if isinstance(function, Marker) else name, named)
        if UNKNOWN in arguments or "**" in named:
            return UNKNOWN
        special = _SPECIAL.get(name)
        if special is not None and name not in self._table:
            return special(self, *arguments)
        if not isinstance(function, Known) or not (name in _CARRIER_CALLS or _all_known(arguments, named)):
            return UNKNOWN
        return _bounded(function.call(*arguments, **named))

    def mapped(self, function: Any, items: Any) -> Any:
        """The result of ``map``."""
        return [self._called(function, "", [item], {}) for item in items]

    def filtered(self, function: Any, items: Any) -> Any:
        """The result of ``filter``."""
        chosen = [truth(item if function is None else self._called(function, "", [item], {})) for item in items]
        return UNKNOWN if None in chosen else [item for item, keep in zip(items, chosen, strict=True) if keep]

    def has(self, owner: Any, name: str) -> Any:
        """The result of ``hasattr``: it is asked of ``sys`` to tell interpreters apart, and ours is a CPython, too."""
        return hasattr(sys, name) if isinstance(owner, Module) and owner.name == "sys" else UNKNOWN

    def _method(self, owner: Any, name: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        if name not in _METHODS[type(owner)]:
            return UNKNOWN
        if name not in _CARRIERS and not _all_known([owner, *arguments], named):
            return UNKNOWN
        if isinstance(owner, str) and not _bounded_text(owner, name, arguments):
            return UNKNOWN
        if name in {"extend", "update"} and UNKNOWN in arguments:
            arguments = [[UNKNOWN]] if isinstance(owner, list) else [{UNKNOWN: UNKNOWN}]
        result = getattr(owner, name)(*arguments, **named)
        _bounded(owner)
        return list(result) if name in {"items", "keys", "values"} else _bounded(result)


def assign(target: ast.expr, item: Any, scope: Scope) -> None:
    """Bind the names of a target; what a value does not reach becomes unknown."""
    if isinstance(target, ast.Name):
        scope[target.id] = item
    elif isinstance(target, ast.Tuple | ast.List):
        fits = isinstance(item, list | tuple) and len(item) == len(target.elts)
        for place, inner in enumerate(target.elts):
            assign(inner, item[place] if fits else UNKNOWN, scope)


def _bounds(node: ast.Slice) -> tuple[ast.expr | None, ast.expr | None, ast.expr | None]:
    return node.lower, node.upper, node.step


def _comparable(left: Any, right: Any, sign: ast.cmpop) -> bool:
    if left is UNKNOWN or right is UNKNOWN:
        return False
    # What is not plain is not None either, and the keys of a table are known where its values are not.
    is_enough = isinstance(right, dict) if isinstance(sign, ast.In | ast.NotIn) else None in (left, right)
    return is_enough or (is_known(left) and is_known(right))


def _all_known(arguments: list[Any], named: dict[str, Any]) -> bool:
    return all(map(is_known, arguments)) and all(map(is_known, named.values()))


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > TEXT_CHARACTERS_MAX:
        return UNKNOWN
    if isinstance(value, list | tuple | set | dict) and len(value) > ITEMS_MAX:
        raise OverflowError("too many items")
    return value


def _bounded_text(owner: str, name: str, arguments: list[Any]) -> bool:
    """Whether a method of a string gives a string that is not too long: asked before it is called."""
    match name, arguments:
        case "format", _:
            longest = len(owner) * (1 + sum(len(str(argument)) for argument in arguments))
            return not _WIDE_FORMAT.search(owner) and longest < TEXT_CHARACTERS_MAX
        case "replace", [_, str(new), *_]:
            return (len(owner) + 1) * (len(new) + 1) < TEXT_CHARACTERS_MAX
        case "join", [list() | tuple() | set() as parts]:
            return sum(len(part) + len(owner) for part in parts) < TEXT_CHARACTERS_MAX
        case _:
            return True


# Built-in functions that take functions, or a module.
_SPECIAL: dict[str, Callable[..., Any]] = {
    "filter": Expressions.filtered,
    "map": Expressions.mapped,
    "hasattr": Expressions.has,
}
