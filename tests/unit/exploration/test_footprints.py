"""What each call touches: the rows of the table, from steps as the kernel records them."""

from __future__ import annotations

import errno

import pytest

from simulator.engine.faults import AFTER, BEFORE
from simulator.engine.paths import OUTSIDE, Relative
from simulator.engine.trace import Creation
from simulator.exploration.footprints import Follower, conflict
from simulator.exploration.start import Found, Start
from simulator.exploration.tree import DIRECTORY, FILE, LINK


def found(path, kind, identity, *, target="", empty=False, mode=0o755):
    return Found(path, kind, mode, identity, target, empty)


START = Start(
    0o755,
    (
        found("cache", DIRECTORY, 0),
        found("cache/d", DIRECTORY, 1),
        found("cache/d/f", FILE, 2, mode=0o644),
        found("cache/e", DIRECTORY, 3),
        found("cache/z", FILE, 4, empty=True),
        found("cache/g", FILE, 2, mode=0o644),
        found("cache/l", LINK, 5, target=Relative("d", "cache", "d")),
        found("cache/closed", DIRECTORY, 6, mode=0o200),
    ),
)
# An open that may create found something, and left it as it was.
KEPT = Creation("create", 0o666, kept=True)
# As they are met: outside of the sandbox, the sandbox, and what is above.
NAMES = {
    1: "outside",
    2: "sandbox",
    3: "cache",
    4: "d",
    5: "f",
    6: "e",
    7: "z",
    8: "l",
    9: "closed",
    10: "new",
    11: "newer",
}
TOP = {"read mode sandbox", "read entry sandbox/cache", "read mode cache"}
THROUGH_TOP = {"read mode sandbox", "through entry sandbox/cache", "read mode cache"}
THROUGH_D = {"through entry cache/d", "read mode d"}
IN_D = {"read entry cache/d", "read mode d"}
IN_E = {"read entry cache/e", "read mode e"}
SEES_F = {"read mode f", "read meta f", "read data f"}


def told(footprint):
    def one(key, kind):
        part, number, name = key
        return f"{kind} {part}" if not number else f"{kind} {part} {NAMES[number]}{'/' + name if name else ''}"

    return {one(key, kind) for key, kind in footprint.items()}


def step(operation, path, target=None, *, actor="b", mode=None, fails=None, detail=None, injected=None):
    return (actor, "phase", operation, path, target, mode, fails, detail, injected)


def last(*steps, start=START):
    follower = Follower(start)
    return [follower.follow(item) for item in steps][-1]


