"""Which kills are tried, and in which order."""

import json

import pytest

from simulator.exploration.keys import READ, WRITE, data
from simulator.search.kills import KillPlan
from simulator.search.transitions import Transition

NAMES = ["a", "b", "c"]
STEPS = {"a": 2, "b": 3, "c": 1}
CHANGES = {data(1): WRITE}
LOOKS = {data(1): READ}


def ran(plan, *, steps=STEPS, looks=()):
    """One run of the kills at hand: each actor makes its steps, or is killed instead of one."""
    killed = dict(plan.places)
    made = [
        Transition(NAMES.index(name), LOOKS if (name, step) in looks else CHANGES)
        for name, last in steps.items()
        for step in range(1, min(last, killed.get(name, last)) + 1)
    ]
    plan.observed.saw(made, NAMES)


def planned(most, *, steps_of=lambda places: STEPS, looks=()):
    """All sets of kills."""
    plan = KillPlan(NAMES, most)
    seen = [plan.places]
    while True:
        ran(plan, steps=steps_of(plan.places), looks=looks)
        if not plan.advance():
            assert plan.finished == len(seen) == len(set(seen))
            return seen
        seen.append(plan.places)


SINGLE = [((actor, step),) for actor, last in STEPS.items() for step in range(1, last + 1)]


def test_none_every_single_one_and_pairs_of_different_actors():
    assert planned(0) == [()]
    assert planned(1) == [(), *SINGLE]
    pairs = {(*one, *other) for one in SINGLE for other in SINGLE if one[0][0] < other[0][0]}
    assert len(pairs) == 2 * 3 + 2 * 1 + 3 * 1
    assert set(planned(2)) == {(), *SINGLE, *pairs}


def test_an_actor_may_get_further_because_another_was_killed():
    further = planned(2, steps_of=lambda places: {**STEPS, "b": 5} if places[:1] == (("a", 1),) else STEPS)
    assert (("a", 1), ("b", 5)) in further
    assert (("a", 2), ("b", 5)) not in further


def test_after_a_look_a_kill_leaves_what_it_left_before():
    looks = {("b", 1), ("a", 2)}
    assert planned(1, looks=looks) == [(), *(kill for kill in SINGLE if kill != (("b", 2),))]
    # With one more to come, the step may do something there.
    both = planned(2, looks=looks)
    assert (("b", 2),) in both
    assert (("b", 2), ("c", 1)) in both
    assert (("a", 1), ("b", 2)) not in both


def test_what_is_done_beside_the_cache_counts_only_if_it_is_somebody_elses_too():
    beside = [Transition(1, CHANGES, beside=True), Transition(1, CHANGES), Transition(1, CHANGES)]
    plan = KillPlan(NAMES, 1)
    plan.observed.saw(beside, NAMES)
    assert ("b", 1) not in plan.observed.effects
    plan.observed.saw([*beside, Transition(0, {data(2): READ})], NAMES)
    assert ("b", 1) not in plan.observed.effects
    plan.observed.saw([*beside, Transition(0, LOOKS)], NAMES)
    assert ("b", 1) in plan.observed.effects


def test_one_run_in_which_the_step_does_something_is_enough():
    plan = KillPlan(NAMES, 1)
    ran(plan, looks={("b", 1)})
    ran(plan)
    seen = []
    while plan.advance():
        seen.append(plan.places)
        ran(plan)
    assert (("b", 2),) in seen


def test_it_goes_on_where_another_was():
    plan, after = KillPlan(NAMES, 2), KillPlan(NAMES, 2)
    for _ in range(3):
        ran(plan)
        plan.advance()
    ran(plan)
    state = json.loads(json.dumps(plan.state()))
    after.restore(state)
    while True:
        assert (after.places, after.finished, after.faults) == (plan.places, plan.finished, plan.faults)
        more = plan.advance()
        assert after.advance() == more
        if not more:
            break
        ran(plan)
        ran(after)
    for damaged in ({**state, "places": None}, {**state, "waiting": [[["a"]]]}, {}):
        with pytest.raises((TypeError, ValueError)):
            after.restore(damaged)
