"""Plans: what a run did, in a form that survives the loss of a part."""

from __future__ import annotations

import errno

import pytest

from simulator.engine.faults import parse_fault
from simulator.exploration.classes import trace_class
from simulator.shrink.follow import Follow
from simulator.shrink.plan import Call, Piece, Plan, Strike, after, before, plan_of, taking_part
from simulator.shrink.pulling import pulled_together, turns_of


def step(actor, operation, path, number=None, injected=None):
    return (actor, "start", operation, path, None, None, number, None, injected)


RUN = [
    step("one", "stat", "x"),
    step("two", "mkdir", "x"),
    step("one", "stat", "x"),
    step("one", "open", "x", errno.EIO, "before"),
    step("two", "kill", "."),
    step("three", "kill", "."),
]


def test_it_says_before_which_call_an_actor_waits():
    assert plan_of(taking_part(RUN)) == Plan(
        (Piece("one", Call("stat", "x", 2)), Piece("two", 1), Piece("one", None), Piece("two", None)),
        (Strike("one", 3, "EIO", "before"), Strike("two", 2, "kill", "before")),
    )


def test_everybody_is_who_was_killed_first_too():
    assert taking_part(RUN) == RUN[:5]
    assert taking_part(RUN, everybody=True) == RUN


def test_under_other_names_it_counts_steps():
    plan = plan_of(taking_part(RUN), counted=True)
    assert plan.pieces == (Piece("one", 1), Piece("two", 1), Piece("one", None), Piece("two", None))


def test_before_and_behind_a_step():
    assert before(RUN, 2) == Piece("one", Call("stat", "x", 2))
    assert after(RUN, 0) == Piece("one", Call("stat", "x", 2))
    assert after(RUN, 3) == Piece("one", None)
    assert before(RUN, 4) == after(RUN, 1) == Piece("two", 1)


def test_a_piece_that_is_left_out_is_made_with_the_next_one():
    plan = plan_of(taking_part(RUN))
    assert plan.without(1, 2).pieces == (Piece("one", None), Piece("two", None))
    assert plan.without(3, 4).strikes == plan.strikes
    assert plan.only(["two"]) == Plan((Piece("two", 1), Piece("two", None)), plan.strikes[1:])
    assert plan.without(0, 4) == Plan(())


def test_who_is_not_interrupted_still_takes_part():
    plan = plan_of(taking_part(RUN))
    assert plan.later(1).pieces == (Piece("one", None), Piece("two", None))
    assert plan.later(3).pieces == plan.pieces[:3]
    alone = plan_of(RUN[:2])
    assert alone.later(0) == Plan((Piece("two", None), Piece("one", None)))


@pytest.mark.slow
def test_a_plan_that_is_followed_is_the_same_run_pulled_together(within):
    kill = parse_fault("build-2:31:kill")

    async def check(subject):
        shorter = 0
        start = await subject.start()
        for seed in range(12):
            run = await subject.trial(seed, kills=(kill,) * (seed % 2))
            order = pulled_together(run.storm, start)
            followed = await subject.trial(seed, strategy=Follow(plan_of(run.storm, order)))
            assert trace_class(followed.storm, start) == trace_class(run.storm, start)
            assert followed.signature == run.signature
            turns = [turns_of([step[0] for step in trial.storm]) for trial in (run, followed)]
            assert turns[1] <= turns[0]
            shorter += turns[1] < turns[0]
        return shorter

    assert within(check) >= 10


@pytest.mark.slow
def test_dependent_steps_are_never_pulled_past_each_other(within):
    from simulator.exploration.footprints import conflict, footprints

    async def check(subject):
        start = await subject.start()
        for seed in range(6):
            steps = (await subject.trial(seed)).storm
            touched = footprints(steps, start)
            order = pulled_together(steps, start)
            assert sorted(order) == list(range(len(steps)))
            place = {index: at for at, index in enumerate(order)}
            for one in range(len(steps)):
                for other in range(one + 1, len(steps)):
                    if steps[one][0] == steps[other][0] or conflict(touched[one], touched[other]):
                        assert place[one] < place[other]

    within(check)


@pytest.mark.slow
def test_whoever_is_not_in_it_takes_no_part(within):
    async def check(subject):
        run = await subject.trial(0)
        alone = await subject.trial(0, strategy=Follow(plan_of(run.storm).only(["build-2"])))
        assert {step[0] for step in taking_part(alone.storm)} == {"build-2"}
        assert [step[2] for step in alone.storm if step[0] == "build-1"] == ["kill"]
        builds = {build.actor: build.outcome for build in alone.report.builds}
        assert builds == {"build-1": "killed", "build-2": "ok"}

    within(check)
