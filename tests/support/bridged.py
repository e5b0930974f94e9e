"""A small run for tests of plain functions as actors."""

from __future__ import annotations

import os

from simulator.bridged.actors import RunOfActors, party_of, read_function
from simulator.bridged.audit import watched
from simulator.bridged.bridge import Watch
from simulator.bridged.installed import names_in_place
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.paths import Paths
from simulator.engine.randomness import Randomness
from simulator.hosts.bare import BareHost
from simulator.strategies.round_robin import RoundRobin


class Bridged:
    """Runs plain functions, round robin, in `root`/cache."""

    def __init__(self, root, *functions, strategy=None):
        self.root = str(root)
        self.directory = f"{self.root}/cache"
        os.makedirs(self.directory, exist_ok=True)
        self.steps = []
        self.actors = [Actor(f"actor-{place}", place - 1) for place in range(1, len(functions) + 1)]
        self.watch = Watch(self.root)
        run = RunOfActors(self.directory, self.steps, self.actors, self.watch)
        strategy = strategy or RoundRobin()
        strategy.begin(self.actors, self.steps, Randomness(0, "schedule"))
        self.gate = Gate(strategy, self.actors, self.steps)
        self.parties = [
            party_of(read_function(actor.name, function), actor, run)
            for actor, function in zip(self.actors, functions, strict=True)
        ]

    def run(self):
        with names_in_place(), watched(self.watch):
            self.run_only()
        return self

    def run_only(self):
        host = BareHost(self.gate, Paths(self.root, "cache"), LogicalTimes())
        try:
            host.run(self.parties).send(None)
        except StopIteration:
            return

    @property
    def told(self):
        return [" ".join(step[2:4]) for step in self.steps]

    def result(self, place=0):
        error = self.parties[place].error
        if error is not None:
            raise error
        return self.parties[place].result
