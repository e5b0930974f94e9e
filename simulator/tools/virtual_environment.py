"""virtualenv, in a process of its own: ``python -m simulator.tools.virtual_environment``.

It blocks, reads the environment variables and keeps locks of its own, so it runs in a child that can be killed.

    find VERSION            prints the path of a Python of this version, or nothing
    make FOLDER PYTHON APP  makes a virtual environment with nothing in it (APP: where virtualenv keeps its notes),
                            prints the path of a pip that can fill it

The pip is the wheel that virtualenv carries: run from the file, it leaves the environment as empty as pip's own build
isolation leaves it, and needs no network.
"""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

from virtualenv import cli_run, session_via_cli
from virtualenv.seed.wheels.embed import get_embed_wheel

if TYPE_CHECKING:
    from collections.abc import Callable


def find(version: str) -> str:
    """Path of a Python of this version; empty when there is none."""
    with tempfile.TemporaryDirectory() as notes:
        try:
            session = session_via_cli([f"{notes}/unmade", "--python", version, "--app-data", notes], None, False)
        except RuntimeError:
            return ""
        return str(session.interpreter.system_executable)


def make(folder: str, python: str, notes: str) -> str:
    """Make one; returns the path of a pip."""
    session = cli_run([folder, "--python", python, "--no-seed", "--app-data", notes], None, False)
    version = ".".join(map(str, session.interpreter.version_info[:2]))
    wheel = get_embed_wheel("pip", version)
    if wheel is None:
        sys.exit(f"virtualenv carries no pip for Python {version}")
    return f"{wheel.path}/pip"


_VERBS: dict[str, Callable[..., str]] = {"find": find, "make": make}


if __name__ == "__main__":
    print(_VERBS[sys.argv[1]](*sys.argv[2:]))  # noqa: T201 - its output is its purpose
