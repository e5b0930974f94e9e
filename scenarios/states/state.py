"""A hostile state: a small cache that is hard to empty, and what may be expected of whoever tries.

A function that tells a `Recipe` what is in the cache is made one by the decorator `Group.state`. The function's
docstring is what people read: its first paragraph says what the state is, the rest what is hard about it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from scenarios.states.privileged import FLAGS, LISTS, MOUNTS, OWNERS
from scenarios.states.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scenarios.states.place import Place

CLEAN = "clean"
REPORTED = "reported"

# The group of states that are drawn.
RANDOM = "random"

DEVICES = "devices"
NEEDS = {
    MOUNTS: "a mount namespace: root's or an unprivileged user's",
    OWNERS: "files of another user: root",
    FLAGS: "immutable and append-only files: root, on a file system that has them",
    DEVICES: "device nodes: root",
    LISTS: "a file system with access control lists",
}

# In every state unless it says otherwise: what is there as well, one made before everything else and one after, with
# the first name and the last. In whatever order a cleaner goes, it meets one of them after the trouble.
_FIRST = "http-v2/0-ordinary/a/file"
_LAST = "http-v2/z-ordinary/b/file"


class Company(Protocol):
    """Somebody who is at work in the cache while it is cleaned, in a process of its own; killed afterwards."""

    def __call__(self, place: Place, ready: Callable[[], None]) -> None:
        """Work.

        Args:
            place: where.
            ready: to be called once the cleaner may begin.
        """


@dataclass(frozen=True, slots=True)
class State:
    """A hostile state.

    Attributes:
        name: one word, with dashes.
        group: which kind of trouble it is.
        make: tells a recipe what is in the cache.
        summary: what it is, one line.
        about: what is hard about it; may be empty.
        met: where it was met: issues, advisories, pages.
        classes: rows of the catalogue of hard cases that it stands for (`catalogue`).
        expect: `clean`: whoever is good enough empties it; `reported`: something of it cannot go.
        stays: of a reported one, the paths in the cache that may stay; "." is the cache as it is.
        limits: resource limits of the cleaner, by name (`nofile`, `fsize`).
        company: who is at work beside the cleaner.
        copies: how many of the same cleaner begin at once.
        inside: the directory in the cache that the cleaner is started in, if any.
        ordinary: whether there is something besides that is no trouble.
    """

    name: str
    group: str
    make: Callable[[Recipe], None]
    summary: str
    about: str = ""
    met: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    expect: str = CLEAN
    stays: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    company: Company | None = None
    copies: int = 1
    inside: str | None = None
    ordinary: bool = True

    @property
    def links(self) -> tuple[str, ...]:
        """Where it was met, as addresses where there are any."""
        return tuple(map(_address, self.met))

    @property
    def beside(self) -> str:
        """Who is at work besides the cleaner, as its function says; empty when nobody is."""
        if self.copies > 1:
            return f"{self.copies} of the same cleaner at once"
        return "" if self.company is None else _flat((inspect.getdoc(self.company) or "").partition("\n\n")[0])

    def recipe(self) -> Recipe:
        """How it is made."""
        recipe = Recipe()
        if self.ordinary:
            recipe.file(_FIRST)
        self.make(recipe)
        if self.ordinary:
            recipe.file(_LAST)
        return recipe


class Group:
    """The states of one kind, in the order in which they are told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: list[State] = []

    def state(self, **told: object) -> Callable[[Callable[[Recipe], None]], Callable[[Recipe], None]]:
        """A decorator: the function is a state, named as it is; arguments as the attributes of `State`."""

        def add(make: Callable[[Recipe], None]) -> Callable[[Recipe], None]:
            self.add(make.__name__.replace("_", "-"), make, inspect.getdoc(make) or "", **told)
            return make

        return add

    def add(self, name: str, make: Callable[[Recipe], None], text: str, **told: object) -> None:
        """A state by name, for those that differ by a number; `text` as the docstring of a function."""
        summary, _, about = text.partition("\n\n")
        if told.get("stays"):
            told["expect"] = REPORTED
        if told.get("stays") == (".",):
            told["ordinary"] = False
        self.states.append(State(name, self.name, make, _flat(summary), _flat(about), **told))  # type: ignore[arg-type]


def _address(met: str) -> str:
    """Where to read about it."""
    if met.startswith("CVE-"):
        return f"https://nvd.nist.gov/vuln/detail/{met}"
    project, _, number = met.partition("#")
    return f"https://github.com/{project}" + (f"/issues/{number}" if number else "")


def _flat(text: str) -> str:
    return " ".join(text.split())
