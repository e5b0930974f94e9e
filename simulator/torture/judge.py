"""What comes of a cleaner on a state, as the file system tells it.

Of what the cleaner says of itself its exit code is believed, and nothing else.

What it printed counts in one place only: where something of the cache cannot go, it has to be named. Harm weighs more
than anything else, then time, then a lie. Costs: two looks at what is outside, one at the cache.
"""

from __future__ import annotations

import os
import re
import signal
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache_core.errors import shown
from scenarios.states.state import REPORTED as MAY_BE_REPORTED
from simulator.torture import neighbours
from simulator.torture.child import HEAD_BYTES_MAX
from simulator.torture.remains import ENTRIES_MAX, identity_of, is_empty, remnants
from simulator.torture.verdicts import CLEAN, FAILED, HARMED, LIED, REPORTED, TIMEOUT
from simulator.words import counted, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenarios.states.place import Place
    from scenarios.states.state import State
    from simulator.torture.child import Ended
    from simulator.torture.neighbours import Seen
    from simulator.torture.remains import Identity, Remnant

_ERROR_CHARACTERS_MAX = 300
# What a line that says what went wrong begins with or contains, whoever prints it.
_TELLING = re.compile(r"error|cannot|failed|fatal|panicked|refus|denied|No such|not permitted", re.IGNORECASE)
_ITSELF = "."


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict, what was wrong in a line, and the harm that was done."""

    verdict: str
    error: str | None = None
    harm: tuple[str, ...] = ()


class Judge:
    """Looks at a place before anybody cleans it; afterwards, says what came of it.

    Args:
        place: where the state is laid.
        state: which one.
        directory: what is the cell's own: the place, and what its cleaner takes for its home.
    """

    def __init__(self, place: Place, state: State, directory: str) -> None:
        self._place = place
        self._state = state
        self._directory = directory
        self._before: dict[str, Seen] = neighbours.look(place)
        self._stays: dict[Identity, str] = {
            identity_of(f"{place.cache}/{path}"): path for path in state.stays if path != _ITSELF
        }
        is_directory = os.path.isdir(place.cache) and not os.path.islink(place.cache)
        self._laid = {one.identity for one in remnants(place.cache)} if is_directory else set()

    def judge(self, ended: Sequence[Ended], timeout_seconds: float) -> Verdict:
        """The verdict on one cleaner, or on several of the same at once; all have ended, or their time was up."""
        harm = neighbours.harm(self._before, self._place)
        late = next((one for one in ended if one.timed_out), None)
        in_time = f"it did not end within {timeout_seconds:g} s"
        if harm:
            more = f" (and {len(harm) - 1} more)" if len(harm) > 1 else ""
            return Verdict(HARMED, harm[0] + more + (f"; {in_time}" if late is not None else ""), tuple(harm))
        if late is not None:
            return Verdict(TIMEOUT, in_time + self._last_words(late))
        bad = next((one for one in ended if one.code != 0), None)
        try:
            left = self._what_is_left()
            wrong = self._why_not_reported(ended) if left and self._state.expect == MAY_BE_REPORTED else None
        except OSError as error:
            left = wrong = f"the cache cannot be looked at any more: {error.strerror}"
        if bad is None:
            return Verdict(LIED, f"exit code 0, and {left}{self._last_words(ended[0])}") if left else Verdict(CLEAN)
        if left and self._state.expect == MAY_BE_REPORTED and wrong is None:
            return Verdict(REPORTED)
        told = wrong or left or "the cache is empty, which it calls a failure"
        return Verdict(FAILED, f"{self._ending(bad)}; {told}{_flood(bad)}")

    def _last_words(self, ended: Ended) -> str:
        """What it printed last, where that is all that it said."""
        said = self._telling_line(ended)
        return (f"; it said: {said}" if said else "") + _flood(ended)

    def _why_not_reported(self, ended: Sequence[Ended]) -> str | None:
        """What is wrong with what was left and named; None when it is as it must be."""
        printed = b"\n".join(one.output for one in ended)
        if _ITSELF in self._state.stays:
            if not _names(printed, self._place.cache) and os.fsencode(f"{self._place.cache}/") not in printed:
                return "it does not name the cache, nor anything in it"
            there = {one.identity for one in remnants(self._place.cache)} if self._laid else set()
            return None if there == self._laid else "it refuses the cache, and part of it is gone"
        remaining = list(remnants(self._place.cache))
        if len(remaining) >= ENTRIES_MAX:
            return f"at least {len(remaining):,} entries are left, which is more than were there"
        here = {one.identity for one in remaining if one.identity in self._stays}
        ways = {identity for one in remaining if one.identity in here for identity in one.above}
        inner = {identity for one in remaining for identity in one.above}
        paths = {one.identity: one.path for one in remaining}
        for one in remaining:
            within = not here.isdisjoint(one.above)
            if not (within and one.identity in self._laid) and one.identity not in here | ways:
                return f"'{shown(one.path)}' is left and could go"
            if one.identity not in inner:
                # Itself, or what holds it up to the one that stays.
                chain = [*(paths[above] for above in one.above if above not in ways), one.path]
                if not any(_names(printed, path) for path in chain):
                    stays = next(paths[above] for above in (*one.above, one.identity) if above in here)
                    return f"it does not name '{shown(stays)}', which is left"
        return None

    def _ending(self, ended: Ended) -> str:
        """How a cleaner that did not succeed ended, and what it said."""
        said = self._telling_line(ended)
        if ended.code < 0:
            return f"ended by {_signal_name(-ended.code)}" + (f": {said}" if said else "")
        return f"exit code {ended.code}" + (f": {said}" if said else ", and nothing printed")

    def _telling_line(self, ended: Ended) -> str:
        said = _telling_line(ended.output.decode(errors="backslashreplace"))
        # Where the place is changes from run to run.
        return said.replace(self._place.cache, "<cache>").replace(f"{self._place.root}/", "")

    def _what_is_left(self) -> str:
        """What there is instead of an empty cache; empty when it is one."""
        cache = self._place.cache
        if is_empty(cache):
            moved = self._moved()
            return f"it is not removed but moved, to '{shown(moved)}'" if moved else ""
        if os.path.islink(cache) or not os.path.isdir(cache):
            return "the path is no directory but a link" if os.path.islink(cache) else "the path is no directory"
        remaining = list(remnants(cache))
        number = counted(len(remaining), "entry is", "entries are")
        least = "at least " if len(remaining) >= ENTRIES_MAX else ""
        return f"{least}{number} left, such as '{_example(remaining)}'"

    def _moved(self) -> str:
        """Where something of the cache is now that is the cell's own, and not the cache."""
        for name in os.listdir(self._directory):
            path = f"{self._directory}/{name}"
            # What the place holds beside the cache has been looked at.
            if path != self._place.root and stat.S_ISDIR(os.lstat(path).st_mode):
                for one in remnants(path):
                    if one.identity in self._laid:
                        return f"{name}/{one.path}"
        return ""


