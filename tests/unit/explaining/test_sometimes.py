"""Counters: what another did is counted, what a build meets alone is not."""

import errno
from dataclasses import replace

import pytest

from simulator.engine.faults import parse_fault
from simulator.explaining import sometimes
from simulator.running.outcome import Residue, RunReport
from simulator.scenario_file import load_scenario
from tests.support.runs import run_one


def step(actor, operation, path, number=None, *, target=None, mode=None, injected=None):
    return (actor, "phase", operation, path, target, mode, number, None, injected)


def happened(*storm, alone=()):
    report = RunReport(
        "small", 0, "t", "d", 1, 1, (), Residue(0, 0, (), ()), (), True, (),
        rounds=((*storm, *alone),), storm_steps=len(storm),
    )  # fmt: skip
    return sometimes.happened(report)


A, B, C = "build-1", "build-2", "cleaner"
LOST = step(B, "open", "d/e", errno.ENOENT)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        (sometimes.MET_MADE, [step(A, "mkdir", "d"), step(B, "mkdir", "d", errno.EEXIST)]),
        (
            sometimes.MET_MADE,
            [
                step(A, "create", "x"),
                step(A, "rename", "x", target="d"),
                step(B, "link", "y", errno.EEXIST, target="d"),
            ],
        ),
        (sometimes.MISSED_REMOVED, [step(B, "mkdir", "d"), step(A, "rmdir", "d"), LOST]),
        (sometimes.MISSED_REMOVED, [step(B, "stat", "d/e"), step(A, "rename", "d", target="t"), LOST]),
        (
            sometimes.MET_FILLED,
            [step(A, "mkdir", "d"), step(B, "create", "d/x"), step(A, "rmdir", "d", errno.ENOTEMPTY)],
        ),
        (
            sometimes.CLEANER_MET_FILLED,
            [
                step(B, "create", "d/x"),
                step(C, "rename", "d", target="trash/d"),
                step(C, "rmdir", "trash/d", errno.ENOTEMPTY),
            ],
        ),
        (sometimes.SHUT_OUT, [step(A, "chmod", "d", mode=0o200), step(B, "open", "d/e/f", errno.EACCES)]),
        (sometimes.WAITED, [step(A, "flock", ".lock", errno.EWOULDBLOCK, target="exclusive")]),
        (sometimes.KILLED, [step(A, "mkdir", "d", errno.EEXIST), step(A, "kill", ".")]),
        (sometimes.CLEANER_REPAIRED, [step(C, "fchmod", "d", mode=0o700)]),
        (sometimes.CLEANER_REPAIRED, [step("worker-1", "chmod", "d", mode=0o755)]),
    ],
)
def test_what_another_did_is_counted(name, steps):
    assert happened(*steps) == {name}


@pytest.mark.parametrize(
    "steps",
    [
        # One's own doing.
        [step(A, "mkdir", "d"), step(A, "mkdir", "d", errno.EEXIST)],
        [step(B, "mkdir", "d"), step(B, "rmdir", "d"), LOST],
        [step(A, "create", "d/x"), step(A, "rmdir", "d", errno.ENOTEMPTY)],
        [step(B, "chmod", "d", mode=0o200), step(B, "open", "d/e", errno.EACCES)],
        # What was there, or was not, before anybody came.
        [step(B, "mkdir", "d", errno.EEXIST)],
        [LOST],
        # Never seen, so not missed: alone it would not be there either.
        [step(A, "mkdir", "d"), step(A, "rmdir", "d"), LOST],
        # Repaired, removed or made again since.
        [step(A, "chmod", "d", mode=0o200), step(A, "chmod", "d", mode=0o700), step(B, "open", "d/e", errno.EACCES)],
        [step(A, "create", "d/x"), step(A, "unlink", "d/x"), step(B, "rmdir", "d", errno.ENOTEMPTY)],
        [step(B, "stat", "d"), step(A, "rmdir", "d"), step(A, "mkdir", "d"), LOST],
        # A fault's doing.
        [step(A, "mkdir", "d"), step(B, "mkdir", "d", errno.EEXIST, injected="before")],
        # No repair.
        [step(C, "chmod", "d", mode=0o200), step(A, "chmod", "d", mode=0o700)],
    ],
)
def test_what_is_nobody_elses_doing_is_not(steps):
    assert happened(*steps) == frozenset()


def test_a_kill_between_a_mkdir_and_what_was_to_come():
    steps = [step(A, "mkdir", "d"), step(B, "create", "x"), step(A, "kill", ".")]
    assert happened(*steps) == {sometimes.KILLED, sometimes.KILLED_AFTER_MKDIR}


def test_a_repair_after_the_storm_counts_as_well():
    assert happened(alone=[step(C, "fchmod", "d", mode=0o700)]) == {sometimes.CLEANER_REPAIRED}


def test_alone_a_build_meets_nothing(ground):
    scenario = replace(load_scenario("issue-3515-loop"), builds=1, cleaners_after=("hardened",))
    assert sometimes.happened(run_one(scenario, 0, ground)) == {sometimes.PARTIAL}


def test_only_what_can_happen_is_counted():
    small = load_scenario("issue-3515-small")
    names = set(sometimes.counters(small))
    assert not names & {sometimes.WAITED, sometimes.KILLED, sometimes.CLEANER_MET_FILLED}
    killed = replace(small, faults=(parse_fault("build-1:9:kill"),), cache_lock=True, cleaners_during=("hardened",))
    assert set(sometimes.counters(killed)) > {sometimes.WAITED, sometimes.KILLED, sometimes.CLEANER_MET_FILLED} | names
    assert sometimes.CLEANER_REPAIRED not in sometimes.counters(replace(small, cleaners_after=()))
