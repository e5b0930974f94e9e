"""The gate is complete: strace sees a call for each recorded step and no other call on the sandbox.

What counts as the call of a step, and why some steps have more than one or none: `tests/support/strace_match.py`.
"""

from __future__ import annotations

import functools
import itertools

import pytest

from simulator.engine.kernel import Calls
from simulator.engine.trace import LIST_DESCRIPTOR, LIST_PATH
from tests.support.strace_match import OPENS, differences
from tests.support.straced import traced, traced_command

pytestmark = pytest.mark.slow

ALL_CLEANERS = ("hardened", "rmtree", "model:uv-0.1.42", "model:uv-0.13.9")

RUNS = {
    # The main scenario as it ships: stall, kill, build error and ENOSPC among its faults.
    "issue-3515": ("issue-3515", "--builds", "8", "--seed", "3"),
    # Every cleaner, on residue with a poisoned directory, each in a round of its own.
    "cleaners": ("issue-3515-loop", "--builds", "4", "--seed", "0", "--after", *ALL_CLEANERS),
    # Every cleaner as an actor among others: half of what they want to remove is gone or locked when they come.
    "cleaners-in-the-storm": ("issue-3515-loop", "--builds", "2", "--seed", "6", "--during", *ALL_CLEANERS),
    # Locks, actors that wait for them, kills, the hardened cleaner in the middle.
    "stress": (
        *("stress", "--builds", "8", "--seed", "5"),
        *("--fault", "build-1:200:kill", "--fault", "build-2:300:kill", "--fault", "build-3:400:kill"),
    ),
    # No lock on the cache: cleaning pulls the ground from under the builds.
    "faults": (
        *("issue-3515-loop", "--builds", "7", "--seed", "4", "--during", "hardened"),
        *("--fault", "build-1:40:EIO:after", "--fault", "build-7:5:EMFILE:before"),
        *("--fault", "build-2:90:ENOSPC:short", "--fault", "build-3:120:EMFILE:after"),
        *("--fault", "build-4:70:kill", "--fault", "build-5:60:build-error", "--fault", "build-6:30:stall"),
        *("--fault", "cleaner:20:EACCES:after", "--fault", "cleaner:60:kill"),
    ),
    "every-call": ("issue-3515-loop", "--builds", "8", "--seed", "1", "--every-call"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What strace saw and what was recorded, by the name of a run; each is made once."""

    @functools.cache
    def make(name):
        return traced(tmp_path_factory.mktemp("strace"), *RUNS[name])

    return make


each_run = pytest.mark.parametrize("name", RUNS)


@each_run
def test_each_step_is_a_call_and_each_call_is_a_step(run, name):
    log, steps = run(name)
    assert len(log.parts) >= 2
    assert all(part.lines for part in log.parts)
    assert differences(log, steps) == []


def test_the_command_line_adds_no_call(tmp_path):
    log, steps = traced_command(tmp_path, "run", "issue-3515", "--builds", "8", "--seed", "3")
    assert len(log.parts) == 4
    assert differences(log, steps) == []


# What the harness may do on the sandbox between the storm and the cleaner: look.
LOOKS = frozenset(
    {"openat", "openat2", "open", "close", "read", "pread64", "getdents64", "lseek", "fcntl", "ioctl", "readlink"}
    | {"readlinkat", "newfstatat", "stat", "lstat", "fstat", "statx"}
)
CHANGES_BY_OPENING = ("O_CREAT", "O_TRUNC", "O_WRONLY", "O_RDWR")


@each_run
def test_between_storm_and_cleaner_the_harness_only_looks(run, name):
    log, _ = run(name)
    looked = 0
    for (before, after), gap in zip(itertools.pairwise(log.parts), log.gaps[1:-1], strict=True):
        if before.round != after.round:
            # Between rounds the sandbox is removed and made again.
            continue
        looked += len(gap)
        changes = [
            line.text
            for line in gap
            if line.name not in LOOKS
            or (line.name.startswith("open") and any(f in line.text for f in CHANGES_BY_OPENING))
        ]
        assert changes == []
    assert looked, "the residue was never read"


# What each run is there for: without it the comparison of that run would prove less than it says. Where one of these
# fails and no comparison does, the scenario has changed: choose another seed above.


def test_every_call_of_the_kernel_was_seen(run):
    # `step` is for calls that have no method: those are held against strace in test_bridged_strace.py.
    calls = {name for name in vars(Calls) if not name.startswith("_")} - {"give_up", "step"}
    # As a trace names them: kinds of open and of listing apart.
    calls -= {"openat2", "remove", "chmod_descriptor", "mount_id", "scandir", "listdir"}
    calls |= {"opendir", "create", "create-excl", "mount-id", LIST_PATH, LIST_DESCRIPTOR, "exit"}
    steps = [step for step in run("every-call")[1] if step["phase"] == "every-call"]
    assert {step["operation"] for step in steps} == calls
    assert {step["errno"] for step in steps if step["operation"] == "flock"} == {None, "EAGAIN"}


def test_every_kind_of_fault_was_seen(run):
    steps = run("faults")[1]
    assert {"kill", "build-error"} <= {step["operation"] for step in steps}
    assert {step.get("fault") for step in steps} == {None, "after", "short"}
    assert {step["operation"] for step in steps if step.get("fault") == "after"} & set(OPENS)
    assert {step["errno"] for step in steps if step.get("injected")} == {None, "EMFILE"}


def test_a_poisoned_directory_was_repaired_through_its_descriptor(run):
    log, steps = run("cleaners")
    assert [step for step in steps if step["phase"] == "hardened" and step["operation"] == "chmod"]
    assert [line for part in log.parts for line in part.lines if line.name in ("syscall_0x1c4", "fchmodat2")]


def test_actors_were_killed_while_others_waited_for_their_locks(run):
    steps = run("stress")[1]
    assert sum(step["operation"] == "kill" for step in steps) >= 2
    assert [step for step in steps if step["operation"] == "flock" and step["errno"] == "EAGAIN"]
