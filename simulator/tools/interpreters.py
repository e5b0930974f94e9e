"""Which Python a real build or a real tool runs on.

Guarantee: what is returned has run and said its own version. Costs: nothing for the Python that runs us, 20 ms for one
that PATH has, a quarter of a second for one that virtualenv finds elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import BadInputError, MachineError
from simulator.tools.children import run_child

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(r"3\.[0-9]+", re.ASCII)
_ASK = "import json, sys; print(json.dumps([getattr(sys, '_base_executable', sys.executable), sys.version.split()[0]]))"
# Long for a program that prints two words; short for somebody who waits for one that hangs.
_ANSWER_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: path of the program (of a virtual environment: of the one it was made with), version as ``3.11.7``."""

    path: str
    version: str


async def find_interpreter(python: str | None = None) -> Interpreter:
    """Find a Python.

    Args:
        python: a version such as ``3.11``, a path (anything with a slash), or None for the one that runs us.

    Raises:
        BadInputError: it is neither a version nor the path of a Python.
        MachineError: there is no Python of this version.
    """
    # In a virtual environment: the Python that it was made with.
    own = _interpreter(getattr(sys, "_base_executable", None) or sys.executable, sys.version.split()[0])
    if python is None:
        return own
    if "/" in python:
        found = await _ask(python)
        if found is None:
            raise BadInputError("python", python, f"'{python}' is no Python that runs; give a version, such as 3.11")
        return found
    if _VERSION.fullmatch(python) is None:
        raise BadInputError("python", python, f"'{python}' is no version of Python, such as 3.11")
    if _is_version(own, python):
        return own
    on_path = shutil.which(f"python{python}")
    found = await _ask(on_path) if on_path is not None else None
    if found is None or not _is_version(found, python):
        found = await _discover(python)
    if found is None:
        raise MachineError(
            "python", python, f"there is no Python {python} on this machine; install it, or put python{python} on PATH"
        )
    return found


def _interpreter(path: str, version: str) -> Interpreter:
    return Interpreter(os.path.realpath(path), version)


def _is_version(found: Interpreter, version: str) -> bool:
    return found.version.startswith(f"{version}.")


async def _ask(path: str) -> Interpreter | None:
    """What this Python says of itself; None if it says nothing."""
    try:
        told = await run_child(
            [path, "-I", "-c", _ASK], environment=os.environ, directory=".", timeout_seconds=_ANSWER_SECONDS_MAX
        )
    except OSError:
        return None
    if told.code != 0:
        return None
    try:
        base, version = json.loads(told.stdout)
    except ValueError:
        return None
    return _interpreter(base, version)


async def _discover(version: str) -> Interpreter | None:
    """What virtualenv finds where PATH has nothing."""
    told = await run_child(
        [sys.executable, "-m", "simulator.tools.virtual_environment", "find", version],
        environment=with_our_packages(os.environ),
        directory="/",
        timeout_seconds=_ANSWER_SECONDS_MAX,
    )
    path = told.stdout.strip()
    found = await _ask(path) if told.code == 0 and path else None
    return found if found is not None and _is_version(found, version) else None


def with_our_packages(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables under which a child of ours finds this package, installed or not."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}
