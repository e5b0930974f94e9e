"""Faults: read, drawn, due."""

from __future__ import annotations

import pytest

from simulator.engine.faults import ERRNO_OPERATIONS, ActorFaults, RandomFaults, errno_of, parse_fault
from simulator.engine.randomness import Randomness
from simulator.errors import BadInputError


@pytest.mark.parametrize(
    "spec",
    ["build-3:install_lib:kill", "build-3:120:kill", "cleaner:7:stall", "build-1:zip+12:build-error",
     "build-2:9:ENOSPC:after", "build-2:9:EIO:before", "build-2:9:EMFILE:before", "build-2:9:ENOSPC:short",
     "cleaner:9:ENOMEM:before", "cleaner:9:EBUSY:after", "worker-1:9:EINTR:before", "build-2:9:EINTR:short"],
)  # fmt: skip
def test_a_spec_survives_the_round_trip(spec):
    assert str(parse_fault(spec)) == spec


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("build-3", "is not ACTOR"),
        ("build-3:install_lib", "is not ACTOR"),
        ("build-3:0:kill", "is not ACTOR"),
        ("build-3:-1:kill", "is not ACTOR"),
        ("build-3:install_lib:kil", "unknown action 'kil'; nearest: kill"),
        ("build-3:install_lib:ENOSPACE", "unknown action 'ENOSPACE'; nearest: ENOSPC"),
        ("build-3:install_lib:kill:after", "'after' goes with an errno"),
        ("build-3:5:EMFILE:short", "a short write is never EMFILE"),
        ("build-3:5:ENOMEM:short", "a short write is never ENOMEM"),
        ("build-3:5:EBUSY:short", "a short write is never EBUSY"),
    ],
)
def test_a_bad_spec_gets_one_line_with_its_value(spec, reason):
    with pytest.raises(BadInputError) as caught:
        parse_fault(spec)
    assert reason in caught.value.message
    assert spec in caught.value.message
    assert "\n" not in caught.value.message


def test_drawn_faults_depend_on_the_seed_alone():
    kind = RandomFaults("kill", 0.5, 10, 20)
    names = [f"build-{number}" for number in range(100)]
    one = kind.draw(names, Randomness(3, "faults"))
    assert one == kind.draw(names, Randomness(3, "faults"))
    assert one != kind.draw(names, Randomness(4, "faults"))
    assert all(10 <= fault.step <= 20 for fault in one)
    # 100 draws at one half: outside of 20 to 80 once in 10^9.
    assert 20 < len(one) < 80


def test_more_builds_do_not_move_the_faults_of_the_first():
    kind = RandomFaults("kill", 0.5, 1, 1000)
    few = kind.draw(["build-1", "build-2", "build-3"], Randomness(1, "faults"))
    many = kind.draw([f"build-{number}" for number in range(1, 50)], Randomness(1, "faults"))
    assert many[: len(few)] == few


def test_a_fault_fires_once():
    faults = ActorFaults([parse_fault("build-1:2:EIO")])
    struck = [faults.due(step, "zip", "stat") is not None for step in (1, 2, 3)]
    assert struck == [False, True, False]
    assert [str(fault) for fault in faults.fired] == ["build-1:2:EIO:before"]


def test_two_faults_at_one_place_strike_one_after_the_other():
    faults = ActorFaults([parse_fault("build-1:zip:stall"), parse_fault("build-1:zip:kill")])
    assert faults.due(1, "zip", "stat").action == "stall"
    assert faults.due(1, "zip", "stat").action == "kill"


@pytest.mark.parametrize(
    ("name", "strikes", "spares"),
    [
        ("ENOMEM", ("opendir", "scandir", "rmdir", "fstat", "symlink"), ("read", "write", "flock", "utime", "close")),
        ("EBUSY", ("unlink", "rmdir", "rename"), ("open", "mkdir", "stat", "close")),
        ("EINTR", ("open", "create", "read", "write", "flock"), ("scandir", "unlink", "rename", "close")),
    ],
)
def test_an_errno_waits_for_a_call_that_its_man_page_gives_it_to(name, strikes, spares):
    for operation in strikes:
        faults = ActorFaults([parse_fault(f"cleaner:1:{name}")])
        assert [faults.due(step, "clean", spared) for step, spared in enumerate(spares, 1)] == [None] * len(spares)
        assert str(faults.due(len(spares) + 1, "clean", operation)) == f"cleaner:1:{name}:before"
        assert faults.spent


def test_every_errno_has_a_number_and_none_is_of_close():
    for name, operations in ERRNO_OPERATIONS.items():
        assert errno_of(parse_fault(f"build-1:1:{name}")) > 0
        assert operations
        assert "close" not in operations
