"""Sweeps: the shipped cleaner under the gate, with a fault at each of its steps in turn.

A `Ground` is laid again for each point. What a point must satisfy is here too: nothing outside changed, and a report
says what is so. The judge looks with the plain calls and knows nothing of the cleaner.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field

from cache_core.cleaner import clean_sync
from cache_core.crew import ALONE
from cache_core.errors import CacheError
from cache_core.layout import TAG_NAME
from cache_core.removal import remove_tree
from cache_core.surroundings import NOWHERE
from scenarios.states.place import Place
from scenarios.states.recipe import Recipe
from simulator.actors.crew import ActorCrew
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import ActorFaults, parse_fault
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from simulator.strategies.round_robin import RoundRobin

KEPT = frozenset({"CACHEDIR.TAG", ".gitignore", ".lock"})
KEPT_BYTES_MAX = 4096

# The calls that look at the mode of a directory and change it.
REPAIRS = frozenset({"fstat", "chmod", "fchmod"})

# So few units are enough to share the work, so that two workers meet on a tree of a dozen directories.
WANTED = 2

# Far more steps than anything that is swept here makes: a sweep that does not end is a bug of the sweep.
POINTS_MAX = 20_000

# How many workers there are, and which of them a fault strikes.
WHO = [(1, "cleaner"), (2, "cleaner"), (2, "worker-1")]


def named(who):
    """For the name of a test."""
    return f"{who[1]} of {who[0]}"


class Ground:
    """A cache and, beside it, what nobody may change."""

    def __init__(self, path):
        self.path = str(path)
        self.cache = f"{self.path}/cache"
        self.outside = f"{self.path}/outside"
        # Where builds install to; nobody's business here.
        self.environments = f"{self.path}/environments"
        os.makedirs(f"{self.outside}/d/e")
        os.mkdir(f"{self.outside}/shut", 0o755)
        for name, mode in (("plain", 0o644), ("read-only", 0o444), ("d/e/deep", 0o600), ("shut/file", 0o000)):
            with open(f"{self.outside}/{name}", "wb") as file:
                file.write(name.encode() * 10)
            os.chmod(f"{self.outside}/{name}", mode)
        os.symlink("d", f"{self.outside}/link")
        os.chmod(f"{self.outside}/d", 0o555)
        os.chmod(f"{self.outside}/shut", 0o500)
        self._before = self._look_outside()

    def recipe(self, make):
        recipe = Recipe()
        make(recipe)
        return recipe

    def lay(self, recipe):
        """The state, in an empty cache; what an earlier point left there is an error."""
        try:
            os.mkdir(self.cache, 0o755)
        except FileExistsError:
            for name in KEPT.intersection(os.listdir(self.cache)):
                os.unlink(f"{self.cache}/{name}")
            os.chmod(self.cache, 0o755)
            left = os.listdir(self.cache)
            assert not left, left
        place = Place(self.path)
        for entry in recipe.entries():
            entry.lay(place)

    def fresh_environments(self, names):
        """An empty environment for each build."""
        remove_tree(self.environments)
        for name in names:
            os.makedirs(f"{self.environments}/{name}")

    def assert_outside_unchanged(self):
        assert self._look_outside() == self._before

    def _look_outside(self):
        found = [("", tuple(sorted({*self.names()} - {"cache", "environments"})), 0)]
        for directory, directories, files in os.walk(self.outside):
            for name in (".", *directories, *files):
                path = f"{directory}/{name}"
                status = os.lstat(path)
                content = None
                if stat.S_ISREG(status.st_mode) and status.st_mode & 0o400:
                    with open(path, "rb") as file:
                        content = file.read()
                found.append((path, content, status.st_mode, status.st_mtime_ns))
        return sorted(found, key=lambda item: item[0])

    def content(self):
        """What keeps the cache from being empty, by name; nothing when the cache is gone."""
        try:
            mode = stat.S_IMODE(os.lstat(self.cache).st_mode)
        except FileNotFoundError:
            return []
        os.chmod(self.cache, 0o700)
        names = [name for name in sorted(os.listdir(self.cache)) if not self._may_stay(name)]
        os.chmod(self.cache, mode)
        return names

    def _may_stay(self, name):
        status = os.lstat(f"{self.cache}/{name}")
        return name in KEPT and stat.S_ISREG(status.st_mode) and status.st_size <= KEPT_BYTES_MAX

    def names(self):
        """What is beside the cache, and the cache, by name."""
        return os.listdir(self.path)

    def files(self, but=()):
        """What is no directory in the cache, but for what is in one of these paths."""
        return {
            path
            for path, status in self.look().items()
            if not stat.S_ISDIR(status.st_mode) and not any(f"{path}/".startswith(f"{below}/") for below in but)
        }

    def look(self):
        """Everything in the cache but its lock: path to status. It opens what is shut, and shuts it again."""
        found = {}
        self._look("", found)
        return found

    def _look(self, below, found):
        path = f"{self.cache}/{below}".rstrip("/")
        status = os.lstat(path)
        found[below or "."] = status
        if not stat.S_ISDIR(status.st_mode):
            return
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o700 != 0o700:
            os.chmod(path, mode | 0o700)
        for name in os.listdir(path):
            if below or name != ".lock" or not self._may_stay(name):
                self._look(f"{below}/{name}" if below else name, found)
        if mode & 0o700 != 0o700:
            os.chmod(path, mode)


class Behind:
    """A fence that says that it stands, so that what lies deep is moved up; the gate sees all that anybody calls."""

    def enter(self, root_fd, parent_fd, name):
        del root_fd, parent_fd, name
        return True

    def remove_root(self):
        raise AssertionError("nobody asked for it")

    def close(self):
        """Nothing to give up."""


class Struck(ActorFaults):
    """Faults that remember at which of the actor's steps the last one struck."""

    at = 0

    def due(self, step, phase, operation):
        fault = super().due(step, phase, operation)
        if fault is not None:
            self.at = step
        return fault


