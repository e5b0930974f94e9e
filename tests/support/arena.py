"""A small run for tests: actors given as functions, a strategy, a directory."""

from __future__ import annotations

import os

import trio

from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.faults import faults_by_actor, parse_fault
from simulator.engine.gate import NO_BOUNDS, Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.hosts.base import Party
from simulator.hosts.trio_host import TrioHost
from simulator.strategies.round_robin import RoundRobin


class Arena:
    """Runs `functions` (name to function of a kernel) under one gate in `root`/cache."""

    def __init__(self, root, functions, *, strategy=None, seed=0, faults=(), host=TrioHost, bounds=NO_BOUNDS):
        self.host = host
        self.root = str(root)
        self.cache = f"{self.root}/cache"
        os.makedirs(self.cache, exist_ok=True)
        self.steps = []
        by_actor = faults_by_actor(parse_fault(spec) for spec in faults)
        self.actors = [Actor(name, index, by_actor.get(name)) for index, name in enumerate(functions)]
        self.strategy = strategy or RoundRobin()
        self.strategy.begin(self.actors, self.steps, Randomness(seed, "schedule"))
        self.gate = Gate(self.strategy, self.actors, self.steps, bounds)
        self.parties = [Party(actor, function) for actor, function in zip(self.actors, functions.values(), strict=True)]

    def run(self):
        trio.run(self.run_async)
        return self

    async def run_async(self):
        await self.host(self.gate, Paths(self.root, "cache"), LogicalTimes()).run(self.parties)

    @property
    def told(self):
        """Steps as ``actor operation path [errno]``."""
        return [
            " ".join([step[0], step[2], step[3], *([os.strerror(step[6])] if step[6] else [])]) for step in self.steps
        ]

    def party(self, name):
        return next(party for party in self.parties if party.actor.name == name)
