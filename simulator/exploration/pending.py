"""The footprint of a call that is about to be made: the widest that it may touch, in the state in which it is asked.

Of a step that was made the footprint is that of what it did (`simulator.exploration.footprints`). What an actor waits
with has not been decided yet, so it gets what its success would touch and what each of its failures would read,
together. Only where the shadow knows for certain that a call cannot succeed (the name is taken, or is not there, or the
directory is not empty) is a success left out: who asks whether two calls race asks about the state that they are in.

Guarantees: made as the next step, a call touches nothing in a way that is not foreseen; so whatever conflicts with the
step conflicts with what was foreseen (`tests/property/test_pending.py`). Looking changes nothing in the shadow. As long
as no step conflicts with what is foreseen, it stays true.
Not guaranteed: anything about the call after next; nor, when the record contradicts the shadow at this very step, the
footprint of a follower that has just lost track. An actor whose call is not known yet (it waits for an event) touches
nothing.
Cost: 10 to 25 us, as a step that is followed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulator.engine.trace import CREATE, CREATE_EXCL, OPEN, OPENDIR, TRUNCATED, Step
from simulator.exploration.keys import (
    ADD,
    EVERYTHING,
    MOVES,
    READ,
    WRITE,
    Footprint,
    data,
    entry,
    listing,
    lock,
    meta,
    mode,
)
from simulator.exploration.reach import LostTrackError, Reach
from simulator.exploration.tree import DIRECTORY, LINK, Node, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.engine.actor import Actor, Call
    from simulator.exploration.footprints import Follower
    from simulator.exploration.reach import Rule


class Foresight(Reach):
    """What pending calls may touch.

    Args:
        follower: has followed every step so far; is asked, never changed.
    """

    def __init__(self, follower: Follower) -> None:
        super().__init__(follower.tree, follower.descriptors)
        self._follower = follower
        self._rules: dict[str, Rule] = self._looks | {
            OPEN: self._open, OPENDIR: self._open, CREATE: self._create, CREATE_EXCL: self._make, "mkdir": self._make,
            "symlink": self._make, "link": self._link, "unlink": self._unlink, "rmdir": self._rmdir,
            "rename": self._rename, "chmod": self._chmod, "fchmod": self._fchmod, "fchown": self._fchown,
            "utime": self._utime, "write": self._write, "close": self._close, "flock": self._flock,
            "dup": self._nothing,
        }  # fmt: skip

    def of(self, actor: Actor) -> Footprint:
        """What the next step of `actor`, who waits at the gate, may touch."""
        self._touched = {}
        if actor.pending is None:
            return self._touched
        if self._follower.lost:
            return {EVERYTHING: WRITE}
        step = _as_step(actor, actor.pending)
        try:
            self._rules.get(step.operation, self._unknown)(step)
        except LostTrackError:
            return {EVERYTHING: WRITE}
        if actor.faults is not None and not actor.faults.spent:
            # It may be killed instead.
            for node in self.descriptors.held(actor.name):
                self._touch(lock(node.number), WRITE)
        return self._whole()

    # Names.

    def _single(self, step: Step, path: str) -> Place:
        places = self._places(step, path)
        if len(places) != 1:
            raise LostTrackError(path)
        return places[0]

    def _taken(self, place: Place) -> bool:
        """Whether something is known to be there."""
        return place.node is not None and place.node.certain and place.node is not self.tree.outside

    def _may_be_refused(self, node: Node | None) -> None:
        """Permission may depend on the object's own mode."""
        if node is not None:
            self._touch(mode(node.number), READ)

    def _may_be_dead(self, place: Place) -> None:
        """A name cannot be made in a directory that is removed."""
        if place.directory is not None:
            self._touch(meta(place.directory.number), READ)

    def _name(self, place: Place) -> None:
        """The name may come to stand for something else."""
        if place.directory is not None:
            self._touch(entry(place.directory.number, place.name), WRITE)
            self._touch(listing(place.directory.number), ADD)

    def _make(self, step: Step) -> None:
        place = self._single(step, step.path)
        self._may_be_refused(place.node)
        self._may_be_dead(place)
        if not self._taken(place):
            self._name(place)

    def _link(self, step: Step) -> None:
        source, target = self._single(step, step.path), self._single(step, step.target or "")
        for node in (source.node, self._follow(source).node, target.node):
            self._may_be_refused(node)
        self._may_be_dead(target)
        if source.node is None or self._taken(target):
            return
        if source.node.kind == LINK:
            # Which of the two gets another name depends on a flag.
            raise LostTrackError(step.path)
        self._touch(meta(source.node.number), ADD)
        if source.directory is not None and not source.node.certain:
            self._touch(entry(source.directory.number, source.name), WRITE)
        self._name(target)

    def _unlink(self, step: Step) -> None:
        place = self._single(step, step.path)
        self._may_be_refused(place.node)
        if place.node is not None:
            self._touch(meta(place.node.number), ADD)
            self._name(place)

    def _rmdir(self, step: Step) -> None:
        place = self._single(step, step.path)
        node = place.node
        self._may_be_refused(node)
        if node is None:
            return
        self._touch(listing(node.number), READ)
        if not any(child is not None and child.certain for child in node.names.values()):
            self._touch(meta(node.number), ADD)
            self._name(place)

    def _rename(self, step: Step) -> None:
        source, target = self._single(step, step.path), self._single(step, step.target or "")
        moved, old = source.node, target.node
        self._touch(MOVES, READ)
        self._may_be_dead(target)
        for node in (moved, old):
            self._may_be_refused(node)
            if node is not None:
                self._touch(listing(node.number), READ)
        if moved is None or (moved is old and moved is not self.tree.outside):
            # There is nothing, or it is renamed to itself.
            return
        if moved.may_be_directory and source.directory is not target.directory:
            self._touch(MOVES, WRITE)
        if old is not None:
            self._touch(meta(old.number), ADD)
        self._name(source)
        self._name(target)

    # Opening.

    def _open(self, step: Step) -> None:
        nodes = self._either(step)
        for node in nodes:
            self._touch(mode(node.number), READ)
        if step.detail == TRUNCATED:
            self._empty(node for node in nodes if node.kind != LINK)

    def _empty(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._touch(meta(node.number), ADD)
            self._touch(data(node.number), READ if node.empty else WRITE)

    def _create(self, step: Step) -> None:
        place = self._follow(self._single(step, step.path))
        self._may_be_refused(place.node)
        self._may_be_dead(place)
        if place.node is not None and step.detail == TRUNCATED:
            self._empty([place.node])
        if not self._taken(place):
            self._name(place)

    # Modes and times.

    def _chmod(self, step: Step) -> None:
        self._change_mode(step, self._either(step))

    def _fchmod(self, step: Step) -> None:
        self._change_mode(step, self._of(step))

    def _change_mode(self, step: Step, nodes: list[Node]) -> None:
        for node in nodes:
            same = len(nodes) == 1 and node.mode is not None and node.mode == step.mode
            self._touch(mode(node.number), READ if same else WRITE)

    def _fchown(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(mode(node.number), WRITE)

    def _utime(self, step: Step) -> None:
        for node in self._either(step):
            self._touch(mode(node.number), READ)
            self._touch(meta(node.number), WRITE)
            if node.may_be_directory:
                self._touch(listing(node.number), WRITE)
            if node.kind != DIRECTORY:
                self._touch(data(node.number), WRITE)

    # Descriptors.

    def _write(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(data(node.number), WRITE)

    def _close(self, step: Step) -> None:
        held = self.descriptors.held(step.actor)
        for node in self._of(step):
            if node in held:
                self._touch(lock(node.number), WRITE)

    def _flock(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(lock(node.number), WRITE)


def _as_step(actor: Actor, call: Call) -> Step:
    """The step that a call becomes if it succeeds, as far as that is known."""
    operation, path, target, mode, _, _, arguments, _ = call
    empties = operation in {OPEN, CREATE} and arguments[1] & os.O_TRUNC
    return Step(actor.name, actor.phase, operation, path, target, mode, None, TRUNCATED if empties else None, None)
