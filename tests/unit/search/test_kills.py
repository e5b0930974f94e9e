"""Which kills are tried, and in which order."""

import pytest

from simulator.search.kills import KillPlan

STEPS = {"a": 2, "b": 3, "c": 1}


def planned(most, steps=None):
    """All sets of kills that some run reached, when every actor makes so many steps."""
    plan = KillPlan(list(STEPS), most)
    reached = []
    while True:
        steps_now = steps(plan.places) if steps else STEPS
        struck = [(actor, "phase", "kill") for actor, step in plan.places if step <= steps_now[actor]]
        plan.saw(struck)
        if len(struck) == len(plan.places):
            reached.append(plan.places)
        if not plan.advance():
            assert plan.finished == len(reached) == len(set(reached))
            return reached


def test_none_every_single_one_and_pairs_of_different_actors():
    single = [((actor, step),) for actor, last in STEPS.items() for step in range(1, last + 1)]
    assert planned(0) == [()]
    assert planned(1) == [(), *single]
    pairs = {(*one, *other) for one in single for other in single if one[0][0] < other[0][0]}
    assert len(pairs) == 2 * 3 + 2 * 1 + 3 * 1
    assert set(planned(2)) == {(), *single, *pairs}


def test_an_actor_may_get_further_because_another_was_killed():
    def steps(places):
        return {**STEPS, "b": 5} if places and places[0][0] == "a" else STEPS

    assert (("a", 1), ("b", 5)) in planned(2, steps)


def test_it_goes_on_where_another_was():
    plan, after = KillPlan(list(STEPS), 2), KillPlan(list(STEPS), 2)
    for _ in range(3):
        plan.saw([(actor, "phase", "kill") for actor, _ in plan.places])
        plan.advance()
    state = plan.state()
    after.restore({**state, "places": [list(place) for place in state["places"]]})
    assert (after.places, after.finished) == (plan.places, plan.finished)
    with pytest.raises(TypeError):
        after.restore({**state, "places": None})
