"""Strategies: a file each, a line each in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.strategies.pct import Pct
from simulator.strategies.portfolio import Portfolio
from simulator.strategies.pos import Pos
from simulator.strategies.random_walk import RandomWalk
from simulator.strategies.replay import Replay
from simulator.strategies.round_robin import RoundRobin
from simulator.strategies.staggered import Staggered
from simulator.strategies.sticky import Sticky

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.scenario import Schedule
    from simulator.strategies.base import Strategy

# What a scenario may name; each is made from the scenario's schedule.
SAMPLERS: dict[str, Callable[[Schedule], Strategy]] = {
    "sticky": lambda schedule: Staggered(Sticky(schedule.switch_probability), schedule.start_gap),
    "random": lambda schedule: RandomWalk(),  # noqa: ARG005 - it has nothing to be told
    "pct": lambda schedule: Pct(schedule.depth),
    "pos": lambda schedule: Pos(),  # noqa: ARG005 - likewise
    "portfolio": lambda schedule: Portfolio(schedule.start_gap),
    "round-robin": lambda schedule: RoundRobin(schedule.quantum),
}
# Of these, the ones with which each seed is an interleaving of its own.
SEEDED = ("sticky", "random", "pct", "pos", "portfolio")
# What a run may use: `replay` comes with a token.
STRATEGIES: dict[str, Callable[[Schedule], Strategy]] = {
    **SAMPLERS,
    "replay": lambda schedule: Replay(schedule.segments),
}

# For people (`cachestorm list strategies`).
STRATEGY_SUMMARIES = {
    "sticky": "actors arrive one by one; the current one goes on, and with a small probability another takes over",
    "random": "whoever can move, each alike, at each step",
    "pct": "random priorities, and a few random steps at which the highest becomes the lowest (--depth D - 1 of them)",
    "pos": "random priorities of pending calls, drawn anew for a call that raced with the step just made",
    "portfolio": "the seed draws pos (half), sticky (a quarter), pct or random; explore adds mutants of what was new",
    "round-robin": "everybody in turn, a fixed number of steps each",
    "dpor": "explore only: every schedule, but for the order of independent steps",
    "replay": "a recorded schedule, segment by segment (from a token)",
}
