"""What a setup script may call and still be followed: functions of names, paths and the sdist's own tree.

Guarantee: each of them is pure and looks at nothing but the tree; a script that calls anything else gets `UNKNOWN`.
The environment is a plain one: no variables, Linux, CPython 3.11, the arguments that a front end gives.
"""

from __future__ import annotations

import collections
import fnmatch
import itertools
import posixpath
import sys
from typing import TYPE_CHECKING, Any

from simulator.sdists.discovery import find_packages
from simulator.sdists.tree import ROOT
from simulator.sdists.values import ITEMS_MAX, UNKNOWN, Known, Marker, RaisedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.sdists.tree import SourceTree

_VersionInfo = collections.namedtuple("_VersionInfo", "major minor micro releaselevel serial")  # noqa: PYI024 - as sys's
_CONSTANTS: dict[str, Any] = {
    "os.sep": "/",
    "os.path.sep": "/",
    "os.curdir": ".",
    "os.pardir": "..",
    "os.linesep": "\n",
    "os.name": "posix",
    "sys.platform": "linux",
    "sys.byteorder": "little",
    "sys.maxsize": (1 << 63) - 1,
    "sys.version_info": _VersionInfo(3, 11, 0, "final", 0),
    "sys.version": "3.11.0 (main)",
}
# What a front end (build, pip, uv) leaves in sys.argv while a wheel is built.
_ARGUMENTS = ("setup.py", "bdist_wheel", "--dist-dir", "dist/.tmp")

EXTENSION = "extension module"
# Modules whose part is to compile something.
COMPILERS = frozenset({"Cython", "cython", "numpy", "skbuild", "setuptools_rust", "cffi", "pybind11", "mypyc", "torch"})
_ALSO_THERE = frozenset({"setuptools", "distutils", "pkg_resources", "wheel", "imp"})


def is_importable(name: str) -> bool:
    """Whether a build environment has a module whatever the sdist requires."""
    root = name.partition(".")[0]
    return root in sys.stdlib_module_names or root in _ALSO_THERE


def known_calls(tree: SourceTree) -> dict[str, Any]:
    """What can be followed of built-ins, the standard library and setuptools, by dotted name."""
    table: dict[str, Any] = dict(_CONSTANTS)
    # New ones each time: a script may change them.
    table["os.environ"] = {}
    table["sys.argv"] = list(_ARGUMENTS)
    calls = {**_paths(), **_looks(tree), **_discovery(tree), **_plain(), **_opening(tree)}
    table.update({name: Known(call) for name, call in calls.items()})
    for name in (
        "setuptools.Extension",
        "setuptools.extension.Extension",
        "distutils.core.Extension",
        "distutils.extension.Extension",
    ):
        table[name] = Known(lambda *_, **__: Marker(EXTENSION))
    return table


def _paths() -> dict[str, Callable[..., Any]]:
    def absolute(path: str) -> str:
        return posixpath.normpath(posixpath.join(ROOT, path))

    def relative(path: str, start: str = ROOT) -> str:
        return posixpath.relpath(absolute(path), absolute(start))

    calls: dict[str, Callable[..., Any]] = {
        f"os.path.{name}": getattr(posixpath, name)
        for name in ("join", "dirname", "basename", "normpath", "split", "splitext", "isabs", "commonprefix")
    }
    return calls | {
        "os.path.abspath": absolute,
        "os.path.realpath": absolute,
        "os.path.relpath": relative,
        "os.getcwd": lambda: ROOT,
        "os.chdir": lambda _: None,
        "os.fspath": lambda path: path,
        "os.getenv": lambda _, default=None: default,
        "distutils.util.convert_path": lambda path: path,
        "setuptools.convert_path": lambda path: path,
        "fnmatch.fnmatch": fnmatch.fnmatchcase,
        "fnmatch.fnmatchcase": fnmatch.fnmatchcase,
        "fnmatch.filter": fnmatch.filter,
    }


def _looks(tree: SourceTree) -> dict[str, Callable[..., Any]]:
    def listed(path: str = ".") -> list[str]:
        if not tree.is_directory(path):
            raise RaisedError("FileNotFoundError")
        return tree.names(path)

    def found(pattern: str, *, recursive: bool = False, **_: object) -> list[str]:
        return tree.glob(pattern, recursive=recursive)

    return {
        "os.path.exists": tree.exists,
        "os.path.lexists": tree.exists,
        "os.path.isfile": tree.is_file,
        "os.path.isdir": tree.is_directory,
        "os.path.islink": lambda _: False,
        "os.listdir": listed,
        "os.walk": lambda top, **_: list(tree.walk(top)),
        "glob.glob": found,
        "glob.iglob": found,
    }


def _discovery(tree: SourceTree) -> dict[str, Callable[..., Any]]:
    def find(where: str = ".", exclude: Iterable[str] = (), include: Iterable[str] = ("*",)) -> list[str]:
        return find_packages(tree, where, tuple(exclude), tuple(include))

    def find_namespace(where: str = ".", exclude: Iterable[str] = (), include: Iterable[str] = ("*",)) -> list[str]:
        return find_packages(tree, where, tuple(exclude), tuple(include), namespaces=True)

    return {
        "setuptools.find_packages": find,
        "setuptools.PackageFinder.find": find,
        "setuptools.find_namespace_packages": find_namespace,
        "setuptools.PEP420PackageFinder.find": find_namespace,
        "setuptools.discovery.PackageFinder.find": find,
        "setuptools.discovery.PEP420PackageFinder.find": find_namespace,
    }


def _plain() -> dict[str, Callable[..., Any]]:
    def counted(*bounds: int) -> list[int]:
        numbers = range(*bounds)
        if len(numbers) > ITEMS_MAX:
            raise OverflowError
        return list(numbers)

    def leave(*_: object) -> None:
        raise RaisedError("SystemExit")

    constructors = (len, list, tuple, dict, set, frozenset, sorted, str, int, bool, any, all, min, max, abs)
    calls: dict[str, Callable[..., Any]] = {call.__name__: call for call in constructors}
    return calls | {
        "range": counted,
        "xrange": counted,
        "zip": lambda *lists: list(zip(*lists, strict=False)),
        "enumerate": lambda items, start=0: list(enumerate(items, start)),
        "reversed": lambda items: list(reversed(items)),
        "iter": list,
        "print": lambda *_, **__: None,
        "exit": leave,
        "quit": leave,
        "sys.exit": leave,
        "platform.system": lambda: "Linux",
        "platform.machine": lambda: "x86_64",
        "platform.python_implementation": lambda: "CPython",
        "platform.python_version": lambda: "3.11.0",
        "platform.python_version_tuple": lambda: ("3", "11", "0"),
        "itertools.chain": lambda *lists: list(itertools.chain(*lists)),
        "itertools.chain.from_iterable": lambda lists: list(itertools.chain.from_iterable(lists)),
        "collections.OrderedDict": dict,
        "collections.defaultdict": lambda *_: UNKNOWN,
        "warnings.warn": lambda *_, **__: None,
    }


def _opening(tree: SourceTree) -> dict[str, Callable[..., Any]]:
    def opened(path: str, mode: str = "r", *_: object, **__: object) -> Any:
        if mode.startswith("r") and not tree.is_file(path):
            raise RaisedError("FileNotFoundError")
        # What files say does not decide what is built; where it does, the sdist's metadata tells.
        return UNKNOWN

    return {"open": opened, "io.open": opened, "codecs.open": opened}
