"""What a setup script passes to `setup()`, read off its syntax tree: nothing of it is executed.

Idea: statements are followed in order, as far as they only move known values about: assignments, `if` whose test is
known, loops over known lists, functions of the script, `try` around an import. Where a test is not known, every name
that a branch could change becomes unknown, and stays so. The first call of `setup()` is what counts.

Guarantee: a value that comes out is the one that the script would compute on CPython 3.11 on Linux in an environment
with no variables set; else it is `UNKNOWN`. It ends, whatever the script is (`values.STEPS_MAX`). Not guaranteed:
modules of the sdist that a script imports are not followed.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.sdists.expressions import Expressions, Scope, assign
from simulator.sdists.known_calls import COMPILERS, is_importable, known_calls
from simulator.sdists.tree import ROOT
from simulator.sdists.values import (
    CALLS_DEEP_MAX,
    ITEMS_MAX,
    STEPS_MAX,
    UNKNOWN,
    ExhaustedError,
    Inner,
    Marker,
    Module,
    RaisedError,
    Written,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.sdists.tree import SourceTree

# Handlers that catch what reading can raise.
_CATCH_ALL = frozenset({"Exception", "BaseException", "Error", "DistutilsError"})
_ALSO_CALLED = {
    "ImportError": ("ModuleNotFoundError",),
    "IOError": ("FileNotFoundError", "OSError"),
    "OSError": ("FileNotFoundError", "IOError"),
    "EnvironmentError": ("FileNotFoundError", "OSError", "IOError"),
    "LookupError": ("KeyError", "IndexError"),
}
_UNRELATED_EXITS = frozenset({"SystemExit", "KeyboardInterrupt"})


@dataclass(slots=True)
class Said:
    """What `setup()` was given.

    Attributes:
        arguments: by name; `UNKNOWN` where it is computed.
        all_named: False when there are more arguments than can be named (``**something``).
        called: whether there is a call at all.
        by: the dotted name of the function, e.g. ``setuptools.setup``.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    all_named: bool = True
    called: bool = False
    by: str = ""


class _Found(Exception):  # noqa: N818 - no error: the call is there, and nothing after it matters
    pass


class _Lost(Exception):  # noqa: N818 - a loop that may or may not end here
    pass


class _Jump(Exception):  # noqa: N818 - `return`, `break` or `continue`
    def __init__(self, kind: type[ast.stmt], value: Any = None) -> None:
        super().__init__()
        self.kind = kind
        self.value = value


def read_script(
    text: str, tree: SourceTree, required: frozenset[str] = frozenset(), *, imports_own: bool = True
) -> Said:
    """Read a setup script.

    Args:
        text: of the script.
        tree: of the sdist.
        required: lower-case names of what the sdist requires for its build, which is there to import.
        imports_own: whether modules of the sdist itself can be imported.

    Raises:
        SyntaxError: it is no Python 3.
    """
    own = {name.removesuffix(".py") for name in tree.names("") if imports_own}
    reader = _Script(tree, required | {name.lower() for name in own})
    reader.follow(ast.parse(text))
    return reader.said


