"""The footprint of each step of a run: what it read, added to and wrote (`simulator.exploration.keys`).

Two steps of different actors whose footprints do not conflict can change places: both return what they returned, and
the file system ends as it ended (`tests/property/test_independence.py` makes both orders on the real one). The table is
that of what the call did, not of what it might have done: a failed call reads what decided that it failed. A walk along
a path reads, for each directory that it passes through, the entry (a rename could take it away) and the mode (a chmod
could close it); a call that starts at a descriptor reads from there on.

Guarantee: never narrower than the truth, given the record from the first step on and what was there before it.
Where it is wider than needed:
- a lock is written by whoever changes the kind of lock that they have, though not each change concerns others;
- a file that existed and is opened with O_CREAT counts as written, unless it was empty: the record does not say whether
  O_TRUNC was among the flags;
- a chmod counts as a change unless it is known that the mode is the same: from the start, from an earlier chmod, or, of
  a file that was made since, from the umask, if that is told (a new directory's is not known);
- a call that ended in EACCES reads all of its path, unless a directory on it is known to let nobody in;
- rmdir is an add to the directory's own meta, and who could not make a name in a directory reads that: it may be gone;
- utime counts as a write of the content as well: either sets the modification time;
- a link that a call may have followed or not (O_NOFOLLOW is not in the record) counts for both;
- all that lies outside of the sandbox is one object, and a change of a name or a mode there concerns every step;
- descriptors: see `simulator.exploration.descriptors`. Where a call changed the tree and not even the shadow knows at
  which of two places, or the record contradicts it, that step and all later ones conflict with every step.

What it rests on, and does not cover: actors that meet nowhere but in the file system (no events, no shared memory); a
machine that runs out of nothing; one owner of everything; and logical times, which are numbers of steps: whoever
compares the modification times of *two* files sees the order of two writes that count as independent.

Source: Abdulla, Aronis, Jonsson, Sagonas, "Optimal dynamic partial order reduction" (POPL 2014), section 2, for
independence of what was executed; the table and the adds are ours.
Cost: 10 to 25 us a step, the more the deeper its paths are.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simulator.engine.faults import AFTER, BEFORE, BUILD_ERROR, KILL
from simulator.engine.step import SHARED, UNLOCK
from simulator.engine.trace import CREATE, CREATE_EXCL, LIST_PATH, OPEN, OPENDIR, TRUNCATED, Creation, Step
from simulator.exploration.descriptors import Descriptors
from simulator.exploration.keys import (
    ADD,
    EVERYTHING,
    MOVES,
    READ,
    REMOVE,
    WRITE,
    Footprint,
    conflict,
    data,
    entry,
    listing,
    lock,
    meta,
    mode,
)
from simulator.exploration.plain_rules import PlainRules
from simulator.exploration.reach import LostTrackError, Reach
from simulator.exploration.tree import DIRECTORY, FILE, LINK, Node, Place, Tree, is_denied, is_missing
from simulator.ground.stage import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulator.engine.trace import RawStep
    from simulator.exploration.reach import Rule
    from simulator.exploration.start import Start

__all__ = ["Follower", "Footprint", "conflict", "footprints"]

_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_MAKES_A_NAME = frozenset({CREATE, CREATE_EXCL, "mkdir", "symlink", "link", "rename"})
# Calls with one path, by how many of its last names tell whether ENOENT was their end: whoever makes a name needs but
# the directory.
_NAMES_NEEDED = dict.fromkeys(
    ("stat", "lstat", "readlink", LIST_PATH, OPEN, OPENDIR, "unlink", "rmdir", "chmod", "utime"), 1
) | dict.fromkeys((CREATE, CREATE_EXCL, "mkdir", "symlink"), 2)


def footprints(steps: Iterable[RawStep], start: Start | None = None) -> list[Footprint]:
    """The footprint of each step.

    Args:
        steps: a run's, from its first one, as the gated kernel recorded them (a trace file has lost what a
            `simulator.engine.paths.Relative` knows).
        start: what was in the sandbox before. Without it, symbolic links and second names that were there are not
            seen, and less is known, so footprints are wider.
    """
    follower = Follower(start)
    return [follower.follow(step) for step in steps]


class Follower(Reach, PlainRules):
    """Follows a run and says of each step what it touched. Arguments as `footprints` and `Tree`.

    Attributes:
        lost: whether the record has contradicted the shadow: from then on every step conflicts with every step.
    """

    def __init__(self, start: Start | None = None, cache: str = CACHE) -> None:
        super().__init__(Tree(cache, start), Descriptors())
        self.lost = False
        self._umask = None if start is None else start.umask
        self._rules: dict[str, Rule] = self._looks | {
            OPEN: self._open, OPENDIR: self._open, CREATE: self._create, CREATE_EXCL: self._create_new,
            "mkdir": self._make_directory, "symlink": self._make_link, "link": self._link,
            "unlink": self._unlink, "rmdir": self._rmdir, "rename": self._rename,
            "chmod": self._chmod, "fchmod": self._fchmod, "fchown": self._fchown, "utime": self._utime,
            "write": self._write, "close": self._close, "flock": self._flock,
            "dup": self._copy, KILL: self._end, "exit": self._end, **self.plain(),
        }  # fmt: skip

    def follow(self, raw: RawStep) -> Footprint:
        """What the next step touched."""
        step = Step(*raw)
        if step.injected == BEFORE or step.operation == BUILD_ERROR:
            # No call was made.
            return {}
        if step.injected == AFTER:
            # Made, and its caller was told otherwise.
            step = step._replace(errno=None)
        self._touched = {}
        self._denied = is_denied(step.errno)
        self._needed = _NAMES_NEEDED.get(step.operation) if is_missing(step.errno) else None
        if not self.lost:
            try:
                self._rules.get(step.operation, self._unknown)(step)
            except LostTrackError:
                self.lost = True
        return {EVERYTHING: WRITE} if self.lost else self._whole()

    # Names that a step changed.

    def _place(self, step: Step, path: str) -> Place | None:
        """The one place of a name that the step changed; None if the step failed."""
        places = self._places(step, path)
        if step.errno is not None:
            self._look_at_refusal(step, [place.node for place in places])
            self._look_at_death(step, places)
            return None
        if len(places) != 1 or places[0].directory is None:
            raise LostTrackError(path)
        return places[0]

    def _look_at_refusal(self, step: Step, nodes: Iterable[Node | None]) -> None:
        """Whether a call is permitted may depend on the object's own mode and owner."""
        if step.errno in _REFUSED:
            for node in nodes:
                if node is not None:
                    self._touch(mode(node.number), READ)

    def _look_at_death(self, step: Step, places: Iterable[Place]) -> None:
        """A name cannot be made in a directory that is removed; a descriptor still leads there."""
        if step.errno == errno.ENOENT and step.operation in _MAKES_A_NAME:
            for place in places:
                if place.directory is not None:
                    self._touch(meta(place.directory.number), READ)

    # Opening.

    def _open(self, step: Step) -> None:
        nodes = self._either(step)
        for node in nodes:
            self._touch(mode(node.number), READ)
        if step.errno is None:
            if step.detail == TRUNCATED:
                self._truncate([node for node in nodes if node.kind != LINK])
            self._opened(step, nodes)

    def _opened(self, step: Step, nodes: list[Node]) -> None:
        if not nodes:
            raise LostTrackError(step.path)
        if step.injected != AFTER:
            self.descriptors.open(step.actor, step.path, nodes)

    def _truncate(self, nodes: list[Node]) -> None:
        for node in nodes:
            self._emptied(node)
            node.empty = len(nodes) == 1

    def _emptied(self, node: Node) -> None:
        """It was there, and may have been emptied: its times are of now, its content is gone if it had any."""
        self._touch(mode(node.number), READ)
        self._touch(meta(node.number), ADD)
        self._touch(data(node.number), READ if node.empty else WRITE)

    def _create(self, step: Step) -> None:
        places = [self._follow(place) for place in self._places(step, step.path)]
        if step.errno is not None:
            self._look_at_refusal(step, [place.node for place in places])
            self._look_at_death(step, places)
            return
        if len(places) != 1:
            raise LostTrackError(step.path)
        self._opened(step, [self._made_or_there(step, places[0])])

    def _made_or_there(self, step: Step, place: Place) -> Node:
        node = place.node
        kept = step.operation.kept if isinstance(step.operation, Creation) else None
        if node is None:
            if kept:
                raise LostTrackError(step.path)
            return self._make(place, FILE, _mode_of(step))
        if kept:
            self._touch(mode(node.number), READ)
            return node
        if kept is None or node.certain:
            self._emptied(node)
        if not node.certain:
            # It was there, or was not.
            self._name(place, node)
        return node

    def _create_new(self, step: Step) -> None:
        place = self._place(step, step.path)
        if place is not None:
            self._opened(step, [self._make(place, FILE, _mode_of(step))])

    # Names.

    def _name(self, place: Place, node: Node | None) -> None:
        """The name of a place stands for something else from now on."""
        if place.directory is None:
            raise LostTrackError(place.name)
        self._touch(entry(place.directory.number, place.name), WRITE)
        self._touch(listing(place.directory.number), ADD)
        self.tree.put(place, node)

    def _make(self, place: Place, kind: str, asked: int | None = None) -> Node:
        """Something new is there; `asked` is the mode that it was to have."""
        if place.node is not None and place.node.certain and place.node is not self.tree.outside:
            raise LostTrackError(place.name)
        node = self.tree.make(kind)
        node.empty = kind == FILE
        if asked is not None and self._umask is not None:
            node.mode = asked & ~self._umask
        self._name(place, node)
        return node

    def _make_directory(self, step: Step) -> None:
        place = self._place(step, step.path)
        if place is None:
            return
        # In one whose bits are not known for sure it may get some that were not asked for.
        known = place.directory is not None and place.directory.mode is not None
        self._make(place, DIRECTORY, step.mode if known else None)

    def _make_link(self, step: Step) -> None:
        place = self._place(step, step.path)
        if place is not None:
            self._make(place, LINK).target = step.target or ""

    def _link(self, step: Step) -> None:
        sources = self._places(step, step.path)
        place = self._place(step, step.target or "")
        if place is None:
            # Whether a last link was followed depends on a flag.
            led = [self._follow(source).node for source in sources]
            self._look_at_refusal(step, [*(source.node for source in sources), *led])
            return
        node = sources[0].node
        if len(sources) != 1 or node is None or node.kind == LINK:
            # Whether it is the link that got a second name depends on a flag.
            raise LostTrackError(step.path)
        self._touch(meta(node.number), ADD)
        above = sources[0].directory
        if above is not None and not node.certain:
            # That it is there is known from here on, and what is learned from a look would depend on who looks first.
            self._touch(entry(above.number, sources[0].name), WRITE)
        self._name(place, node)

    def _unlink(self, step: Step) -> None:
        place = self._place(step, step.path)
        if place is not None:
            self._gone(place)
            self._name(place, None)

    def _gone(self, place: Place) -> None:
        if place.node is None:
            raise LostTrackError(place.name)
        self._touch(meta(place.node.number), ADD)

    def _rmdir(self, step: Step) -> None:
        if step.errno in _NOT_EMPTY:
            for full in self._places(step, step.path):
                if full.node is not None:
                    self._touch(listing(full.node.number), READ)
            return
        place = self._place(step, step.path)
        if place is None:
            return
        self._gone(place)
        if place.node is not None:
            self._touch(listing(place.node.number), READ)
        if place.directory is None:
            raise LostTrackError(place.name)
        self._touched.pop(entry(place.directory.number, place.name), None)
        way = REMOVE if self.tree.remove(place) else WRITE
        self._touch(entry(place.directory.number, place.name), way)
        self._touch(listing(place.directory.number), ADD)

    def _rename(self, step: Step) -> None:
        if step.errno is not None:
            self._rename_failed(step)
            return
        source, target = self._place(step, step.path), self._place(step, step.target or "")
        if source is None or target is None or source.node is None:
            raise LostTrackError(step.path)
        moved, old = source.node, target.node
        if moved is old and moved is not self.tree.outside:
            # Two names of one file: rename(2) does nothing.
            return
        if moved.may_be_directory and source.directory is not target.directory:
            # A directory that nobody may write to cannot get another `..`.
            self._touch(mode(moved.number), READ)
            self._touch(MOVES, WRITE)
        if old is not None:
            self._touch(meta(old.number), ADD)
            if old.may_be_directory:
                self._touch(listing(old.number), READ)
        self._name(source, None)
        self._name(target, moved if moved is not self.tree.outside else self.tree.make("unknown"))

    def _rename_failed(self, step: Step) -> None:
        sources, targets = self._places(step, step.path), self._places(step, step.target or "")
        places = [*sources, *targets]
        self._look_at_refusal(step, [place.node for place in places])
        self._look_at_death(step, targets)
        # A path that leads nowhere fails before that.
        parents = {place.directory for place in places} - {None}
        for source in sources:
            if source.node is not None and source.node.may_be_directory and len(parents) > 1:
                # Whether it may get another `..` is asked before whether the target is empty.
                self._touch(mode(source.node.number), READ)
        self._touch(MOVES, READ)
        if step.errno in _NOT_EMPTY:
            for place in places:
                if place.node is not None:
                    self._touch(listing(place.node.number), READ)

    # Modes and times.

    def _chmod(self, step: Step) -> None:
        self._change_mode(step, self._either(step))

    def _fchmod(self, step: Step) -> None:
        self._change_mode(step, self._of(step))

    def _change_mode(self, step: Step, nodes: list[Node]) -> None:
        for node in nodes:
            if step.errno is not None or (len(nodes) == 1 and node.mode is not None and node.mode == step.mode):
                self._touch(mode(node.number), READ)
            else:
                self._touch(mode(node.number), WRITE)
                node.mode = step.mode if len(nodes) == 1 else None

    def _fchown(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(mode(node.number), READ if step.errno is not None else WRITE)
            if step.errno is None:
                node.mode = None

    def _utime(self, step: Step) -> None:
        for node in self._either(step):
            if step.errno is not None:
                self._touch(mode(node.number), READ)
                continue
            self._touch(mode(node.number), READ)
            self._touch(meta(node.number), WRITE)
            if node.may_be_directory:
                self._touch(listing(node.number), WRITE)
                node.dated = True
            if node.kind != DIRECTORY:
                self._touch(data(node.number), WRITE)

    # Descriptors.

    def _write(self, step: Step) -> None:
        for node in self._of(step):
            self._touch(data(node.number), WRITE)
            node.empty = False

    def _let_go(self, held: Mapping[Node, bool]) -> None:
        """Locks are given up: one that is shared by an add, since others that share it do not mind."""
        for node, shared in held.items():
            self._touch(lock(node.number), ADD if shared else WRITE)

    def _locks(self, nodes: Iterable[Node], kind: str) -> None:
        for node in nodes:
            self._touch(lock(node.number), kind)

    def _close(self, step: Step) -> None:
        held = self.descriptors.held(step.actor)
        self._let_go({node: held[node] for node in self._of(step) if node in held})
        self.descriptors.close(step.actor, step.path)

    def _flock(self, step: Step) -> None:
        nodes = self._of(step)
        held = self.descriptors.held(step.actor)
        # flock(2): who has a lock and asks for another kind in vain has lost the one it had.
        lost = step.errno is not None and any(node in held for node in nodes)
        self._locks(nodes, READ if step.errno is not None and not lost else self._kind(step, nodes, held))
        if step.target == UNLOCK:
            self.descriptors.unlocked(step.actor, nodes)
        elif step.errno is None:
            self.descriptors.locked(step.actor, nodes, shared=step.target == SHARED)

    @staticmethod
    def _kind(step: Step, nodes: list[Node], held: Mapping[Node, bool]) -> str:
        """Whoever comes to share a lock, or leaves off, is one more or one less: an add."""
        if step.target == SHARED:
            return ADD if not any(node in held for node in nodes) else WRITE
        return ADD if step.target == UNLOCK and all(held.get(node, False) for node in nodes) else WRITE

    def _copy(self, step: Step) -> None:
        if step.errno is not None:
            return
        for node in self._of(step):
            node.shared = node.kind != DIRECTORY
        self.descriptors.give(step.actor, step.path, step.target or "")

    def _end(self, step: Step) -> None:
        self._let_go(self.descriptors.held(step.actor))
        self.descriptors.end(step.actor)


def _mode_of(step: Step) -> int | None:
    """Which mode a new file was to have, where the record knows."""
    return step.operation.mode if isinstance(step.operation, Creation) else None