@dataclass
class Played:
    """What became of a play."""

    parties: dict
    gate: Gate
    steps: list = field(default_factory=list)

    def __getitem__(self, name):
        return self.parties[name]

    @property
    def struck(self):
        """The step in whose place a fault came; None when there is none."""
        return next((step for step in self.steps if step[8]), None)


def play(ground, parties, *, strategy=None, seed=0):
    """Run parties to their end under the bare host."""
    strategy = strategy or RoundRobin()
    steps = []
    actors = [party.actor for party in parties]
    assert [actor.index for actor in actors] == list(range(len(actors)))
    strategy.begin(actors, steps, Randomness(seed, "schedule"))
    gate = Gate(strategy, actors, steps)
    running = BareHost(gate, Paths(ground.path, "cache"), LogicalTimes()).run(parties)
    try:
        running.send(None)
    except StopIteration:
        pass
    else:
        raise AssertionError("the bare host never waits")
    strategy.end()
    assert gate.lacking is None
    return Played({party.actor.name: party for party in parties}, gate, steps)


def cleaner(ground, *, name="cleaner", index=0, workers=1, first_worker=1, worker_index=None, faults=(), **options):
    """The parties of one cleaning: itself, and what helps it. Their result is a report, their error a CacheError."""
    by_actor = faults_of(faults)
    actor = Actor(name, index, by_actor.get(name))
    crew = ActorCrew(actor, WANTED)
    # One alone divides nothing, as with the crew that ships.
    ours = crew if workers > 1 else ALONE

    def clean(kernel):
        try:
            return clean_sync(
                ground.cache, kernel=kernel, crew=ours, surroundings=NOWHERE, wait_in_kernel=True, **options
            )
        finally:
            crew.close(kernel)

    parties = [Party(actor, clean, (CacheError,))]
    at = index + 1 if worker_index is None else worker_index
    for number in range(workers - 1):
        helper = f"worker-{first_worker + number}"
        parties.append(Party(Actor(helper, at + number, by_actor.get(helper)), crew.helper, ()))
    return parties


def faults_of(specs):
    """Faults by actor."""
    by_actor = {}
    for spec in specs:
        fault = parse_fault(spec)
        by_actor.setdefault(fault.actor, Struck([])).waiting.append(fault)
    return by_actor


def places(play_with, victim, action):
    """Each place where a fault can strike an actor, in turn: what was played, and the step that it struck at.

    The last one, with step 0, is the play in which there was no such place any more.

    Args:
        play_with: lays the ground and plays with one fault more; returns what was played.
        victim: name of the actor.
        action: as in a fault's SPEC, with `:after` perhaps.
    """
    step = 1
    for _ in range(POINTS_MAX):
        played = play_with(f"{victim}:{step}:{action}")
        struck = played[victim].actor.faults.at
        yield played, struck
        if not struck:
            return
        step = struck + 1
    raise AssertionError(f"more than {POINTS_MAX} points")