def _names(printed: bytes, path: str) -> bool:
    """Whether the path is in the output, and not as the beginning or the end of another one."""
    return re.search(rb"(?<![\w.-])" + re.escape(os.fsencode(path)) + rb"(?![\w/-]|\.\w)", printed) is not None


def _example(remaining: list[Remnant]) -> str:
    """A path of few words that is left: the first one with nothing in it."""
    inner = {identity for remnant in remaining for identity in remnant.above}
    path = next((one.path for one in remaining if one.identity not in inner), remaining[-1].path if remaining else "")
    return shown(path) if len(path) < _ERROR_CHARACTERS_MAX // 2 else shown(path[: _ERROR_CHARACTERS_MAX // 2]) + "..."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # A real-time signal.
        return f"signal {number}"


def _telling_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Of an error that is told with its causes, the last cause is what went wrong.
    telling = [line for line in lines if _TELLING.search(line)]
    line = telling[-1] if telling else lines[-1] if lines else ""
    return shown(line if len(line) <= _ERROR_CHARACTERS_MAX else f"{line[:_ERROR_CHARACTERS_MAX]}...")


def _flood(ended: Ended) -> str:
    if ended.printed <= HEAD_BYTES_MAX:
        return ""
    return f"; it printed {size(ended.printed)}, of which the first and the last part were read"
