"""The story of a poisoning, found backwards from its effect."""

from __future__ import annotations

import errno

from simulator.explain import explain_poisoning
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


def test_a_retry_that_succeeds_is_no_poisoning():
    healed = list(POISONING)
    healed[8] = step("build-1", "rmdir", DIRECTORY)
    assert explain_poisoning(healed) is None


def test_a_remover_that_was_killed_before_its_retry_is_one():
    assert explain_poisoning(POISONING[:8]).path == DIRECTORY


def test_ordinary_modes_are_none():
    assert explain_poisoning([step("build-1", "chmod", "entry/a.py", mode=0o644)]) is None
    assert explain_poisoning([]) is None


def test_it_is_told_in_a_dozen_lines_of_one_column_an_actor():
    text = render_story(explain_poisoning(POISONING), 100)
    lines = text.splitlines()
    assert len(lines) <= 12
    assert all(len(line) <= 100 for line in lines)
    header = next(line for line in lines if "build-1" in line and "build-3" in line and "step" in line)
    for line in lines[lines.index(header) + 1 :]:
        number = int(line.split()[0])
        actor = POISONING[number - 1][0]
        assert line[header.index(actor) :].startswith(line.split(maxsplit=1)[1].split(" ")[0])
        assert " -> " in line
