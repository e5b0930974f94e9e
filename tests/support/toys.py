"""Subjects that are no scenarios: a few actors as functions, and an oracle that looks at what they left."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field

import trio

from simulator.exploration.start import observe
from simulator.hosts.bare import BareHost
from simulator.running.outcome import Violation
from simulator.schedule import compact, format_segments
from simulator.strategies.random_walk import RandomWalk
from tests.support.arena import Arena


@dataclass(frozen=True)
class ToyTrial:
    """One run of them; attributes as `simulator.search.subject.Trial`."""

    seed: int
    violations: tuple
    storm: list = field(repr=False)
    actors: tuple = ()
    happened: frozenset = frozenset()

    @property
    def signature(self):
        return "; ".join(violation.signature for violation in self.violations) or "ok"

    @property
    def steps(self):
        return len(self.storm)

    @property
    def switches(self):
        return sum(one[0] != other[0] for one, other in zip(self.storm, self.storm[1:], strict=False))

    @property
    def token(self):
        return format_segments(compact(self.storm, self.actors))


class ToySubject:
    """Runs `functions` (name to function of a kernel and of the cache's path) in `root`.

    `oracle` gets the path of the cache and the parties, and returns what is wrong, a line each.
    """

    name, digest, counters = "toy", "00000000", ()

    def __init__(self, root, functions, oracle, prepare=lambda cache: None):
        self._root, self._functions, self._oracle, self._prepare = str(root), functions, oracle, prepare
        self.runs = 0

    def _fresh(self):
        shutil.rmtree(self._root, ignore_errors=True)
        os.makedirs(f"{self._root}/cache")
        self._prepare(f"{self._root}/cache")

    async def trial(self, seed, *, strategy=None, kills=()):
        self.runs += 1
        self._fresh()
        cache = f"{self._root}/cache"
        functions = {
            name: lambda kernel, function=function: function(kernel, cache)
            for name, function in self._functions.items()
        }
        arena = Arena(
            self._root,
            functions,
            strategy=strategy or RandomWalk(),
            seed=seed,
            faults=[str(kill) for kill in kills],
            host=BareHost,
        )
        await arena.run_async()
        wrong = tuple(Violation("toy", line, f"{line} happened") for line in self._oracle(cache, arena))
        return ToyTrial(seed, wrong, arena.steps, tuple(self._functions))

    async def start(self):
        self._fresh()
        return observe(self._root, "cache")

    async def length_alone(self):
        raise NotImplementedError("no test needs it")


def waits(function, *arguments, **keywords):
    """Await it; for tests that are none themselves."""

    async def call():
        return await function(*arguments, **keywords)

    return trio.run(call)


def checks_then_writes(kernel, cache):
    """Make the file if nobody did; two of them may both think so."""
    try:
        kernel.stat(f"{cache}/entry")
    except FileNotFoundError:
        kernel.close(kernel.open(f"{cache}/entry", os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def wanders(kernel, cache):
    """Something to do that is nobody's business."""
    kernel.mkdir(f"{cache}/elsewhere")
    for number in range(4):
        kernel.mkdir(f"{cache}/elsewhere/{number}")


def failed(cache, arena):
    """Who ended with an error, by its type."""
    return sorted({type(party.error).__name__ for party in arena.parties if party.error is not None})