class _Script:
    def __init__(self, tree: SourceTree, required: frozenset[str]) -> None:
        self.said = Said()
        self._required = required
        self._steps = 0
        self._depth = 0
        self._loops = 0
        self._evaluate = Expressions(known_calls(tree), self._call, self._met, self._step)

    def follow(self, module: ast.Module) -> None:
        scope: Scope = {"__file__": f"{ROOT}/setup.py", "__name__": "__main__", "__doc__": ast.get_docstring(module)}
        with suppress(_Found, ExhaustedError):
            for statement in module.body:
                # A script that gives up before its call of setup() is read on: somewhere it builds.
                with suppress(RaisedError, _Jump):
                    self._statement(statement, scope)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise ExhaustedError

    def _met(self, name: str, named: dict[str, Any]) -> None:
        if name.rpartition(".")[2] != "setup":
            return
        self.said = Said({key: value for key, value in named.items() if key != "**"}, "**" not in named, True, name)
        raise _Found

    def _call(self, function: Written, arguments: list[Any], named: dict[str, Any]) -> Any:
        node = function.node
        if self._depth >= CALLS_DEEP_MAX:
            return UNKNOWN
        scope = Inner(function.scope)
        _bind(node.args, arguments, named, scope)
        if isinstance(node, ast.Lambda):
            return self._evaluate.value(node.body, scope)
        self._depth += 1
        try:
            self._body(node.body, scope)
        except _Jump as jump:
            return jump.value
        finally:
            self._depth -= 1
        return None

    def _body(self, statements: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in statements:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        self._step()
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            _forget([node], scope)
        else:
            method(node, scope)

    def _expr(self, node: ast.Expr, scope: Scope) -> None:
        self._evaluate.value(node.value, scope)

    def _pass(self, *_: object) -> None:
        """Nothing."""

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self._evaluate.value(node.value, scope)
        for target in node.targets:
            self._store(target, value, scope)

    def _annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._store(node.target, self._evaluate.value(node.value, scope), scope)

    def _store(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if not isinstance(target, ast.Subscript):
            assign(target, value, scope)
            return
        owner = self._evaluate.value(target.value, scope)
        key = UNKNOWN if isinstance(target.slice, ast.Slice) else self._evaluate.value(target.slice, scope)
        if isinstance(owner, dict):
            owner[key] = value
        elif isinstance(owner, list):
            if isinstance(key, int) and -len(owner) <= key < len(owner):
                owner[key] = value
            else:
                owner.append(UNKNOWN)

    def _augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        right = self._evaluate.value(node.value, scope)
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        left = self._evaluate.value(load, scope)
        if isinstance(node.op, ast.Add) and isinstance(left, list):
            # In place: whoever else holds the list sees it.
            left.extend(right if isinstance(right, list | tuple) and len(left) + len(right) <= ITEMS_MAX else [UNKNOWN])
            return
        try:
            result = self._evaluate.combined(node.op, left, right)
        except (TypeError, ValueError, ArithmeticError):
            result = UNKNOWN
        self._store(node.target, result, scope)

    def _if(self, node: ast.If, scope: Scope) -> None:
        decided = truth(self._evaluate.value(node.test, scope))
        if decided is not None:
            self._body(node.body if decided else node.orelse, scope)
            return
        for branch in (node.body, node.orelse):
            if _calls_setup(branch):
                self._body(branch, scope)
        _forget([*node.body, *node.orelse], scope)
        self._lose_way([*node.body, *node.orelse])

    def _lose_way(self, branches: Sequence[ast.stmt]) -> None:
        """Whether a function or a loop goes on after these branches cannot be told: it ends here, nothing known."""
        kinds = {type(inner) for statement in branches for inner in ast.walk(statement)}
        if self._depth and kinds & {ast.Return, ast.Raise}:
            raise _Jump(ast.Return, UNKNOWN)
        if self._loops and kinds & {ast.Break, ast.Continue}:
            raise _Lost

    def _for(self, node: ast.For, scope: Scope) -> None:
        items = self._evaluate.value(node.iter, scope)
        if not isinstance(items, list | tuple | set | frozenset | dict | str):
            _forget([node], scope)
            return
        for item in list(items):
            assign(node.target, item, scope)
            if not self._turn(node, scope):
                return
        self._body(node.orelse, scope)

    def _turn(self, node: ast.For | ast.While, scope: Scope) -> bool:
        """One turn of a loop; returns whether there may be another."""
        self._loops += 1
        try:
            self._body(node.body, scope)
        except _Lost:
            _forget([node], scope)
            return False
        except _Jump as jump:
            if jump.kind is ast.Return:
                raise
            return jump.kind is not ast.Break
        finally:
            self._loops -= 1
        return True

    def _while(self, node: ast.While, scope: Scope) -> None:
        while True:
            decided = truth(self._evaluate.value(node.test, scope))
            if decided is None:
                _forget([node], scope)
                return
            if not decided:
                break
            if not self._turn(node, scope):
                return
        self._body(node.orelse, scope)

    def _with(self, node: ast.With, scope: Scope) -> None:
        for item in node.items:
            value = self._evaluate.value(item.context_expr, scope)
            if item.optional_vars is not None:
                assign(item.optional_vars, value, scope)
        self._body(node.body, scope)

    def _try(self, node: ast.Try, scope: Scope) -> None:
        self._evaluate.caught += 1
        try:
            self._body(node.body, scope)
        except RaisedError as error:
            self._evaluate.caught -= 1
            handler = next((handler for handler in node.handlers if _catches(handler, error.kind)), None)
            if handler is None:
                raise
            if handler.name:
                scope[handler.name] = UNKNOWN
            self._body(handler.body, scope)
        except BaseException:
            self._evaluate.caught -= 1
            raise
        else:
            self._evaluate.caught -= 1
            self._body(node.orelse, scope)
        self._body(node.finalbody, scope)

    def _raise(self, node: ast.Raise, _: Scope) -> None:
        cause = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        raise RaisedError(ast.unparse(cause).rpartition(".")[2] if cause is not None else "Exception")

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise _Jump(ast.Return, None if node.value is None else self._evaluate.value(node.value, scope))

    def _break(self, *_: object) -> None:
        raise _Jump(ast.Break)

    def _continue(self, *_: object) -> None:
        raise _Jump(ast.Continue)

    def _assert(self, *_: object) -> None:
        """It holds, or there would be no such release."""

    def _global(self, node: ast.Global, scope: Scope) -> None:
        if isinstance(scope, Inner):
            scope.shared.update(node.names)

    def _delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.pop(target.id, None)

    def _functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        scope[node.name] = UNKNOWN if node.decorator_list else Written(node, scope)

    def _classdef(self, node: ast.ClassDef, scope: Scope) -> None:
        scope[node.name] = Marker(f"class {node.name}")

    def _import(self, node: ast.Import, scope: Scope) -> None:
        for item in node.names:
            module = self._imported(item.name)
            name = item.asname or item.name.partition(".")[0]
            if isinstance(module, Module):
                module = Module(item.name if item.asname else name)
            scope[name] = module

    def _importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = UNKNOWN if node.level else self._imported(node.module or "")
        for item in node.names:
            name = item.asname or item.name
            if item.name == "*" and isinstance(module, Module):
                scope.update(self._evaluate.members(module.name))
            elif isinstance(module, Module):
                scope[name] = self._evaluate.member(module.name, item.name)
            elif item.name != "*":
                scope[name] = UNKNOWN

    def _imported(self, name: str) -> Any:
        root = name.partition(".")[0]
        if is_importable(name) or root in COMPILERS:
            # A compiler is there because the sdist needs it; whether it says so or not.
            if root not in COMPILERS or root.lower() in self._required or not self._evaluate.caught:
                return Module(name)
        elif root.lower() in self._required or not self._evaluate.caught:
            return UNKNOWN
        raise RaisedError("ImportError")


def _bind(declared: ast.arguments, arguments: list[Any], named: dict[str, Any], scope: Scope) -> None:
    names = [argument.arg for argument in (*declared.posonlyargs, *declared.args)]
    for name in (*names, *(argument.arg for argument in declared.kwonlyargs)):
        scope[name] = UNKNOWN
    for name, default in zip(reversed(names), reversed(declared.defaults), strict=False):
        scope[name] = default.value if isinstance(default, ast.Constant) else UNKNOWN
    for argument, value in zip(declared.kwonlyargs, declared.kw_defaults, strict=True):
        scope[argument.arg] = value.value if isinstance(value, ast.Constant) else UNKNOWN
    scope.update(zip(names, arguments, strict=False))
    scope.update((name, value) for name, value in named.items() if name in scope)
    if declared.vararg is not None:
        scope[declared.vararg.arg] = tuple(arguments[len(names) :])
    if declared.kwarg is not None:
        scope[declared.kwarg.arg] = {name: value for name, value in named.items() if name not in names}


def _catches(handler: ast.ExceptHandler, kind: str) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(item).rpartition(".")[2] for item in types}
    if kind in names or any(kind in _ALSO_CALLED.get(name, ()) for name in names):
        return True
    return bool(names & _CATCH_ALL) and kind not in _UNRELATED_EXITS


def _calls_setup(statements: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "setup"
        for statement in statements
        for node in ast.walk(statement)
    )


def _forget(statements: Sequence[ast.stmt], scope: Scope) -> None:
    """Everything that these statements could change is unknown from now on."""
    for statement in statements:
        for node in ast.walk(statement):
            for name, keys in _changed(node):
                owner = scope[name] if name in scope else UNKNOWN  # noqa: SIM401 - `get` does not see outer scopes
                if keys and isinstance(owner, dict):
                    owner.update(dict.fromkeys(keys, UNKNOWN))
                else:
                    scope[name] = UNKNOWN


def _changed(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that a node changes; of a table that it changes by constant keys, which keys."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, ()
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)), ctx=ast.Store()):
            yield name, (key,)
        case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
            yield from ((name, ()) for name in _root(node))
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"), args=[], keywords=keywords):
            yield name, tuple(keyword.arg for keyword in keywords if keyword.arg)
        case ast.Call(func=ast.Attribute(value=owner)):
            yield from ((name, ()) for name in _root(owner))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((item.asname or item.name.partition(".")[0], ()) for item in names)
        case _:
            return


def _root(node: ast.AST) -> Iterator[str]:
    """The name in front of subscripts and attributes, if it is a container that they could change."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
