"""Which faults of a scenario become signals, and when they strike."""

from dataclasses import replace

import pytest

from simulator.engine.faults import RandomFaults, parse_fault
from simulator.errors import BadInputError
from simulator.scenario_file import load_scenario
from simulator.tools.signals import SignalFault, check_signals, plan_signals

NAMES = [f"build-{number}" for number in range(1, 9)]


def scenario(*specs, random=()):
    return replace(load_scenario("issue-3515-loop"), faults=tuple(map(parse_fault, specs)), random_faults=tuple(random))


def test_of_the_report_the_last_one_standing_is_stalled_and_killed():
    planned, left_out = plan_signals(load_scenario("issue-3515"), 3, NAMES, 1.0)
    assert [(fault.action, fault.phase) for fault in planned["build-8"]] == [
        ("stall", "install_lib"),
        ("kill", "install_lib"),
    ]
    assert left_out == ["build-2:build_py+300:build-error", "build-5:install_lib+25:ENOSPC:before"]


@pytest.mark.parametrize("spec", ["build-1:120:kill", "build-1:rmtree:kill", "build-1:build_py:EIO", "cleaner:1:kill"])
def test_what_cannot_be_a_signal_is_left_out(spec):
    planned, left_out = plan_signals(scenario(spec), 0, NAMES, 1.0)
    assert not any(planned.values())
    assert left_out == [str(parse_fault(spec))]


def test_drawn_faults_are_those_of_the_simulation_at_times():
    kinds = [RandomFaults("kill", 0.5, 1, 1000), RandomFaults("build-error", 1.0, 1, 10)]
    planned, left_out = plan_signals(scenario(random=kinds), 5, NAMES, 2.0)
    again, _ = plan_signals(scenario(random=kinds), 5, NAMES, 2.0)
    other, _ = plan_signals(scenario(random=kinds), 6, NAMES, 2.0)
    assert planned == again != other
    times = [fault.after_seconds for faults in planned.values() for fault in faults]
    assert 0 < len(times) < len(NAMES)
    assert all(0 < moment <= 2.0 * len(NAMES) for moment in times)
    assert len(left_out) == len(NAMES)


def test_a_fault_at_a_phase_strikes_there_or_after():
    fault = SignalFault("build-1", "kill", "build-1:install_lib:kill", "install_lib")
    assert [fault.is_due(phase, 99.0) for phase in ("look-up", "build_py", "install_lib", "dist_info")] == [
        False,
        False,
        True,
        True,
    ]


def test_a_fault_at_a_time_strikes_then():
    fault = SignalFault("build-1", "kill", "build-1:5:kill", after_seconds=1.5)
    assert [fault.is_due("look-up", seconds) for seconds in (0.0, 1.4, 1.5, 9.0)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("build-1:120:kill", "real builds have no steps to count; name a phase: look-up, prepare"),
        ("build-1:install_lib:build-error", "with --tool faults are signals: kill or stall, not build-error"),
        ("build-1:install_lib:ENOSPC:after", "kill or stall, not ENOSPC"),
        ("build-1:zip:kill", "the phase zip of a real build cannot be watched"),
        ("cleaner:1:kill", "only builds get faults"),
    ],
)
def test_a_user_who_asks_for_what_cannot_be_is_told(spec, told):
    with pytest.raises(BadInputError, match=told) as caught:
        check_signals(["build-1:install_lib:kill", spec])
    assert caught.value.value == spec
    check_signals(["build-1:install_lib:kill", "build-2:prepare:stall"])
