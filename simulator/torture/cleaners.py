"""Cleaners by name, as commands: ours, the system's, real tools', models of these, and any command line.

`{cache}` in a command is the absolute path of the cache. A command line is split as a shell would; no shell runs it.
Guarantee: there is one way to run a cleaner, and ours is run as users run it: the command, with its defaults.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.errors import shown
from simulator.actors.cleaners import CLEANERS
from simulator.errors import BadInputError
from simulator.naming import unknown_message
from simulator.tools.interpreters import with_our_packages
from simulator.tools.kinds import KINDS, is_real_cleaner, parse_cleaner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CACHE_WORD = "{cache}"
_ENTRY = "from simulator.cli.entry import entry; entry()"
_MODEL = "simulator.torture.model"

HARDENED = "hardened"
RMTREE = "rmtree"
# Those that torture knows besides the ones of `run`.
SYSTEM = {
    "rm": ("`rm -rf` of this system (torture only)", ("rm", "-rf", CACHE_WORD)),
    "find": ("`find -delete` of this system (torture only)", ("find", CACHE_WORD, "-delete")),
}
# What an argument list never holds on purpose, and what is no program.
_FOR_A_SHELL = frozenset({"&&", "||", "|", "&"})
_BUILT_IN = frozenset({"cd", "export", "source", ".", "set", "if", "for"})
DEFAULT = (HARDENED, "rm", "find", RMTREE)


@dataclass(frozen=True, slots=True)
class Cleaner:
    """A command that cleans a cache.

    Attributes:
        name: as it was given.
        words: the program and its arguments, `{cache}` where the path goes.
        variables: environment variables that it needs besides those that every cleaner gets.
    """

    name: str
    words: tuple[str, ...]
    variables: Mapping[str, str]

    def command(self, cache: str) -> list[str]:
        """What to run for the cache at an absolute path."""
        return [word.replace(CACHE_WORD, cache) for word in self.words]


def known_names() -> list[str]:
    """The names that stand for a cleaner by themselves."""
    return [*CLEANERS, *SYSTEM]


async def find_cleaners(names: Sequence[str], tell: Callable[[str], None]) -> list[Cleaner]:
    """Have cleaners ready.

    Args:
        names: as users write them: a name of `known_names`, `uv==X.Y.Z`, `pip==X.Y`, or a command line.
        tell: gets a line about each thing that takes long.

    Raises:
        BadInputError: A name that is none, a command that does not exist or has no `{cache}`, a release that does not
            exist.
        MachineError: A release cannot be had.
    """
    # What can be refused at once is, before anything is downloaded.
    ready = {name: _at_once(name) for name in names}
    for command in filter(None, ready.values()):
        _tell_of_files(command, tell)
    found = []
    for name in dict.fromkeys(names):
        cleaner = ready[name]
        if cleaner is None:
            real = await parse_cleaner(name).cleaner(tell)
            cleaner = Cleaner(name, real.command, {})
        found.append(cleaner)
    return found


def _tell_of_files(cleaner: Cleaner, tell: Callable[[str], None]) -> None:
    """What names a file here names none where the cleaner is started."""
    for word in cleaner.words[1:]:
        if not os.path.isabs(word) and os.path.isfile(word):
            tell(f"cleaner '{shown(cleaner.name)}' is started elsewhere: write '{shown(word)}' as an absolute path")


def _at_once(name: str) -> Cleaner | None:
    """A cleaner that needs nothing to be fetched; None for a release of a real tool."""
    if is_real_cleaner(name):
        return None
    ours = with_our_packages({})
    if name == HARDENED:
        return Cleaner(name, (sys.executable, "-c", _ENTRY, "clean", CACHE_WORD), ours)
    if name == RMTREE:
        program = "import shutil, sys; shutil.rmtree(sys.argv[1])"
        return Cleaner(name, (sys.executable, "-I", "-S", "-c", program, CACHE_WORD), {})
    if name in CLEANERS:
        return Cleaner(name, (sys.executable, "-m", _MODEL, name, CACHE_WORD), ours)
    if name in SYSTEM:
        return _command(name, SYSTEM[name][1])
    return _parse(name)


def _parse(text: str) -> Cleaner:
    """A command line."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInputError("bad-cleaner", text, f"cleaner '{shown(text)}': {str(error).lower()}") from error
    for_a_shell = next((word for word in words if word in _FOR_A_SHELL), None)
    if for_a_shell is not None:
        told = f"'{for_a_shell}' is for a shell, and none runs it; write sh -c '...' sh {CACHE_WORD}"
        raise BadInputError("bad-cleaner", text, f"cleaner '{shown(text)}': {told}")
    if not words:
        raise BadInputError("bad-cleaner", text, f"cleaner '{text}' is empty; write a command with {CACHE_WORD}")
    if not any(CACHE_WORD in word for word in words):
        if len(words) == 1:
            known = [*known_names(), *(f"{kind}==VERSION" for kind in KINDS), f"or a command with {CACHE_WORD}"]
            raise BadInputError("unknown-cleaner", text, unknown_message("cleaner", shown(text), known))
        raise BadInputError(
            "bad-cleaner", text, f"cleaner '{shown(text)}' has no {CACHE_WORD}: say where the path of the cache goes"
        )
    return _command(text, words)


def _command(name: str, words: tuple[str, ...]) -> Cleaner:
    program = shutil.which(words[0])
    if program is None:
        there = os.path.lexists(words[0]) and "/" in words[0]
        problem = "cannot be executed" if there else "does not exist"
        hint = ""
        if "=" in words[0]:
            hint = f"; to set a variable write: env {shown(words[0])} PROGRAM"
        elif words[0] in _BUILT_IN or words[0].startswith("~"):
            hint = f"; no shell runs it: write sh -c '...' sh {CACHE_WORD}"
        told = f"cleaner '{shown(name)}': the program '{shown(words[0])}' {problem}{hint}"
        raise BadInputError("bad-cleaner", name, told)
    # A relative one is meant from here, and is run from elsewhere.
    return Cleaner(name, (os.path.abspath(program), *words[1:]), {})
