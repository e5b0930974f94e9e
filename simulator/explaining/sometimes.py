"""What happened in a run that a reader would like to know to have happened at all: counters for an exploration.

That nothing went wrong in a thousand runs says little if nobody ever met anybody in them. So each run is looked at for
what makes it interesting, and what stayed at zero in all of them is named. (After the "sometimes assertions" of
Antithesis.)

What another did to a build is read off the record: whoever last made, removed or shut the name that a call failed on
was somebody else, and a name that is missed had been seen to be there. Guarantees: no failure that a build meets alone
is counted, nor an injected one. Not guaranteed: that each is counted in which another had a part; a name that was there
before the run has no maker. Costs: one pass over the steps, about a tenth of the time that they took.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.engine.faults import KILL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from simulator.engine.trace import RawStep
    from simulator.running.outcome import RunReport
    from simulator.scenario import Scenario

MET_MADE = "a build met a name that another had made (EEXIST)"
MISSED_REMOVED = "a build missed a name that it had seen, and another removed (ENOENT)"
MET_FILLED = "a build could not remove what another had filled (ENOTEMPTY)"
SHUT_OUT = "a build was shut out by another (EACCES)"
POISONED = "a directory was poisoned"
PARTIAL = "a partial tree was left"
WAITED = "a lock was waited for"
KILLED = "a build was killed"
KILLED_AFTER_MKDIR = "a build was killed right after a mkdir"
CLEANER_MET_FILLED = "a cleaner could not remove what a build had filled (ENOTEMPTY)"
CLEANER_REPAIRED = "a cleaner repaired a mode"

_OWNER = 0o700
_MAKES = frozenset({"mkdir", "create", "create-excl", "symlink"})
_REMOVES = frozenset({"unlink", "rmdir"})
_CHANGES_MODE = frozenset({"chmod", "fchmod"})
_LOCKING_PROTOCOL = "entry-lock"


def counters(scenario: Scenario) -> tuple[str, ...]:
    """What can happen in runs of a scenario, in the order in which it is told."""
    kills = KILL in {*(fault.action for fault in scenario.faults), *(kind.action for kind in scenario.random_faults)}
    names = [MET_MADE, MISSED_REMOVED, MET_FILLED, SHUT_OUT, POISONED, PARTIAL]
    names += [WAITED] if scenario.cache_lock or scenario.protocol == _LOCKING_PROTOCOL else []
    names += [KILLED, KILLED_AFTER_MKDIR] if kills else []
    names += [CLEANER_MET_FILLED] if scenario.cleaners_during else []
    names += [CLEANER_REPAIRED] if scenario.cleaners_during or scenario.cleaners_after else []
    return tuple(names)


def happened(report: RunReport) -> frozenset[str]:
    """What happened in one run; its steps are needed."""
    storm = report.rounds[0][: report.storm_steps] if report.rounds else ()
    alone = (step for steps in report.rounds for step in steps[report.storm_steps :])
    found = {*_met(storm), *_killed(storm)}
    found |= {POISONED} if report.residue.poisoned else set()
    found |= {PARTIAL} if report.residue.partial_trees else set()
    if any(step[2] == "flock" and step[6] == errno.EWOULDBLOCK and step[8] is None for step in storm):
        found.add(WAITED)
    if any(_is_repair(step) for steps in (storm, alone) for step in steps):
        found.add(CLEANER_REPAIRED)
    return frozenset(found)


def _is_build(actor: str) -> bool:
    return actor.startswith("build-")


def _is_repair(step: RawStep) -> bool:
    actor, _, operation, _, _, mode, number, _, _ = step
    given = operation in _CHANGES_MODE and mode is not None and mode & _OWNER == _OWNER
    return given and number is None and not _is_build(actor)


def _killed(steps: Iterable[RawStep]) -> Iterator[str]:
    before: dict[str, RawStep] = {}
    for step in steps:
        actor, operation = step[0], step[2]
        if operation == KILL and _is_build(actor):
            yield KILLED
            last = before.get(actor)
            if last is not None and last[2] == "mkdir" and last[6] is None:
                yield KILLED_AFTER_MKDIR
        before[actor] = step


@dataclass(slots=True)
class _Name:
    """A name in a directory: who made it, who removed it, who took its owner's bits away, who has seen it there."""

    maker: str | None = None
    remover: str | None = None
    shutter: str | None = None
    seen: set[str] = field(default_factory=set)
    below: dict[str, _Name] = field(default_factory=dict)


class _Names:
    """All names that a run touched."""

    def __init__(self) -> None:
        self._root = _Name()

    def along(self, path: str) -> list[_Name]:
        """What is known of the names that lead to `path`, itself included; it ends where nothing is."""
        place, found = self._root, []
        for part in path.split("/"):
            following = place.below.get(part)
            if following is None:
                break
            found.append(following)
            place = following
        return found

    def at(self, path: str, seer: str | None = None) -> _Name:
        """The name itself; whoever sees it has seen all that lead to it."""
        place = self._root
        for part in path.split("/"):
            following = place.below.get(part)
            if following is None:
                following = place.below[part] = _Name()
            place = following
            if seer is not None:
                place.seen.add(seer)
        return place

    def changed(self, step: RawStep) -> None:
        """A call succeeded."""
        actor, _, operation, path, target, mode, _, _, _ = step
        name = self.at(path, actor)
        if operation in _REMOVES:
            self._removed(name, actor)
        elif operation == "rename":
            new = self.at(target or "")
            new.maker, new.remover, new.shutter, new.seen, new.below = actor, None, name.shutter, {actor}, name.below
            self._removed(name, actor)
        elif operation == "link":
            self._made(self.at(target or ""), actor)
        elif operation in _MAKES:
            self._made(name, actor)
        elif operation in _CHANGES_MODE and mode is not None:
            name.shutter = None if mode & _OWNER == _OWNER else actor

    @staticmethod
    def _made(name: _Name, actor: str) -> None:
        # O_CREAT of a file that is there makes nothing.
        if name.maker is None:
            name.maker, name.remover, name.shutter, name.seen, name.below = actor, None, None, set(), {}
        name.seen.add(actor)

    @staticmethod
    def _removed(name: _Name, actor: str) -> None:
        # Who has seen it keeps thinking that it is there.
        name.maker, name.remover, name.shutter, name.below = None, actor, None, {}


def _met(steps: Iterable[RawStep]) -> Iterator[str]:
    """The failures that are another's doing."""
    names = _Names()
    for step in steps:
        actor, _, operation, path, target, _, number, _, injected = step
        if number is None:
            names.changed(step)
        elif injected is None:
            found = _by_another(names, actor, number, path if operation != "link" else target or "")
            if found is not None:
                yield found


def _by_another(names: _Names, actor: str, number: int, path: str) -> str | None:
    mine = (None, actor)
    along = names.along(path)
    if number == errno.ENOTEMPTY and any(name.maker not in mine for name in names.at(path).below.values()):
        return MET_FILLED if _is_build(actor) else CLEANER_MET_FILLED
    if not _is_build(actor):
        return None
    if number == errno.EEXIST:
        return MET_MADE if names.at(path, actor).maker not in mine else None
    if number == errno.ENOENT and any(name.remover not in mine and actor in name.seen for name in along):
        return MISSED_REMOVED
    if number == errno.EACCES and any(name.shutter not in mine for name in along):
        return SHUT_OUT
    return None