ROWS = [
    (step("mkdir", "d/n", mode=0o755), IN_D | {"write entry d/n", "add listing d"}),
    (step("create", "d/n"), IN_D | {"write entry d/n", "add listing d"}),
    (step("create-excl", "d/n"), IN_D | {"write entry d/n", "add listing d"}),
    (step("symlink", "d/n", "f"), IN_D | {"write entry d/n", "add listing d"}),
    (step("mkdir", "d/f", fails=errno.EEXIST), IN_D | {"read entry d/f"}),
    (step("mkdir", "d/no/n", fails=errno.ENOENT), THROUGH_TOP | THROUGH_D | {"read entry d/no"}),
    (step("mkdir", "z/n", fails=errno.ENOTDIR), {"read entry cache/z"}),
    (step("unlink", "d/f"), IN_D | {"write entry d/f", "add listing d", "add meta f"}),
    (step("unlink", "d/n", fails=errno.ENOENT), THROUGH_TOP | THROUGH_D | {"read entry d/n"}),
    (step("rmdir", "e"), {"remove entry cache/e", "add listing cache", "read listing e", "add meta e"}),
    (step("rmdir", "d", fails=errno.ENOTEMPTY), {"read entry cache/d", "read listing d"}),
    (step("rmdir", "z", fails=errno.ENOTDIR), {"read entry cache/z"}),
    (step("listdir", "d", detail=("f",)), IN_D | {"read listing d"}),
    (step("listdir", "n", fails=errno.ENOENT), THROUGH_TOP | {"read entry cache/n"}),
    (step("listdir", "closed", fails=errno.EACCES), {"read entry cache/closed", "read mode closed"}),
    (step("lstat", "closed/x", fails=errno.EACCES), {"read entry cache/closed", "read mode closed"}),
    (
        step("rename", "d/f", "e/n"),
        IN_D | IN_E | {"write entry d/f", "add listing d", "write entry e/n", "add listing e"},
    ),
    (
        step("rename", "d", "e/n"),
        {"write entry cache/d", "add listing cache"} | IN_E | {"write entry e/n", "add listing e"}
        | {"read mode d", "write moves"},
    ),
    (
        step("rename", "d", "e"),
        {"write entry cache/d", "write entry cache/e", "add listing cache", "add meta e", "read listing e"},
    ),
    (step("rename", "d/f", "g"), IN_D | {"read entry d/f", "read entry cache/g"}),
    (
        step("rename", "e", "d", fails=errno.ENOTEMPTY),
        {"read entry cache/e", "read entry cache/d", "read listing d", "read listing e", "read moves"},
    ),
    (
        step("rename", "e", "d/n", fails=errno.EACCES),
        IN_D | {"read entry cache/e", "read entry d/n", "read mode e", "read moves"},
    ),
    (
        step("rename", "e", "d/f", fails=errno.ENOTDIR),
        IN_D | {"read entry cache/e", "read entry d/f", "read mode e", "read moves"},
    ),
    (step("link", "d/f", "n"), IN_D | {"read entry d/f", "add meta f", "write entry cache/n", "add listing cache"}),
    (
        step("link", "l", "e/n", fails=errno.EACCES),
        IN_E | {"read entry cache/l", "read mode l", "read entry cache/d", "read mode d", "read entry e/n"},
    ),
    (step("stat", "d/f"), IN_D | {"read entry d/f"} | SEES_F),
    (step("stat", "d"), {"read entry cache/d", "read mode d", "read meta d"}),
    (step("stat", "l"), {"read entry cache/l", "read entry cache/d", "read mode d", "read meta d"}),
    (step("lstat", "l"), {"read entry cache/l", "read mode l", "read meta l", "read data l"}),
    (step("lstat", "l/f"), IN_D | {"read entry cache/l", "read entry d/f"} | SEES_F),
    (step("readlink", "l", detail="d"), {"read entry cache/l"}),
    (step("lstat", "d/../e"), IN_D | {"read moves", "read entry cache/e", "read mode e", "read meta e"}),
    (step("chmod", "d", mode=0o700), {"read entry cache/d", "write mode d"}),
    (step("chmod", "d", mode=0o755), {"read entry cache/d", "read mode d"}),
    (step("chmod", "n", mode=0o700, fails=errno.ENOENT), THROUGH_TOP | {"read entry cache/n"}),
    (step("utime", "d/f"), IN_D | {"read entry d/f", "read mode f", "write meta f", "write data f"}),
    (step("open", "d/f"), IN_D | {"read entry d/f", "read mode f"}),
    (step("open", "d/f", detail="truncated"), IN_D | {"read entry d/f", "read mode f", "add meta f", "write data f"}),
    (step("opendir", "d"), IN_D),
    (step("create", "d/f"), IN_D | {"read entry d/f", "read mode f", "add meta f", "write data f"}),
    (step("create", "z"), {"read entry cache/z", "read mode z", "add meta z", "read data z"}),
    (step(KEPT, "d/f"), IN_D | {"read entry d/f", "read mode f"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "touched"), ROWS, ids=[" ".join(map(str, (*raw[2:5], raw[6] or "ok"))) for raw, _ in ROWS]
)
def test_a_call_by_path(raw, touched):
    assert told(last(raw)) == touched | (set() if touched >= THROUGH_TOP else TOP)


OPEN_D, OPEN_F = step("opendir", "d"), step("open", "d/f")


@pytest.mark.parametrize(
    ("opened", "raw", "touched"),
    [
        (OPEN_F, step("read", "d/f", detail=3), {"read data f"}),
        (OPEN_F, step("write", "d/f", detail=3), {"write data f"}),
        (OPEN_F, step("fstat", "d/f"), SEES_F),
        (OPEN_F, step("fchmod", "d/f", mode=0o600), {"write mode f"}),
        (OPEN_F, step("fchown", "d/f"), {"write mode f"}),
        (OPEN_F, step("close", "d/f"), set()),
        (OPEN_F, step("mount-id", "d/f"), set()),
        (OPEN_F, step("flock", "d/f", "exclusive"), {"write lock f"}),
        (OPEN_F, step("flock", "d/f", "shared"), {"add lock f"}),
        (OPEN_F, step("flock", "d/f", "shared", fails=errno.EAGAIN), {"read lock f"}),
        (OPEN_F, step("flock", "d/f", "unlock"), {"write lock f"}),
        (OPEN_F, step("flock", "d/f", "exclusive", fails=errno.EAGAIN), {"read lock f"}),
        (OPEN_D, step("scandir", "d", detail=()), {"read listing d"}),
        (OPEN_D, step("lstat", Relative("d/f", "d", "f")), {"read mode d", "read entry d/f"} | SEES_F),
        (OPEN_D, step("mkdir", Relative("d/n", "d", "n"), mode=0), {"read mode d", "write entry d/n", "add listing d"}),
        (OPEN_D, step("chmod", Relative("d", "d", ""), mode=0o700), {"write mode d"}),
        (OPEN_D, step("opendir", Relative(".", "d", "..")), {"read mode d", "read moves", "read mode cache"}),
    ],
)  # fmt: skip
def test_a_call_by_descriptor(opened, raw, touched):
    assert told(last(opened, raw)) == touched


@pytest.mark.parametrize(("kind", "touched"), [("exclusive", {"write lock f"}), ("shared", {"add lock f"})])
def test_locks_are_given_up_by_the_end_of_their_owner(kind, touched):
    locked = (OPEN_F, step("flock", "d/f", kind))
    for end in (step("kill", "."), step("exit", "."), step("close", "d/f"), step("flock", "d/f", "unlock")):
        assert told(last(*locked, end)) == touched
    assert told(last(OPEN_F, step("kill", "."))) == set()
    assert told(last(*locked, step("flock", "d/f", "unlock"), step("kill", "."))) == set()
    # Another's lock is no lock of ours; a copy of a descriptor is.
    assert told(last(*locked, step("kill", ".", actor="c"))) == set()
    # Two that have one lock do not see when the other changes its kind.
    for owner in ("b", "c"):
        assert told(last(*locked, step("dup", "d/f", "c"), step("kill", ".", actor=owner))) == {"write lock f"}


def test_another_kind_of_lock_is_a_change():
    shared, exclusive = (step("flock", "d/f", kind) for kind in ("shared", "exclusive"))
    for change in ((shared, exclusive), (exclusive, shared), (shared, shared)):
        assert told(last(OPEN_F, *change)) == {"write lock f"}
    # Which of two descriptors has the lock nobody knows, so what was once exclusive counts as that.
    assert told(last(OPEN_F, exclusive, shared, step("kill", "."))) == {"write lock f"}


def test_a_lock_that_could_not_be_converted_is_lost():
    denied = step("flock", "d/f", "exclusive", fails=errno.EAGAIN)
    assert told(last(OPEN_F, step("flock", "d/f", "shared"), denied)) == {"write lock f"}


def test_faults():
    assert last(step("mkdir", "d/n", fails=errno.ENOSPC, injected=BEFORE)) == {}
    assert last(step("build-error", "d/n", injected=BEFORE)) == {}
    assert "write entry d/n" in told(last(step("mkdir", "d/n", fails=errno.ENOSPC, injected=AFTER)))
    # The caller of this open never learned of the descriptor, so there is none that a kill could close.
    opened = step("create", "d/n", fails=errno.EINTR, injected=AFTER)
    assert told(last(opened, step("read", "d/n"))) == {"write everything"}


def test_a_renamed_directory_takes_along_what_is_below():
    moved = last(step("rename", "d", "e/n"), step("unlink", "e/n/f"))
    assert {"write entry d/f", "read entry e/n", "add meta f"} <= told(moved)
    # What was there was not removed, so nobody knows where the path would have led before.
    assert told(last(step("rename", "d", "e/n"), step("lstat", "d/f", fails=errno.ENOENT))) == THROUGH_TOP | {
        "through entry cache/d"
    }


GONE = (step("rmdir", "e/k"), step("rmdir", "e"))


@pytest.mark.parametrize("steps", [(), GONE[:1], GONE])
def test_a_path_that_leads_nowhere_leads_as_far_as_it_did_before(steps):
    start = Start(0o755, (*START.found, found("cache/e/k", DIRECTORY, 9)))
    failed = step("lstat", "e/k/n/m", fails=errno.ENOENT)
    first, last_ = follow_in(start, failed, *steps), follow_in(start, *steps, failed)
    assert first[0] == last_[-1]
    for one, other in zip(first[1:], last_[:-1], strict=True):
        assert one == other
        assert not conflict(one, first[0])


def follow_in(start, *steps):
    follower = Follower(start)
    return [follower.follow(item) for item in steps]


@pytest.mark.parametrize(
    ("failed", "removed", "conflicting"),
    [
        (step("lstat", "e/n", fails=errno.ENOENT), step("rmdir", "e"), False),
        # It would have been found.
        (step("lstat", "e", fails=errno.ENOENT), step("rmdir", "e"), True),
        (step("mkdir", "e/n", fails=errno.ENOENT), step("rmdir", "e"), True),
        (step("create", "e/n", fails=errno.ENOENT), step("rmdir", "e"), True),
        (step("mkdir", "e/n/m", fails=errno.ENOENT), step("rmdir", "e"), False),
        # It kept everybody out.
        (step("lstat", "closed/n", fails=errno.ENOENT), step("rmdir", "closed"), True),
        # It was no empty directory.
        (step("lstat", "d/f", fails=errno.ENOENT), step("rename", "d", "n"), True),
        (step("rename", "e/n", "x", fails=errno.ENOENT), step("rmdir", "e"), True),
        (step("lstat", "e/../n", fails=errno.ENOENT), step("rmdir", "e"), True),
    ],
)
def test_whether_a_removal_matters_to_a_path_that_leads_nowhere(failed, removed, conflicting):
    removing, failing = follow_in(START, removed, failed)
    assert conflict(removing, failing) is conflicting


def test_a_removed_directory_that_was_shut_by_a_descriptor_is_an_obstacle():
    steps = (step("opendir", "e", actor="c"), step("rmdir", "e"), step("fchmod", "e", actor="c", mode=0))
    footprints = follow_in(START, *steps, step("lstat", "e/n", fails=errno.ENOENT))
    assert conflict(footprints[1], footprints[3])
    # In the other order it is known to be none, and the change of the mode is in the way of who knows.
    assert conflict(footprints[2], footprints[3])


def test_what_is_made_again_is_no_longer_gone():
    steps = (step("rmdir", "e"), step("mkdir", "e", mode=0o755), step("rename", "e", "x"))
    footprints = follow_in(START, *steps, step("lstat", "e/n", fails=errno.ENOENT))
    assert [conflict(footprints[3], other) for other in footprints[:3]] == [False, True, True]


def test_an_object_keeps_its_number_when_its_name_stands_for_another():
    steps = (OPEN_D, step("rename", "d", "x", actor="c"), step("mkdir", "d", actor="c"))
    by_descriptor = last(*steps, step("mkdir", Relative("d/n", "d", "n")))
    assert told(by_descriptor) == {"read mode d", "write entry d/n", "add listing d"}
    assert "write entry new/n" in told(last(*steps, step("mkdir", "d/n")))
    assert not conflict(by_descriptor, last(*steps, step("mkdir", "d/n")))


def test_two_names_are_one_file():
    assert told(last(step("open", "g"), step("write", "g"))) == {"write data f"}
    written = last(step("link", "z", "n"), step("open", "n"), step("write", "n"))
    assert told(written) == {"write data z"}


def test_a_link_made_in_the_run_is_followed():
    for target in ("d", Relative("d", "e", "../d")):
        assert "read entry d/f" in told(last(step("symlink", "e/n", target), step("stat", "e/n/f")))


def test_two_objects_by_one_path_count_both():
    steps = (step("open", "z"), step("rename", "g", "z", actor="c"), step("open", "z"))
    assert told(last(*steps, step("read", "z"))) == {"read data z", "read data f"}
    assert told(last(*steps, step("close", "z"), step("read", "z"))) == {"read data z", "read data f"}
    # Which of two directories was changed, nobody can say: from here on every step depends on every other.
    moved = (OPEN_D, step("rename", "d", "x", actor="c"), step("mkdir", "d", actor="c"), OPEN_D)
    lost = (*moved, step("mkdir", Relative("d/n", "d", "n")), step("lstat", "z"))
    assert told(last(*lost)) == told(last(*lost[:-1])) == {"write everything"}
    assert conflict(last(*lost), last(step("lstat", "z")))


def test_nothing_but_the_record_is_known_of_what_nobody_looked_at():
    seen = last(step("mkdir", "d/n/m", fails=errno.ENOENT), start=None)
    parts = [(part, name) for part, _, name in seen if name]
    assert parts == [("entry", "cache"), ("entry", "d"), ("entry", "n"), ("entry", "m")]
    # What one call teaches must not depend on the order of independent calls.
    assert ("write", "a") in {(kind, name) for (_, _, name), kind in last(step("link", "a", "b"), start=None).items()}
    # It was there, or it was not.
    kinds = {part: kind for (part, _, name), kind in last(step("create", "f"), start=None).items() if name != "cache"}
    assert kinds == {"mode": "read", "meta": "add", "entry": "write", "data": "write", "listing": "add"}


def test_what_was_kept_must_have_been_there():
    follower = Follower(START)
    follower.follow(step(KEPT, "d/nothing"))
    assert follower.lost


def test_the_times_of_a_directory_are_seen_once_they_are_set():
    assert "read listing d" not in told(last(step("stat", "d")))
    assert "write listing d" in told(last(step("utime", "d")))
    assert "read listing d" in told(last(step("utime", "d"), step("stat", "d")))


def test_outside_is_one_object_and_changing_it_concerns_everybody():
    assert conflict(last(step("chmod", OUTSIDE, mode=0)), last(step("lstat", "z")))
    assert not conflict(last(step("lstat", OUTSIDE)), last(step("lstat", "z")))
    assert told(last(step("chmod", OUTSIDE, mode=0), step("lstat", "z"))) == told(last(step("lstat", "z")))


@pytest.mark.parametrize(
    ("one", "other", "conflicting"),
    [
        (step("mkdir", "d/n"), step("mkdir", "d/m"), False),
        (step("mkdir", "d/n"), step("unlink", "d/f"), False),
        (step("mkdir", "d/n"), step("listdir", "d"), True),
        (step("mkdir", "d/n"), step("rmdir", "d", fails=errno.ENOTEMPTY), True),
        (step("mkdir", "d/n"), step("mkdir", "d/n", fails=errno.EEXIST), True),
        (step("lstat", "d/f"), step("listdir", "d"), False),
        (step("lstat", "d/f"), step("chmod", "d", mode=0o200), True),
        (step("lstat", "d/f"), step("chmod", "d", mode=0o755), False),
        (step("lstat", "d/f"), step("rename", "d", "n"), True),
        (step("link", "d/f", "n"), step("unlink", "g"), False),
        (step("lstat", "d/f"), step("unlink", "g"), True),
        (step("rename", "d", "e/n"), step("lstat", "e/.."), True),
        (step(KEPT, "d/f"), step("lstat", "d/f"), False),
        (step(KEPT, "d/f"), step(KEPT, "d/f"), False),
        (step(KEPT, "d/f"), step("create", "d/f"), False),
        (step(KEPT, "d/f"), step("chmod", "d/f", mode=0o200), True),
        (step(KEPT, "d/f"), step("unlink", "d/f"), True),
        (step("create", "d/f"), step("lstat", "d/f"), True),
    ],
)
def test_conflicts(one, other, conflicting):
    left, right = last(one), last(other)
    assert conflict(left, right) is conflict(right, left) is conflicting
