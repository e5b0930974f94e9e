"""The comparison can fail: what an actor does beside the gate is reported, and so is a trace that is not true."""

from __future__ import annotations

import copy

import pytest

from tests.support.strace_match import differences
from tests.support.straced import traced
from tests.support.watched_run import UNCOUNTED

pytestmark = pytest.mark.slow

SMALL = ("issue-3515-loop", "--builds", "2", "--after", "hardened")


@pytest.mark.parametrize("call", UNCOUNTED)
def test_a_call_beside_the_kernel_is_caught(tmp_path, call):
    log, steps = traced(tmp_path, *SMALL, "--uncounted", call)
    found = differences(log, steps)
    assert found
    assert f"{log.sandbox}/1/cache" in found[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    log, steps = traced(tmp_path_factory.mktemp("strace"), *SMALL)
    assert differences(log, steps) == []
    return log, steps


# Every so manieth step or call is tampered with: some twenty in each test.
def places(count):
    return range(0, count, max(1, count // 20))


def test_a_step_that_was_never_made_is_caught(run):
    log, steps = run
    for place in places(len(steps)):
        more = [*steps[: place + 1], *steps[place:]]
        assert differences(log, more), f"step {place} twice"


def test_a_step_that_was_left_out_is_caught(run):
    log, steps = run
    for place in places(len(steps)):
        assert differences(log, steps[:place] + steps[place + 1 :]), f"without step {place}"


def test_two_steps_in_the_wrong_order_are_caught(run):
    log, steps = run
    for place in places(len(steps) - 1):
        one, other = steps[place], steps[place + 1]
        if all(one[key] == other[key] for key in ("operation", "path", "target", "mode", "errno", "detail")):
            continue
        swapped = [*steps[:place], other, one, *steps[place + 2 :]]
        assert differences(log, swapped), f"steps {place} and {place + 1} swapped"


@pytest.mark.parametrize(
    "change",
    [
        {"path": "somewhere/else"},
        {"errno": "EIO"},
        {"operation": "sync"},
        {"mode": "7777"},
        {"target": "somewhere/else"},
        {"detail": [1, 2, 3, 4]},
        {"injected": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_step_that_says_something_else_is_caught(run, change):
    log, steps = run
    for place in places(len(steps)):
        told = [*steps[:place], steps[place] | change, *steps[place + 1 :]]
        assert differences(log, told), f"step {place} with {change}"


def test_a_call_without_a_step_is_caught(run):
    log, steps = run
    for place in places(len(log.parts[0].lines)):
        seen = copy.deepcopy(log)
        lines = seen.parts[0].lines
        lines.insert(place, lines[place])
        assert differences(seen, steps), f"call {place} twice"


def test_a_call_that_strace_has_no_name_for_is_caught(run):
    log, steps = run
    seen = copy.deepcopy(log)
    line = seen.parts[0].lines[0]
    seen.parts[0].lines.append(line._replace(name="syscall_0x1ff", text="syscall_0x1ff(0x3, 0, 0, 0, 0, 0) = 0"))
    assert "syscall_0x1ff" in differences(seen, steps)[0]
