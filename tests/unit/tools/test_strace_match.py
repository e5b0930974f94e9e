"""The comparison with strace, on lines written by hand: what other systems and other straces say."""

from __future__ import annotations

import pytest

from simulator.tools.strace_calls import call_of
from simulator.tools.strace_log import log_line, whole_calls
from tests.support.strace_log import MARKER, read_log
from tests.support.strace_match import differences

SANDBOX = "/ground/cachestorm-1-0"
CACHE = f"{SANDBOX}/1/cache"
BEGIN = f'newfstatat(AT_FDCWD</>, "{MARKER}/begin", 0x7ff, 0) = -1 ENOENT (No such file or directory)'
END = 'newfstatat(AT_FDCWD</>, "{}/end/1/{}", 0x7ff, 0) = -1 ENOENT (No such file or directory)'
PIN = f'openat(AT_FDCWD</>, "{CACHE}/a", O_RDONLY|O_PATH|O_DIRECTORY) = 7<{CACHE}/a>'
CLOSE = f"close(7<{CACHE}/a>) = 0"


def step(operation, path="a", **more):
    base = {"step": 1, "round": 1, "actor": "build-1", "target": None, "mode": None, "errno": None, "detail": None}
    return base | {"operation": operation, "path": path} | more


def compared(steps, *calls):
    lines = [f"12 {line}\n" for line in (BEGIN, *calls, END.format(MARKER, len(steps)))]
    return differences(read_log(lines, SANDBOX), steps)


def repair(*calls):
    """A directory is pinned, gets the mode 0700 by `calls`, and is given up."""
    return compared([step("opendir"), step("chmod", mode="0700"), step("close")], PIN, *calls, CLOSE)


NO_SUCH_CALL = "syscall_0x1c4(0x7, 0x7f0, 0x1c0, 0x1000, 0, 0) = -1 ENOSYS (Function not implemented)"
THROUGH_PROC = 'chmod("/proc/self/fd/7", 0700) = 0'


@pytest.mark.parametrize(
    "calls",
    [
        ["syscall_0x1c4(0x7, 0x7f0, 0x1c0, 0x1000, 0, 0) = 0"],
        [f'fchmodat2(7<{CACHE}/a>, "", 0700, AT_EMPTY_PATH) = 0'],
        [NO_SUCH_CALL, THROUGH_PROC],
    ],
    ids=["without a name", "with its name", "where it is missing"],
)
def test_a_pinned_directory_is_repaired_by_the_call_that_the_system_has(calls):
    assert repair(*calls) == []


@pytest.mark.parametrize(
    "calls",
    [
        ["syscall_0x1c4(0x8, 0x7f0, 0x1c0, 0x1000, 0, 0) = 0"],
        ["syscall_0x1c4(0x7, 0x7f0, 0x1c0, 0, 0, 0) = 0"],
        [f'fchmodat2(7<{CACHE}/a>, "", 0777, AT_EMPTY_PATH) = 0'],
        [NO_SUCH_CALL],
        [THROUGH_PROC, THROUGH_PROC],
        [],
    ],
    ids=["another's descriptor", "a path that is not shown", "another mode", "nothing done", "twice", "not at all"],
)
def test_another_repair_is_reported(calls):
    assert repair(*calls)


def test_a_descriptor_belongs_to_who_opened_it():
    assert compared([step("opendir"), step("close", actor="build-2")], PIN, CLOSE)


def test_a_descriptor_that_is_left_open_is_reported():
    assert "still open" in compared([step("opendir")], PIN)[0]


def test_a_death_closes_what_the_actor_had_and_nothing_else():
    death = step("kill", path=".", detail=1)
    assert compared([step("opendir"), death], PIN, CLOSE) == []
    assert compared([step("opendir"), death], PIN)
    assert compared([step("opendir"), death], PIN, CLOSE, f'rmdir("{CACHE}/a") = 0')


def test_an_errno_before_the_effect_has_no_call_and_one_after_it_has():
    call = f'mkdir("{CACHE}/a", 0777) = 0'
    before = step("mkdir", mode="0777", errno="EIO", injected=True)
    after = step("mkdir", mode="0777", errno="EIO", fault="after")
    assert compared([before]) == []
    assert compared([after], call) == []
    assert compared([before], call)
    assert compared([after])


def test_a_lock_that_would_stop_the_program_is_reported():
    steps = [step("opendir"), step("flock", lock="exclusive"), step("close")]
    assert compared(steps, PIN, f"flock(7<{CACHE}/a>, LOCK_EX|LOCK_NB) = 0", CLOSE) == []
    assert compared(steps, PIN, f"flock(7<{CACHE}/a>, LOCK_EX) = 0", CLOSE)


def test_steps_when_nobody_could_move_are_reported():
    lines = [f"12 {line}\n" for line in (BEGIN, END.format(MARKER, 0))]
    assert "when nobody could move" in differences(read_log(lines, SANDBOX), [step("mkdir")])[0]


def test_calls_elsewhere_do_not_count():
    assert compared([], 'mkdir("/elsewhere", 0777) = 0', "syscall_0x1c4(0x7, 0, 0, 0x1000, 0, 0) = 0") != []
    assert compared([], 'mkdir("/elsewhere", 0777) = 0', "futex(0x7f, FUTEX_WAKE, 1) = 0") == []


def test_a_call_that_another_thread_interrupts_is_one_call():
    lines = ['1 mkdir("/a", 0777 <unfinished ...>', "2 getpid() = 2", "1 <... mkdir resumed>) = 0", "1 +++ exited +++"]
    assert list(whole_calls(lines)) == [(1, 'mkdir("/a", 0777) = 0'), (2, "getpid() = 2")]


def test_names_are_read_as_they_are():
    call = call_of(log_line('renameat(7</a\\74\\76>(deleted), "\\303\\251\\n\\"<{[,\\1", AT_FDCWD</>, "/b = c)") = 0'))
    assert (call.operation, call.place, call.target) == ("rename", (7, 'é\n"<{[,\1'), (None, "/b = c)"))


LOOK = f'newfstatat(AT_FDCWD</>, "{CACHE}/a", 0x7ff, 0) = -1 ENOENT (No such file or directory)'


@pytest.mark.parametrize(
    ("flags", "look", "same"),
    [
        ("O_RDWR|O_CREAT", LOOK, True),
        ("O_RDWR|O_CREAT|O_TRUNC", LOOK, False),
        ("O_RDWR|O_CREAT", LOOK.replace("/a", "/b"), False),
    ],
)
def test_the_gate_looks_before_an_open_that_may_create_and_before_no_other(flags, look, same):
    opening = f'openat(AT_FDCWD</>, "{CACHE}/a", {flags}, 0666) = 7<{CACHE}/a>'
    assert (compared([step("create"), step("close")], look, opening, CLOSE) == []) is same
