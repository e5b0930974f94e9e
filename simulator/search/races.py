"""Races of a run: pairs of transitions whose order could have been the other one.

Two transitions of different actors race when they conflict and nothing orders them but themselves: no third one comes
after the first and before the second. To see what happens the other way round it is enough to go back to the place
before the first and let those move who did not depend on it, the second one's actor among them. Which actor may begin
is not one but a set, the initials of that continuation; if one of them was begun with there already, nothing is to be
done. That is what makes source sets smaller than persistent sets.

Order is kept in clocks, as in `simulator.exploration.classes`: of each actor, how many of its transitions come before.

Source: Abdulla, Aronis, Jonsson, Sagonas, "Optimal dynamic partial order reduction" (POPL 2014; JACM 64(4), 2017,
"Source sets: a foundation for optimal dynamic partial order reduction"), section 4.
Cost: transitions x keys of each, and for a race the transitions between its two sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulator.exploration.keys import AGAINST, EVERYTHING

if TYPE_CHECKING:
    from simulator.exploration.classes import Clock
    from simulator.exploration.keys import Footprint, Key


class Race(NamedTuple):
    """One.

    Attributes:
        first: place of the earlier transition.
        actor: index of who made, or wants to make, the later one.
        initials: actors that may begin a continuation, from before `first`, in which the later one comes first.
    """

    first: int
    actor: int
    initials: frozenset[int]


class _Event(NamedTuple):
    actor: int
    number: int  # among the actor's own, from 1
    clock: Clock


class Order:
    """The partial order of a run's transitions, as they are added one after another.

    Args:
        actors: how many there are.
    """

    def __init__(self, actors: int) -> None:
        self._nothing: Clock = (0,) * actors
        self._events: list[_Event] = []
        self._last: list[int | None] = [None] * actors
        # Of each key, by the way in which they touched it: places that no later one makes superfluous.
        self._latest: dict[Key, dict[str, list[int]]] = {}
        self._everything: int | None = None

    def add(self, actor: int, footprint: Footprint) -> None:
        """The next transition."""
        event = self._event(actor, self._before(footprint))
        place = len(self._events)
        self._events.append(event)
        self._last[actor] = place
        if EVERYTHING in footprint:
            self._everything = place
        for key, kind in footprint.items():
            latest = self._latest.get(key)
            if latest is None:
                self._latest[key] = {kind: [place]}
                continue
            for way in _IMPLIED[kind] & latest.keys():
                latest[way] = [other for other in latest[way] if not self._comes_before(other, event)]
            latest.setdefault(kind, []).append(place)

    def races(self, actor: int, footprint: Footprint) -> list[Race]:
        """Those of a transition that is about to be added with earlier ones; nothing is changed."""
        before = self._before(footprint)
        own = self._last[actor]
        others = [place for place in before if self._events[place].actor != actor]
        event = self._event(actor, before)
        return [
            Race(first, actor, self._initials(first, event))
            for first in others
            if not (own is not None and self._comes_before(first, self._events[own]))
            and not any(other != first and self._comes_before(first, self._events[other]) for other in before)
        ]

    def reversal(self, first: int, actor: int, footprint: Footprint) -> Race | None:
        """The race of a transition that is about to be added with an earlier one, by a lock that was held in between.

        Whoever held it orders them, and need not. None if more than that orders them.
        """
        own = self._last[actor]
        if own is not None and self._comes_before(first, self._events[own]):
            return None
        return Race(first, actor, self._initials(first, self._event(actor, self._before(footprint))))

    def _before(self, footprint: Footprint) -> set[int]:
        """Transitions that a following one with this footprint depends on; those that others of them imply may miss."""
        if EVERYTHING in footprint:
            return set(range(len(self._events)))
        before: set[int] = set() if self._everything is None else {self._everything}
        for key, kind in footprint.items():
            latest = self._latest.get(key)
            if latest is not None:
                for way in AGAINST[kind] & latest.keys():
                    before.update(latest[way])
        return before

    def _event(self, actor: int, before: set[int]) -> _Event:
        own = self._last[actor]
        clocks = [self._events[place].clock for place in before]
        clocks.append(self._nothing if own is None else self._events[own].clock)
        latest = list(map(max, *clocks)) if len(clocks) > 1 else list(clocks[0])
        latest[actor] += 1
        return _Event(actor, latest[actor], tuple(latest))

    def _comes_before(self, place: int, event: _Event) -> bool:
        first = self._events[place]
        return event.clock[first.actor] >= first.number

    def _initials(self, first: int, last: _Event) -> frozenset[int]:
        """Who may begin what does not depend on `first`, `last` at the end of it."""
        events = self._events
        between = [place for place in range(first + 1, len(events)) if not self._comes_before(first, events[place])]
        initials = set()
        met = set()
        for number, event in enumerate([*(events[place] for place in between), last]):
            if event.actor in met:
                continue
            met.add(event.actor)
            if not any(self._comes_before(place, event) for place in between[:number]):
                initials.add(event.actor)
        return frozenset(initials)


# Whoever does not commute with one of these does not commute with the key's way either: who depends on the later one
# need not be told of an earlier one that it depends on.
_IMPLIED = {way: frozenset(other for other in AGAINST if AGAINST[other] <= AGAINST[way]) for way in AGAINST}
