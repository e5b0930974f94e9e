"""What comes of a cleaner on a state, as the file system tells it.

Of what the cleaner says of itself its exit code is believed, and nothing else.

What it printed counts in one place only: where something of the cache cannot go, it has to be named. Harm weighs more
than anything else, then time, then a lie. Costs: two looks at what is outside, one at the cache.
"""

from __future__ import annotations

import os
import re
import signal
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
    """Looks at a place before anybody cleans it; afterwards, says what came of it."""

    def __init__(self, place: Place, state: State) -> None:
        self._place = place
        self._state = state
        self._before: dict[str, Seen] = neighbours.look(place)
        self._stays: dict[Identity, str] = {
            identity_of(f"{place.cache}/{path}"): path for path in state.stays if path != _ITSELF
        }

    def judge(self, ended: Sequence[Ended], timeout_seconds: float) -> Verdict:
        """The verdict on one cleaner, or on several of the same at once; all have ended, or their time was up."""
        harm = neighbours.harm(self._before, neighbours.look(self._place))
        if harm:
            return Verdict(HARMED, harm[0] + (f" (and {len(harm) - 1} more)" if len(harm) > 1 else ""), tuple(harm))
        late = next((one for one in ended if one.timed_out), None)
        if late is not None:
            return Verdict(TIMEOUT, f"it did not end within {timeout_seconds:g} s{_flood(late)}")
        empty = is_empty(self._place.cache)
        bad = next((one for one in ended if one.code != 0), None)
        if bad is None:
            return Verdict(CLEAN) if empty else Verdict(LIED, f"exit code 0, and {self._what_is_left()}")
        wrong = self._why_not_reported(ended) if self._state.expect == MAY_BE_REPORTED and not empty else None
        if self._state.expect == MAY_BE_REPORTED and not empty and wrong is None:
            return Verdict(REPORTED)
        left = "the cache is empty, which it calls a failure" if empty else wrong or self._what_is_left()
        return Verdict(FAILED, f"{self._ending(bad)}; {left}{_flood(bad)}")

    def _why_not_reported(self, ended: Sequence[Ended]) -> str | None:
        """What is wrong with what was left and named; None when it is as it must be."""
        printed = b"\n".join(one.output for one in ended)
        if _ITSELF in self._state.stays:
            named = os.fsencode(self._place.cache) in printed
            return None if named else "it does not name the cache"
        remaining = list(remnants(self._place.cache))
        here = {remnant.identity: remnant for remnant in remaining if remnant.identity in self._stays}
        ways = {identity for remnant in here.values() for identity in remnant.above}
        for remnant in remaining:
            may = remnant.identity in here or remnant.identity in ways or not here.keys().isdisjoint(remnant.above)
            if not may:
                return f"'{shown(remnant.path)}' is left and could go"
        for remnant in here.values():
            if os.fsencode(remnant.path) not in printed:
                return f"it does not name '{shown(remnant.path)}', which is left"
        return None

    def _ending(self, ended: Ended) -> str:
        """How a cleaner that did not succeed ended, and what it said."""
        said = _telling_line(ended.output.decode(errors="backslashreplace"))
        # Where the place is changes from run to run.
        said = said.replace(self._place.cache, "<cache>").replace(f"{self._place.root}/", "")
        if ended.code < 0:
            return f"ended by {_signal_name(-ended.code)}" + (f": {said}" if said else "")
        return f"exit code {ended.code}" + (f": {said}" if said else ", and nothing printed")

    def _what_is_left(self) -> str:
        path = self._place.cache
        if os.path.islink(path) and not os.path.exists(path):
            return "the path is still a link, to nothing"
        path = os.path.realpath(path)
        if not os.path.isdir(path):
            return "the path is still no directory"
        remaining = list(remnants(path))
        number = counted(len(remaining), "entry is", "entries are")
        least = "at least " if len(remaining) >= ENTRIES_MAX else ""
        return f"{least}{number} left, such as '{_example(remaining)}'"


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
