"""Classes of runs: what exchanging adjacent steps changes, and what it does not."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from dataclasses import replace
from functools import partial
from itertools import combinations, pairwise

import pytest

from simulator.exploration.classes import clocks, trace_class
from simulator.exploration.footprints import footprints
from simulator.exploration.keys import EVERYTHING, conflict
from simulator.hosts.bare import BareHost
from simulator.scenario import Schedule
from simulator.scenario_file import load_scenario
from simulator.schedule import format_segments, segments_of
from tests.support.arena import Arena
from tests.support.runs import run_seeds


def step(actor, operation, path):
    return (actor, "phase", operation, path, None, None, None, None, None)


def swapped(steps, place):
    return [*steps[:place], steps[place + 1], steps[place], *steps[place + 2 :]]


MKDIRS = [step("a", "mkdir", "d"), step("a", "mkdir", "d/a"), step("b", "mkdir", "d/b"), step("b", "listdir", "d")]


def test_adjacent_independent_steps_change_places_within_a_class():
    assert trace_class(MKDIRS) == trace_class(swapped(MKDIRS, 1))


def test_conflicting_steps_do_not():
    seen_early = [MKDIRS[0], MKDIRS[2], MKDIRS[3], MKDIRS[1]]
    assert trace_class(MKDIRS) != trace_class(seen_early)


def test_another_result_is_another_class():
    failed = [*MKDIRS[:3], (*MKDIRS[3][:6], 13, None, None)]
    assert trace_class(MKDIRS) != trace_class(failed)


def test_nothing_is_a_class_too():
    assert trace_class([]) != trace_class(MKDIRS[:1])


def before(actors, touched):
    """The partial order by all pairs: for each step the steps before it."""
    earlier = [set() for _ in actors]
    for one, other in combinations(range(len(actors)), 2):
        if actors[one] == actors[other] or conflict(touched[one], touched[other]):
            earlier[other] |= earlier[one] | {one}
    return earlier


@pytest.mark.parametrize("seed", range(20))
def test_clocks_say_what_all_pairs_say(seed):
    draw = random.Random(seed)
    actors = [draw.choice("abc") for _ in range(60)]
    keys = [("data", number, "") for number in range(4)]
    touched = [
        {draw.choice(keys): draw.choice(("read", "add", "write")) for _ in range(draw.randrange(3))} for _ in actors
    ]
    touched[draw.randrange(60)] = {EVERYTHING: "write"}
    names = sorted(set(actors))
    for place, (clock, earlier) in enumerate(zip(clocks(actors, touched), before(actors, touched), strict=True)):
        # `before` sees a chain through its middle steps, which it had already closed.
        counted = tuple(sum(actors[item] == name for item in earlier | {place}) for name in names)
        assert clock == counted


def becomes(steps, touched, wanted):
    """Whether `steps` becomes `wanted` by exchanging adjacent steps that do not conflict: tried, step by step."""
    left = list(zip(steps, touched, strict=True))
    for want in wanted:
        place = next((place for place, (item, _) in enumerate(left) if item[0] == want[0]), None)
        if place is None or left[place][0] != want:
            return False
        if any(conflict(left[place][1], other) for _, other in left[:place]):
            return False
        del left[place]
    return not left


@pytest.fixture(scope="module")
def small():
    return load_scenario("issue-3515-small")


def storms(scenario, seeds, ground):
    return [report.rounds[0][: report.storm_steps] for report in run_seeds(scenario, seeds, ground, keep_steps=True)]


@pytest.mark.slow
def test_real_runs_are_of_one_class_exactly_if_swaps_lead_from_one_to_the_other(small, ground):
    # Few switches, so that some seeds are of one class.
    scenario = replace(small, schedule=replace(small.schedule, switch_probability=0.05))
    runs = storms(scenario, range(24), ground)
    touched = [footprints(run) for run in runs]
    names = [trace_class(run) for run in runs]
    alike = different = 0
    for one, other in combinations(range(len(runs)), 2):
        same = names[one] == names[other]
        assert same == becomes(runs[one], touched[one], runs[other])
        assert same == becomes(runs[other], touched[other], runs[one])
        alike += same and runs[one] != runs[other]
        different += not same
    assert alike
    assert different


def shuffled(steps, touched, draw):
    """Another order of the same class: many exchanges at random places."""
    together = list(zip(steps, touched, strict=True))
    for _ in range(2000):
        place = draw.randrange(len(together) - 1)
        (one, left), (other, right) = together[place : place + 2]
        # The end of an actor comes with its last step.
        if one[0] != other[0] and "exit" not in {one[2], other[2]} and not conflict(left, right):
            together[place : place + 2] = together[place + 1], together[place]
    return [item for item, _ in together]


@pytest.mark.slow
def test_a_run_whose_independent_steps_are_exchanged_is_the_same_run(small, ground):
    for seed, run in enumerate(storms(small, range(10), ground)):
        wanted = shuffled(run, footprints(run), random.Random(seed))
        assert sum(one[0] != other[0] for one, other in pairwise(wanted)) > 5
        segments = format_segments(segments_of(wanted))
        scenario = replace(small, schedule=Schedule("replay", segments=segments))
        (replayed,) = storms(scenario, [0], ground)
        assert replayed == wanted
        assert trace_class(replayed) == trace_class(run)


class Choices:
    """A strategy that makes given choices, then the first one each time, and counts what it could have chosen."""

    def __init__(self, given):
        self._given = given
        self.made = []

    def begin(self, actors, steps, randomness):
        return True

    def choose(self, enabled, current):
        place = len(self.made)
        self.made.append((self._given[place] if place < len(self._given) else 0, len(enabled)))
        return enabled[self.made[-1][0]]


def every_run(make):
    """All interleavings: `make` plays one with a strategy."""
    given = []
    while given is not None:
        strategy = Choices(given)
        yield make(strategy)
        made = strategy.made
        deepest = max((place for place, (choice, among) in enumerate(made) if choice + 1 < among), default=None)
        given = None if deepest is None else [*(choice for choice, _ in made[:deepest]), made[deepest][0] + 1]


def attempt(kernel, operation, *arguments):
    with contextlib.suppress(OSError):
        return getattr(kernel, operation)(*arguments)


def build(kernel, cache, name):
    attempt(kernel, "mkdir", f"{cache}/w")
    attempt(kernel, "mkdir", f"{cache}/w/{name}")
    attempt(kernel, "lstat", f"{cache}/w/{name}")


def clean(kernel, cache):
    for name in attempt(kernel, "listdir", f"{cache}/w") or ():
        attempt(kernel, "rmdir", f"{cache}/w/{name}")
    attempt(kernel, "rmdir", f"{cache}/w")


@pytest.mark.slow
def test_all_runs_of_a_class_see_and_leave_the_same(tmp_path):
    def make(strategy):
        cache = str(tmp_path / "cache")
        functions = {name: partial(build, cache=cache, name=name) for name in ("build-1", "build-2")}
        arena = Arena(tmp_path, functions | {"cleaner": partial(clean, cache=cache)}, strategy=strategy, host=BareHost)
        arena.run()
        left = tuple(sorted(path for path, _, _ in os.walk(cache)))
        shutil.rmtree(cache)
        results = tuple(sorted(arena.steps, key=lambda item: item[0]))
        return trace_class(arena.steps), (results, left)

    ends, runs = {}, 0
    for name, end in every_run(make):
        runs += 1
        assert ends.setdefault(name, end) == end
    assert (runs, len(ends), len({left for _, left in ends.values()})) == (908, 76, 4)
