"""Small random programs of two or three actors on a small random tree, under any strategy, on the real file system."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import random
from dataclasses import dataclass, replace
from functools import partial

from simulator.engine.actor import Actor
from simulator.engine.faults import KILL, STALL, Fault, faults_by_actor
from simulator.engine.gate import PRUNED, Gate
from simulator.engine.randomness import Randomness
from simulator.exploration.classes import trace_class
from simulator.hosts.bare import BareHost
from simulator.hosts.base import Party
from tests.support.pairs import BY_DESCRIPTOR, WEIGHTS, Case, Copy, Scene, draw_tree

# Who makes how many calls.
_SIZES = (
    (2, 2), (3, 3), (4, 3), (5, 4), (2, 2, 2), (3, 2, 2), (3, 3, 2), (3, 3, 3), (6, 6), (7, 7), (4, 3, 3), (4, 4, 3),
    (4, 4, 4), (5, 4, 4), (2, 2, 2, 2), (3, 3, 2, 2), (8, 8), (3, 3, 3, 2),
)  # fmt: skip
# What waits for no turn is left out.
_CALLS = {name: weight for name, weight in WEIGHTS.items() if name != "give_up"} | {"lock": 4}
_BY_DESCRIPTOR = {name: weight for name, weight in BY_DESCRIPTOR.items() if name != "give_up"} | {"open": 8, "lock": 8}
_WAITS = (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_EX)


@dataclass(frozen=True)
class Program:
    """A tree, and what each actor does; calls are (actor, operation, arguments).

    `closing` actors close at the end what they have open, whatever happened, as `with` and `finally` do.
    """

    case: Case
    calls: tuple
    kills: tuple = ()
    closing: bool = False

    @property
    def names(self):
        return [f"actor-{number}" for number in range(1, len(self.calls) + 1)]

    def told(self):
        nodes = [f"{kind} {path} {content!r} {mode:o}" for kind, path, content, mode in self.case.tree]
        calls = [f"{actor} {operation} {arguments}" for calls in self.calls for actor, operation, arguments in calls]
        return "\n".join([*nodes, *calls, *map(str, self.kills), *(["closing"] if self.closing else [])])


def sizes_up_to(interleavings):
    """Sizes of programs that have at most so many."""
    return [size for size in _SIZES if _interleavings(size) <= interleavings]


def _interleavings(size):
    return math.factorial(sum(size)) // math.prod(map(math.factorial, size))


def draw_program(seed, sizes):
    draw = random.Random(seed)
    tree = draw_tree(draw)
    scene = Scene(draw, tree)
    weights = _BY_DESCRIPTOR if draw.random() < 0.3 else _CALLS
    calls = []
    for number, length in enumerate(draw.choice(sizes), 1):
        name = f"actor-{number}"
        made = [scene.call(name, weights) for _ in range(length)]
        calls.append(tuple((name, operation, {**rest, "wait": draw.choice(_WAITS)}) for name, operation, rest in made))
    program = Program(Case(tree, (), (), plain=True), tuple(calls))
    if draw.random() < 0.3:
        victim = draw.randrange(len(calls))
        step = draw.randrange(len(calls[victim])) + 1
        program = replace(program, kills=(Fault(program.names[victim], step, "", 0, KILL),))
    return program


def draw_locking_program(seed):
    """Actors that lock what they share, wait for each other, and let go or not."""
    draw = random.Random(seed)
    tree = (*(("directory", name, None, 0o755) for name in ("cache", "beside", "cache/a", "cache/b")),)
    paths = draw.choice((("cache/a",), ("cache/a", "cache/b")))
    calls = []
    for number, most in enumerate(draw.choice(((5, 5), (6, 5), (3, 3, 3), (4, 3, 2))), 1):
        opened = draw.sample(paths, draw.randint(1, max(1, min(len(paths), most - 2))))
        made = [("open", {"at": (None, path), "flags": os.O_RDONLY}) for path in opened]
        kinds = [
            "lock",
            *draw.choices(("lock", "unlock", "close", "mkdir", "listdir", "flock"), k=max(0, most - len(made) - 1)),
        ]
        for kind in kinds:
            fd, path = draw.randrange(2), f"cache/{draw.choice('ab')}"
            more = {"at": (None, f"{path}/n" if kind == "mkdir" else path), "mode": 0o755, "wait": draw.choice(_WAITS)}
            more |= {"lock": fcntl.LOCK_UN if kind == "unlock" else draw.choice(_WAITS), "fd": fd}
            made.append(("flock" if kind == "unlock" else kind, more))
        calls.append(tuple((f"actor-{number}", operation, more) for operation, more in made))
    program = Program(Case(tree, (), (), plain=True), tuple(calls))
    if draw.random() < 0.3:
        program = replace(program, kills=(Fault("actor-1", draw.randint(2, len(calls[0])), "", 0, KILL),))
    return program


def draw_emptying_program(seed):
    """Actors that take a chain of directories away from each other, and look for what was in it."""
    draw = random.Random(seed)
    chain = ("cache/a", "cache/a/b", "cache/a/b/c", "cache/a/b/c/d")
    there = chain[: draw.randint(2, 4)]
    shut = draw.random() < 0.2
    tree = tuple(
        ("directory", path, None, 0o500 if shut and path == there[-1] else 0o755)
        for path in ("cache", "beside", *there)
    )
    kinds = {
        "rmdir": 8, "mkdir": 3, "lstat": 2, "stat": 1, "open": 3, "listdir": 1, "chmod": 2, "unlink": 1, "utime": 1,
        "rename": 1, "symlink": 1, "readlink": 1, "fchmod": 2, "close": 1,
    }  # fmt: skip
    calls = []
    for number, most in enumerate(draw.choice(((5, 5), (6, 5), (3, 3, 3), (4, 3, 2))), 1):
        made = []
        for kind in draw.choices(tuple(kinds), tuple(kinds.values()), k=most):
            at = draw.choice(there if kind == "rmdir" else chain)
            flags = draw.choice((os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY, os.O_WRONLY | os.O_CREAT))
            more = {"at": (None, at), "to": (None, draw.choice(("cache/a/b", "cache/e", "beside/b"))), "flags": flags}
            more |= {"mode": draw.choice((0o755, 0o755, 0o700, 0o200, 0o600)), "times": None, "fd": 0, "follow": True}
            made.append((f"actor-{number}", kind, {**more, "target": draw.choice(("b", "/cache/a/b"))}))
        calls.append(tuple(made))
    return Program(Case(tree, (), (), plain=True), tuple(calls))


def draw_standing_program(seed):
    """One in which some stand still, by a fault or by themselves, and some close what they opened at the end."""
    program = draw_locking_program(seed) if seed % 2 else draw_program(seed, sizes_up_to(400))
    draw = random.Random(-seed - 1)
    places = [(name, step) for name, calls in zip(program.names, program.calls, strict=True) for step in _steps(calls)]
    stalls = [Fault(name, step, "", 0, STALL) for name, step in draw.sample(places, draw.randint(0, 3))]
    calls = [list(calls) for calls in program.calls]
    for _ in range(draw.randint(0, 2)):
        mine = draw.choice(calls)
        mine.insert(draw.randint(0, len(mine)), (mine[0][0], "stand", {}))
    kills = (*program.kills, *stalls)
    return replace(program, calls=tuple(map(tuple, calls)), kills=kills, closing=draw.random() < 0.6)


def _steps(calls):
    return range(1, len(calls) + 1)


class Stage(Copy):
    """One run of a program."""

    def _call(self, actor, operation, arguments):
        if operation == "stand":
            return self.kernels[actor].stand_still()
        if operation != "lock":
            return super()._call(actor, operation, arguments)
        # One that waits, on a descriptor or on the cache.
        kernel, fds = self.kernels[actor], list(self.actors[actor].descriptors)
        if not fds:
            return kernel.open(f"{self.root}/cache", os.O_RDONLY)
        return kernel.flock(fds[arguments["fd"] % len(fds)], arguments["wait"])


def start_of(program, top):
    stage = Stage(top, program.case)
    start = stage.start
    stage.actors = {}
    stage.take(locks=False)
    return start


def play(program, strategy, top):
    """What came of one run; None if the strategy cut it short."""
    stage = Stage(top, program.case)
    faults = faults_by_actor(program.kills)
    actors = [Actor(name, index, faults.get(name)) for index, name in enumerate(program.names)]
    stage.actors = {actor.name: actor for actor in actors}
    stage.kernels = {}
    results = {actor.name: [] for actor in actors}

    def body(name, calls, kernel):
        stage.kernels[name] = kernel
        try:
            for call in calls:
                results[name].append(stage.make(call))
        finally:
            for fd in list(stage.actors[name].descriptors) if program.closing else ():
                kernel.close(fd)

    parties = [
        Party(actor, partial(body, actor.name, calls)) for actor, calls in zip(actors, program.calls, strict=True)
    ]
    strategy.begin(actors, stage.steps, Randomness(0, "program"))
    gate = Gate(strategy, actors, stage.steps)
    run = BareHost(gate, stage.paths, stage.times).run(parties)
    with contextlib.suppress(StopIteration):
        run.send(None)
    strategy.end()
    _, left = stage.take(locks=False)
    if gate.stopped == PRUNED:
        return None
    assert gate.stopped in {None, "deadlock"}
    for party in parties:
        assert party.error is None, party.error
    # Descriptors get the numbers that are free.
    return repr((results, sorted(map(repr, gate.deadlock.waiting)) if gate.deadlock else None, left))


@dataclass
class Searched:
    """What a search found in a program."""

    runs: int
    pruned: int
    outcomes: set
    classes: set
    complete: bool


def search(program, make, top, runs_max):
    """Everything that `make(start)`, a search, tries."""
    start = start_of(program, top)
    strategy = make(start)
    found = Searched(0, 0, set(), set(), complete=False)
    while found.runs < runs_max:
        outcome = play(program, strategy, top)
        found.runs += 1
        if outcome is None:
            found.pruned += 1
        else:
            found.outcomes.add(outcome)
            found.classes.add(trace_class(strategy.transitions.storm, start))
        if not strategy.advance():
            found.complete = True
            break
    return found
