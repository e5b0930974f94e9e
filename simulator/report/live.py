"""A run while it happens: one line a build on a terminal, a few plain lines elsewhere.

A view looks at the actors between steps (`look`), from the run's own thread: what a plain view prints depends on the
run alone, so the same token prints the same lines. Costs: a call for each step, and ten redraws a second at most.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from simulator.actors.install import INSTALL
from simulator.actors.toolchains.base import PHASES
from simulator.engine.actor import BLOCKED, DONE, STALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from simulator.engine.actor import Shown

_REDRAW_SECONDS = 0.1

_BUILD = "build-"
_FETCHING = "looks up, downloads, unpacks"
_BUILDING = "builds"
_INSTALLING = "installs"
_CLEANING = "cleans"
# What an actor begins with, and what a title has said: no line.
_UNTOLD = frozenset({_FETCHING, _CLEANING})
_STATUS = {BLOCKED: "waits for a lock", STALLED: "stands still"}


class View(Protocol):
    """Shows actors at work."""

    def begin(self, title: str, actors: Sequence[Shown]) -> None:
        """Somebody sets to work."""

    def look(self) -> None:
        """A step was made, or is about to be."""

    def end(self) -> None:
        """They are done."""


class PlainView:
    """Lines: a build sets to fetching, building, installing for the first time; a build ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._actors: Sequence[Shown] = ()
        self._told: set[tuple[str, str]] = set()

    def begin(self, title: str, actors: Sequence[Shown]) -> None:
        """A title."""
        self._print(title)
        self._actors = tuple(actors)
        self._told = set()

    def look(self) -> None:
        """Say what is new."""
        for actor in self._actors:
            doing = _doing(actor)
            if (actor.name, doing) not in self._told:
                self._tell(actor, doing)

    def end(self) -> None:
        """Say who ended last."""
        self.look()

    def _tell(self, actor: Shown, doing: str) -> None:
        self._told.add((actor.name, doing))
        if actor.status == DONE:
            how = "is killed" if actor.killed else "ends"
            # A cleaner's only phase is its name.
            where = f" in {actor.phase}" if _builds(actor) else ""
            self._print(f"  {actor.name} {how}{where} after {actor.progress}")
        elif doing not in _UNTOLD:
            self._print(f"  {actor.name} {doing}")

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class TerminalView:
    """One line an actor, redrawn in place; what remains in the end is the last state."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=stream, highlight=False)
        self._clock = clock
        self._actors: Sequence[Shown] = ()
        self._live: Live | None = None
        self._next = 0.0

    def begin(self, title: str, actors: Sequence[Shown]) -> None:
        """Start a block of lines."""
        self._console.print(Text(title, style="bold"))
        self._actors = tuple(actors)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        self._next = self._clock()

    def look(self) -> None:
        """Redraw, if it is time."""
        now = self._clock()
        if self._live is not None and now >= self._next:
            self._live.update(self._lines(), refresh=True)
            self._next = now + _REDRAW_SECONDS

    def end(self) -> None:
        """Leave the last state standing."""
        if self._live is not None:
            self._live.update(self._lines(), refresh=True)
            self._live.stop()
            self._live = None

    def _lines(self) -> Text:
        width = max((len(actor.name) for actor in self._actors), default=0)
        lines = Text(no_wrap=True)
        for place, actor in enumerate(self._actors):
            status, style = _state(actor)
            lines.append(f"{'' if place == 0 else chr(10)}  {actor.name:<{width}}  {actor.progress:>12}  ")
            lines.append(f"{actor.phase:<18}{status}", style=style)
        return lines


def _state(actor: Shown) -> tuple[str, str]:
    if actor.killed:
        return "killed", "red"
    if actor.status == DONE:
        return "ended", "dim"
    return _STATUS.get(actor.status, ""), "yellow" if actor.status in _STATUS else ""


def _doing(actor: Shown) -> str:
    if actor.status == DONE:
        return DONE
    if actor.status in _STATUS:
        return _STATUS[actor.status]
    if not _builds(actor):
        # By who it is: a cleaner may be called as a phase of a build is.
        return _CLEANING
    if actor.phase in PHASES:
        return _BUILDING
    return _INSTALLING if actor.phase == INSTALL else _FETCHING


def _builds(actor: Shown) -> bool:
    return actor.name.startswith(_BUILD)
