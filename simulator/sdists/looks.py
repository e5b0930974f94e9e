"""What running a setup script makes the back end look at, beyond what it passes to `setup()`; nothing is executed.

Some imports, and a search of the root for packages, list directories where builds write. Both are read off the syntax
tree, wherever they stand outside of functions and classes.

Guarantee: it never fails; a script that is no Python tells nothing here (`read_script` refuses it).
Not guaranteed: that a branch is taken; scripts import what they need in `try` and `if`, and mostly do.
Source: pkg_resources and discovery.py of setuptools 69.5.1.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = ("pkg_resources", "setuptools")
_SEARCHES = frozenset({"find_namespace_packages", "PEP420PackageFinder.find"})
_ROOT = frozenset({"", ".", "./"})
# A search that leaves the output directory out does not go into it.
_OUTPUT = frozenset({"dist", "dist*", "dist.*"})


def imported_modules(text: str) -> tuple[str, ...]:
    """Dotted names of the modules of setuptools that a setup script imports, sorted."""
    found: set[str] = set()
    for node in _outside_functions(text):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # What is imported from a package may be a module of it.
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return tuple(sorted(name for name in found if name.partition(".")[0] in _PACKAGES))


def searches_root(text: str) -> bool:
    """Whether a setup script searches the root for packages, any directory being one."""
    return any(
        isinstance(node, ast.Call) and _is_search(ast.unparse(node.func)) and _is_of_root(node)
        for node in _outside_functions(text)
    )


def _is_search(function: str) -> bool:
    return any(function == name or function.endswith(f".{name}") for name in _SEARCHES)


def _is_of_root(call: ast.Call) -> bool:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    where = call.args[0] if call.args else named.get("where")
    if isinstance(where, ast.Constant) and where.value not in _ROOT:
        return False
    exclude = call.args[1] if len(call.args) > 1 else named.get("exclude")
    items = exclude.elts if isinstance(exclude, ast.List | ast.Tuple) else []
    return not any(isinstance(item, ast.Constant) and item.value in _OUTPUT for item in items)


def _outside_functions(text: str) -> Iterator[ast.AST]:
    try:
        waiting: list[ast.AST] = [ast.parse(text)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        ]
