"""The story of a poisoning, found backwards from its effect."""

from __future__ import annotations

import errno

import pytest

from simulator.explaining.poisoning import explain_poisoning
from simulator.report.story import render_story

WHEEL = "entry/build/bdist.linux-x86_64/wheel"
DIRECTORY = f"{WHEEL}/package"


def step(actor, operation, path, number=None, *, mode=None, detail=None):
    return (actor, "rmtree", operation, path, None, mode, number, detail, None)


POISONING = [
    step("build-1", "create", f"{DIRECTORY}/a.py"),
    step("build-1", "scandir", DIRECTORY, detail=("a.py",)),
    step("build-1", "unlink", f"{DIRECTORY}/a.py"),
    step("build-3", "mkdir", f"{WHEEL}/elsewhere"),
    step("build-2", "create", f"{DIRECTORY}/b.py"),
    step("build-1", "rmdir", DIRECTORY, errno.ENOTEMPTY),
    step("build-2", "write", f"{DIRECTORY}/b.py"),
    step("build-1", "chmod", DIRECTORY, mode=0o200),
    step("build-1", "rmdir", DIRECTORY, errno.ENOTEMPTY),
    step("build-2", "create", f"{DIRECTORY}/c.py", errno.EACCES),
    step("build-3", "listdir", DIRECTORY, errno.EACCES),
    step("build-4", "listdir", DIRECTORY, errno.EACCES),
]


def test_it_picks_the_steps_that_matter():
    story = explain_poisoning(POISONING)
    assert story.path == DIRECTORY
    assert story.mode == 0o200
    assert [(line.step, line.actor, line.text, line.result) for line in story.lines] == [
        (2, "build-1", "list package", "1 name"),
        (5, "build-2", "create package/b.py", "ok"),
        (6, "build-1", "rmdir package", "ENOTEMPTY"),
        (8, "build-1", "chmod package 0200", "ok"),
        (9, "build-1", "rmdir package", "ENOTEMPTY"),
        (10, "build-2", "create package/c.py", "EACCES"),
        (11, "build-3", "list package", "EACCES"),
    ]
    assert story.culprits == ("build-1", "build-2")


def test_each_step_says_what_it_means():
    assert [line.note for line in explain_poisoning(POISONING).lines] == [
        "removes what it sees here",
        "too late to be seen",
        "its error handler runs",
        "meant to make it writable",
        "gives up: d-w------- stays",
        "locked out",
        "locked out",
    ]


def test_a_retry_that_succeeds_is_no_poisoning():
    healed = list(POISONING)
    healed[8] = step("build-1", "rmdir", DIRECTORY)
    assert explain_poisoning(healed) is None


def test_a_remover_that_was_killed_before_its_retry_is_one():
    assert explain_poisoning(POISONING[:8]).path == DIRECTORY


def test_ordinary_modes_are_none():
    assert explain_poisoning([step("build-1", "chmod", "entry/a.py", mode=0o644)]) is None
    assert explain_poisoning([]) is None


def told(width, steps=POISONING):
    """A story as text: its lines, the header, the rows below it."""
    lines = render_story(explain_poisoning(steps), width).splitlines()
    header = next(place for place, line in enumerate(lines) if line.startswith(" step"))
    return lines, lines[header], lines[header + 1 :]


def test_it_is_told_in_a_dozen_lines_of_one_column_an_actor():
    lines, header, rows = told(100)
    assert len(lines) <= 12
    assert all(len(line) <= 100 for line in lines)
    assert [name for name in header.split() if name != "step"] == ["build-1", "build-2", "build-3"]
    for row in rows:
        number = int(row.split()[0])
        actor = POISONING[number - 1][0]
        assert row[header.index(actor) :].startswith(row.split(maxsplit=1)[1].split(" ")[0])
        assert " -> " in row


@pytest.mark.parametrize("width", [80, 100, 200])
def test_what_a_step_means_stands_beside_it_in_one_column(width):
    _, _, rows = told(width)
    notes = [line.note for line in explain_poisoning(POISONING).lines]
    assert [row.rpartition("   ")[2] for row in rows] == notes
    assert len({len(row) - len(note) for row, note in zip(rows, notes, strict=True)}) == 1
    assert max(map(len, rows)) <= width


def test_a_note_without_room_is_left_out_and_nothing_is_cut():
    long = [
        tuple(item.replace("c.py", "c" * 50) if isinstance(item, str) else item for item in row) for row in POISONING
    ]
    lines, _, rows = told(100, long)
    assert max(map(len, lines)) <= 100
    (row,) = [row for row in rows if "c" * 50 in row]
    assert row.endswith("-> EACCES")
    assert rows[0].endswith("   removes what it sees here")
    # Narrower than the steps themselves: they are told in full, under the names of who makes them.
    _, header, rows = told(40, long)
    assert header == " step  build-1 build-2 build-3"
    assert all(row.endswith((" names", " name", "ok", "EACCES", "ENOTEMPTY")) for row in rows)
