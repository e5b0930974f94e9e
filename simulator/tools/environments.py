"""Environments with pinned requirements, made once and kept: what real builds and real tools run in.

Each is a virtual environment in the store, under a name made from its requirements and its Python, and beside it a
lock file: whoever wants it while another makes it waits. It counts as made once its mark is there, which is written
last; a half-made one is removed and made anew. The lock goes on to the children that fill it, so that whoever survives
a killed cachestorm is waited for, too.

Guarantees: an environment that is returned is whole; two processes share it; cancelled at any moment, no child is left
and nothing half-made counts. Not guaranteed: that nobody changes it afterwards.
Costs: a second and what is downloaded (setuptools 1 MB, uv 10 to 20 MB), once; then a `stat`.

The store is the directory ``tools`` in the user's cache directory of cachestorm; the environment variable
CACHESTORM_TOOLS names another. Where it cannot be written, a directory of ours in the directory for temporary files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from simulator.actors.toolchains.releases import RELEASES
from simulator.errors import MachineError
from simulator.naming import known_name
from simulator.tools.children import run_child
from simulator.tools.file_lock import held
from simulator.tools.interpreters import find_interpreter, with_our_packages
from simulator.tools.pip_errors import installation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from simulator.tools.interpreters import Interpreter

STORE_VARIABLE = "CACHESTORM_TOOLS"

_MARK = "complete"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")
_NOTES = "virtualenv"
# A tool of 20 MB over a slow line takes minutes; what takes longer hangs.
_INSTALL_SECONDS_MAX = 900.0
# pip's five take ten seconds where there is no network at all.
_RETRIES = 2
# Settings for another installation than this one.
_NOT_FOR_PIP = frozenset(
    {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN"}
)
_NOT_FOR_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV"})


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment: its directory, and its Python's path."""

    directory: str
    python: str

    def program(self, name: str) -> str:
        """Path of one of its programs."""
        return f"{self.directory}/bin/{name}"


def toolchain_requirements(name: str) -> tuple[str, ...]:
    """What a toolchain stands for, as ``NAME==VERSION`` each.

    Raises:
        BadInputError: there is no such toolchain.
    """
    return RELEASES[known_name("toolchain", name, RELEASES)].requirements


def _nobody(line: str) -> None:
    del line


async def environment(
    requirements: Sequence[str],
    *,
    python: str | None = None,
    store: str | None = None,
    tell: Callable[[str], None] = _nobody,
) -> Environment:
    """The environment with these requirements; made if it is not there.

    Args:
        requirements: ``NAME==VERSION``, or what PEP 508 allows; taken as wheels only, so nobody's code runs.
        python: which Python it has, as `find_interpreter`.
        store: where it is kept, if not in `store_directory`.
        tell: gets a line about each thing that takes long.

    Raises:
        BadInputError: a requirement that does not exist.
        MachineError: no such Python, one that is too old, no network, no room, no place to write.
    """
    interpreter = await find_interpreter(python)
    key = _key(requirements, interpreter)
    made = _place(store, key)
    if not _is_made(made):
        try:
            async with held(f"{made.directory}.lock", key, tell) as lock:
                if not _is_made(made):
                    tell(f"making the environment {key}")
                    await _make(made, requirements, interpreter, lock)
        except OSError as error:
            raise _unwritable(os.path.dirname(made.directory), error.strerror or str(error)) from error
    return made


def _place(store: str | None, key: str) -> Environment:
    directory = f"{store_directory() if store is None else os.path.abspath(store)}/{key}"
    return Environment(directory, f"{directory}/bin/python")


def store_directory() -> str:
    """Where environments are kept.

    Raises:
        MachineError: nowhere could they be.
    """
    given = os.environ.get(STORE_VARIABLE)
    if given:
        return os.path.abspath(given)
    usual = os.path.join(platformdirs.user_cache_dir("cachestorm"), "tools")
    if _can_write(usual):
        return usual
    # Programs are run from it: it must be ours, and nobody else may write there.
    other = os.path.join(tempfile.gettempdir(), f"cachestorm-tools-{os.geteuid()}")
    with contextlib.suppress(FileExistsError):  # a run before this one made it; who owns it is looked at next
        REAL.mkdir(other, 0o700)
    status = os.lstat(other)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise _unwritable(usual, f"and '{other}' is not ours")
    return other