def cleanings(ground, recipe, who, action, **options):
    """A cleaning of a state, once for each place where a fault can strike: what was there, what was played, the step.

    Args:
        ground: where.
        recipe: the state.
        who: how many workers there are, and which of them it strikes.
        action: as in a fault's SPEC.
        options: how to clean.
    """
    workers, victim = who
    seen = []

    def play_with(fault):
        ground.lay(recipe)
        seen.append(ground.look())
        return play(ground, cleaner(ground, workers=workers, faults=[fault], **options))

    for played, step in places(play_with, victim, action):
        assert played.gate.stopped is None
        ground.assert_outside_unchanged()
        # What a process holds when it ends, it has forgotten to give back; a worker is given what it holds.
        assert not any(told[0] == "cleaner" and told[2] == "exit" for told in played.steps)
        yield seen.pop(), played, step


def clean_again(ground, **options):
    """The second run: by the plain calls, and nobody may hold the lock any more."""
    return clean_sync(ground.cache, surroundings=NOWHERE, timeout=0, **options)


def assert_report_is_right(ground, before, report, struck=None, *, all_told=True):
    """What a report says of a cleaning of everything, held against what is there.

    Args:
        ground: after the cleaning.
        before: what `look` saw before it.
        report: what it says.
        struck: the step at which there was an error, if there was one.
        all_told: whether everybody lived to tell how much they removed.
    """
    content = ground.content()
    after = ground.look()
    named = [left.path for left in report.left]
    assert report.succeeded == report.empty
    if report.empty:
        assert content == []
        assert named == []
    assert report.empty or named
    # Only what an error kept from being read may be empty without being called so.
    assert report.empty or content or (struck is not None and set(named) <= KEPT | {"."})
    _assert_named_once(named, after)
    _assert_all_named(named, [path for path in after if path.split("/")[0] in content])
    for left in report.left:
        assert struck is None or left.errno in _told_as(struck, left.path), left
        assert left.reason
    files, directories = _gone(before, after)
    assert report.files_removed <= files
    assert report.directories_removed <= directories
    if all_told:
        assert (report.files_removed, report.directories_removed) == (files, directories)
    _assert_modes_are_back(before, after, report)


def _assert_named_once(named, after):
    assert len(set(named)) == len(named)
    for path in named:
        assert path in after or path in KEPT | {"."}, f"{path} is said to be left, and is gone"
        assert not any(other.startswith(f"{path}/") for other in named), f"{path} stays because of what is in it"


def _assert_all_named(named, there):
    for path in there:
        if not any(other.startswith(f"{path}/") for other in there):
            assert any(f"{path}/".startswith(f"{other}/") or other == "." for other in named), f"{path} is not named"


def _told_as(struck, path):
    """The names of the errors that one error may be told as."""
    told = {errno.errorcode[struck[6]]}
    if struck[2] in REPAIRS:
        # What could not be repaired stays for the reason that called for it.
        told.add("EACCES")
    if path == TAG_NAME:
        # A long one is the last to go.
        told.add("ENOTEMPTY")
    return told


def _gone(before, after):
    """How many files and directories went."""
    # A directory that was moved aside is there under another path.
    inodes = {status.st_ino for status in after.values()}
    directories = sum(stat.S_ISDIR(status.st_mode) and status.st_ino not in inodes for status in before.values())
    files = [sum(not stat.S_ISDIR(status.st_mode) for status in look.values()) for look in (before, after)]
    # A tag that went last, and was made again when the cache turned out not to be empty.
    replaced = TAG_NAME in before and TAG_NAME in after and before[TAG_NAME].st_ino != after[TAG_NAME].st_ino
    return files[0] - files[1] + replaced, directories


def _assert_modes_are_back(before, after, report):
    """A directory that survives has the mode that it had; the root of a cleaned cache may be open."""
    modes = {status.st_ino: status.st_mode for status in before.values() if stat.S_ISDIR(status.st_mode)}
    for path, status in after.items():
        if status.st_ino in modes and not (path == "." and report.empty):
            old = modes[status.st_ino]
            assert status.st_mode == old, f"{path} has mode {status.st_mode:o}, it had {old:o}"
    if report.empty and "." in after:
        assert after["."].st_mode & 0o700 == 0o700


def assert_nothing_changed(before, after):
    """A refusal changes nothing but that there may be a lock now."""
    changed = {
        path
        for path in before.keys() | after.keys()
        if path not in before or path not in after or before[path].st_mode != after[path].st_mode
    }
    assert not changed, changed
