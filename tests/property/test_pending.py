"""What a pending call was foreseen to touch covers what it touched, on random trees and in real runs.

Seeds as in `test_independence`; `CACHESTORM_PENDING=20000` plays as many cases.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest
import trio

from simulator.exploration.footprints import Follower
from simulator.exploration.keys import AGAINST, EVERYTHING, conflict
from simulator.exploration.pending import Foresight
from simulator.ground.sandbox import Sandbox
from simulator.running import orchestrator
from simulator.running.orchestrator import Options
from simulator.scenario_file import load_scenario
from tests.support.pairs import Copy, draw_case

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("CACHESTORM_PENDING", "1500"))


def uncovered(touched, foreseen):
    """The keys that were touched in another way than foreseen: something that conflicts with one alone exists."""
    if EVERYTHING in foreseen:
        return {}
    return {
        key: kind for key, kind in touched.items() if key not in foreseen or not AGAINST[kind] <= AGAINST[foreseen[key]]
    }


class Watch:
    """The strategy of an actor alone at its gate, which looks at each call before it is made."""

    def __init__(self, copy, follower):
        self._copy, self._foresight, self.follower = copy, Foresight(follower), follower
        self.foreseen = self.before = None

    def choose(self, enabled, current):
        # Locks of an end come without a call.
        while self.follower.place < len(self._copy.steps):
            self.follower.next(self._copy.steps)
        self.before = len(self._copy.steps)
        self.foreseen = self._foresight.of(current)
        assert self._foresight.of(current) == self.foreseen, "looking changed something"
        return current


class Placed(Follower):
    """A follower that knows how far it is."""

    place = 0

    def next(self, steps):
        self.place += 1
        return self.follow(steps[self.place - 1])


def watched(seed, root):
    """(step, what it touched, what was foreseen) of each call of a case."""
    case = draw_case(seed)
    copy = Copy(root, case)
    follower = Placed(copy.start)
    told = []
    for kernel in copy.kernels.values():
        kernel._gate._choose = (watch := Watch(copy, follower)).choose
        kernel._watch = watch
    locks = any(operation == "flock" for _, operation, _ in case.history + case.calls)
    for call in (*case.history, *case.calls):
        watch = copy.kernels[call[0]]._watch
        watch.before = None
        copy.make(call)
        if call[1] == "fork" or watch.before is None:
            continue
        while follower.place < len(copy.steps):
            place, lost = follower.place, follower.lost
            touched = follower.next(copy.steps)
            if place == watch.before and follower.lost == lost:
                told.append((copy.steps[place], touched, watch.foreseen))
    copy.take(locks=locks)
    return told


def test_what_was_foreseen_covers_what_was_touched(tmp_path):
    calls, vague, wider = 0, 0, 0
    for seed in range(CASES):
        for step, touched, foreseen in watched(seed, str(tmp_path)):
            missing = uncovered(touched, foreseen)
            assert not missing, f"seed {seed}: {step}\ntouched {touched}\nforeseen {foreseen}\nmissing {missing}"
            calls += 1
            vague += EVERYTHING in foreseen
            wider += foreseen != touched
    sys.stdout.write(
        f"{calls} calls, {vague / calls:.1%} may touch everything, {wider / calls:.1%} more than they did\n"
    )
    # Whoever foresees everything is right and useless.
    assert vague / calls < 0.1
    assert wider / calls < 0.7


@pytest.mark.parametrize("part", ["entry", "listing", "mode", "meta", "data", "lock"])
def test_who_does_not_foresee_a_part_is_caught(part, tmp_path):
    for seed in range(CASES):
        for _, touched, foreseen in watched(seed, str(tmp_path)):
            if uncovered(touched, {key: kind for key, kind in foreseen.items() if key[0] != part}):
                return
    raise AssertionError(f"nothing wrong without {part}")


# What POS rests on: foreseen once, it stays true until something conflicts with it.


class Foreseeing:
    """A random walk that foresees every pending call, and holds each step against what was foreseen of it."""

    def begin(self, actors, steps, randomness):
        self.actors, self.steps, self.draw = actors, steps, randomness.draw
        self.follower, self.seen, self.known = Follower(), 0, {}
        self.foresight, self.checked, self.raced = Foresight(self.follower), 0, [0, 0]
        return True

    def choose(self, enabled, current):
        while self.seen < len(self.steps):
            self._hold(self.steps[self.seen])
            self.seen += 1
        for actor in self.actors:
            if actor.status != "done" and (
                actor.name not in self.known or self.known[actor.name][0] is not actor.pending
            ):
                self.known[actor.name] = actor.pending, self.foresight.of(actor)
        stays = current.status == "enabled" and self.draw() < 0.7
        return current if stays else enabled[int(self.draw() * len(enabled))]

    def _hold(self, step):
        foreseen = self.known.pop(step[0], None)
        touched = self.follower.follow(step)
        if foreseen is not None and step[2] != "exit":
            missing = uncovered(touched, foreseen[1])
            assert not missing, f"{step}\ntouched {touched}\nforeseen {foreseen[1]}\nmissing {missing}"
            self.checked += 1
        for name, (_, other) in list(self.known.items()):
            races = conflict(touched, other)
            self.raced[races] += 1
            if races:
                del self.known[name]

    def end(self):
        pass


@pytest.mark.parametrize("scenario", ["issue-3515-small", "issue-3515-loop", "stress", "pip-in-place", "in-the-middle"])
def test_it_stays_true_until_something_conflicts(scenario, ground):
    loaded = load_scenario("issue-3515-loop" if scenario == "in-the-middle" else scenario)
    loaded = replace(loaded, cleaners_after=(), builds=min(3, loaded.builds))
    if scenario == "in-the-middle":
        loaded = replace(
            loaded, builds=2, cleaners_during=("hardened", "rmtree"), cache_lock=True, protocol="entry-lock"
        )
    checked, raced = 0, [0, 0]

    async def main():
        nonlocal checked
        with Sandbox.create(ground) as sandbox:
            for seed in range(40 if "small" in scenario else 3):
                strategy = Foreseeing()
                await orchestrator.run(loaded, seed, sandbox, Options(bare=True), strategy)
                checked += strategy.checked
                raced[:] = map(sum, zip(raced, strategy.raced, strict=True))

    trio.run(main)
    assert checked > 1000
    # Most pending calls have nothing to do with the step that was made.
    assert raced[1] < raced[0]