def _can_write(directory: str) -> bool:
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return os.access(directory, os.W_OK | os.X_OK)


def _unwritable(store: str, reason: str) -> MachineError:
    return MachineError(
        "tools",
        store,
        f"environments cannot be made in '{store}': {reason}; give another directory in {STORE_VARIABLE}",
    )


def _key(requirements: Sequence[str], interpreter: Interpreter) -> str:
    told = json.dumps([sorted(requirements), interpreter.path, interpreter.version])
    names = "-".join(_NOT_IN_NAMES.sub("-", requirement) for requirement in requirements) or "empty"
    # A name that a person can read, never longer than a file name may be.
    return f"{names[:80]}-py{interpreter.version}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _is_made(made: Environment) -> bool:
    # The second is a link to a Python that may have been uninstalled since.
    return os.path.exists(f"{made.directory}/{_MARK}") and os.path.exists(made.python)


async def _make(made: Environment, requirements: Sequence[str], interpreter: Interpreter, lock: int) -> None:
    with contextlib.ExitStack() as undo:
        _remove(made.directory)
        undo.callback(_remove, made.directory)
        pip = await _create(made, interpreter, lock)
        if requirements:
            await _fill(made, requirements, interpreter, pip, lock)
        _mark(made, [interpreter.version, *requirements])
        undo.pop_all()


async def _create(made: Environment, interpreter: Interpreter, lock: int) -> str:
    """Make it, empty; returns the path of a pip that can fill it."""
    store = os.path.dirname(made.directory)
    maker = [sys.executable, "-m", "simulator.tools.virtual_environment", "make"]
    done = await run_child(
        [*maker, made.directory, interpreter.path, f"{store}/{_NOTES}"],
        environment=with_our_packages(os.environ),
        directory=store,
        keep_open=(lock,),
        timeout_seconds=_INSTALL_SECONDS_MAX,
    )
    if done.code != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["it took too long"]
        raise MachineError(
            "environment", interpreter.path, f"no virtual environment for '{interpreter.path}': {reason[0]}"
        )
    return done.stdout.strip()


def _mark(made: Environment, lines: Iterable[str]) -> None:
    with open(f"{made.directory}/{_MARK}", "w", encoding="utf-8") as mark:
        mark.writelines(f"{line}\n" for line in lines)


async def _fill(made: Environment, requirements: Sequence[str], interpreter: Interpreter, pip: str, lock: int) -> None:
    # Byte-compiled now, so that no build compiles for the next.
    options = ["--only-binary", ":all:", "--no-input", "--no-cache-dir", "--compile", "--retries", str(_RETRIES)]
    done = await run_child(
        [made.python, pip, "install", "--quiet", "--disable-pip-version-check", *options, *requirements],
        environment=variables_without(os.environ, _NOT_FOR_PIP | _NOT_FOR_PYTHON),
        directory=made.directory,
        keep_open=(lock,),
        timeout_seconds=_INSTALL_SECONDS_MAX,
    )
    if done.code is None:
        what = " ".join(requirements)
        minutes = int(_INSTALL_SECONDS_MAX / 60)
        raise MachineError("index", what, f"{what} is not installed after {minutes} minutes; check the network")
    if done.code != 0:
        raise installation_error(requirements, interpreter.version, done.stdout + done.stderr)


def variables_without(variables: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Environment variables, less some."""
    left_out = set(names)
    return {name: value for name, value in variables.items() if name not in left_out}


def _remove(directory: str) -> None:
    if not os.path.lexists(directory):
        return
    removal = remove_tree(directory)
    if removal.left:
        raise _unwritable(directory, f"{removal.left[0].path}: {removal.left[0].reason}")
