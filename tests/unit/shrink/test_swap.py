"""Which two steps must not swap: found, tried, told."""

from __future__ import annotations

import fcntl
import os

import pytest

from simulator.errors import BadInputError
from simulator.explaining.poisoning import line_of
from simulator.explaining.swap import Swap, common_directory, explain_by_swap, told
from simulator.report.story import columns
from simulator.report.swap import render_swap
from simulator.shrink.budget import Limits
from simulator.shrink.keep import Poisoned, SameViolation, poisoned_in
from simulator.shrink.shrinking import shrink
from simulator.strategies.replay import Replay
from tests.support.toys import ToySubject, checks_then_writes, failed, waits, wanders

pytestmark = pytest.mark.slow
FREELY = Limits(replays=1000, budget_seconds=1e9)


def test_the_poisoning_of_the_report(within):
    async def check(subject):
        trial = await subject.trial(0, strategy=Replay("b1:18,b2:5,b1"))
        assert poisoned_in(trial)
        told = await explain_by_swap(subject, trial, quick=subject.storm_alone(), limits=FREELY)
        assert told.kept == "poisoned directory"
        assert len(told.swaps) == 1
        (swap,) = told.swaps
        assert (swap.first[0], swap.first[2]) == ("build-2", "mkdir")
        assert (swap.second[0], swap.second[2]) == ("build-1", "rmdir")
        # Side by side in the run that is shown, which is the same run.
        assert told.pair.second == told.pair.first + 1
        assert [told.steps[place] for place in told.pair] == [swap.first, swap.second]
        assert told.instead == ("build-hurt:mkdir:ENOENT",)
        assert told.sentence == (
            "if build-1's rmdir of wheel had come before build-2's mkdir of wheel/package, there would be no poisoned"
            " directory (but build-hurt:mkdir:ENOENT)"
        )
        lines = render_swap(told, 100)
        assert lines[3].split() == ["step", "build-1", "build-2"]
        (closed,) = [line for line in lines if "the other way round" in line]
        assert "mkdir wheel/package -> ok" in closed
        assert lines[lines.index(closed) + 1].endswith("no poisoned directory")
        assert max(map(len, lines)) <= 100

    within(check)


def test_a_single_swap_has_a_picture_however_it_was_found(within):
    async def check(subject):
        trial = await subject.trial(0, strategy=Replay("b1:35,b2:43,b1:11,b2:3"))
        told = await explain_by_swap(subject, trial, quick=subject.storm_alone(), limits=FREELY)
        # No pair does it by itself; that build-2 was not interrupted was only one pair the other way round.
        assert told.kept == "build-hurt:chmod:ENOENT"
        assert [swap.second[2:4] for swap in told.swaps] == [("lstat", told.swaps[0].first[3])]
        assert [told.steps[place][2] for place in told.pair] == ["rmdir", "lstat"]
        assert render_swap(told, 100)[3].split() == ["step", "build-1", "build-2"]

    within(check, "issue-3515-real")


def test_what_people_are_told_of_a_violation_does_not_decide_what_passes(within):
    async def check(subject):
        trial = await subject.trial(0, strategy=Replay("b1:18,b2:5,b1"))
        kind = "build-hurt:rmdir:ENOTEMPTY"
        plain = await explain_by_swap(subject, trial, keep=SameViolation(kind), limits=FREELY)
        told = await explain_by_swap(subject, trial, keep=SameViolation(kind, "in words"), limits=FREELY)
        assert (told.swaps, told.instead, told.replays) == (plain.swaps, plain.instead, plain.replays)
        # Another violation of the same oracle is no run that passes.
        assert plain.replays > 1
        assert told.kept == "'in words'"

    within(check)


def test_every_shrunk_poisoning_has_such_a_pair(within):
    async def check(subject):
        found, seed = 0, 0
        while found < 5:
            trial = await subject.trial(seed)
            seed += 1
            if not poisoned_in(trial):
                continue
            found += 1
            shrunk = await shrink(subject, trial, keep=Poisoned(), limits=FREELY)
            told = await explain_by_swap(subject, shrunk.trial, keep=Poisoned(), limits=FREELY)
            assert len(told.swaps) == 1
            assert told.pair is not None

    within(check)


def test_a_run_that_passes_has_nothing_to_explain(within):
    async def check(subject):
        trial = await subject.trial(0)
        while trial.violations:
            trial = await subject.trial(trial.seed + 1)
        with pytest.raises(BadInputError, match="the run passes"):
            await explain_by_swap(subject, trial)

    within(check)


def test_other_peoples_actors_are_explained_too(tmp_path):
    functions = {"alice": checks_then_writes, "bob": checks_then_writes, "carol": wanders}
    subject = ToySubject(tmp_path / "toys", functions, failed)

    async def check():
        trial = await subject.trial(0, strategy=Replay("b:1,a,b"))
        assert trial.signature == "FileExistsError"
        told = await explain_by_swap(subject, trial)
        assert told.sentence == (
            "if alice's create-excl of entry had come before bob's stat of entry, there would be no FileExistsError,"
            " and the run would pass"
        )

    waits(check)


def test_if_no_swap_of_two_does_it_the_set_is_told(tmp_path):
    # The reader fails if *either* name is there, so it must come before both of the writer's steps.
    def reads(kernel, cache):
        for name in kernel.listdir(cache):
            raise ValueError(name)

    def writes(kernel, cache):
        kernel.mkdir(f"{cache}/one")
        kernel.mkdir(f"{cache}/two")

    subject = ToySubject(tmp_path / "toys", {"reads": reads, "writes": writes}, failed)

    async def check():
        trial = await subject.trial(0, strategy=Replay("w,r"))
        assert trial.signature == "ValueError"
        told = await explain_by_swap(subject, trial)
        assert [(swap.second[0], swap.first[3]) for swap in told.swaps] == [("reads", "two"), ("reads", "one")]
        assert told.pair is None
        assert told.sentence.startswith("no single swap does it; the smallest set that was found is of 2: if reads's")
        assert render_swap(told, 100)[0].startswith("No single swap does it")

    waits(check)


@pytest.mark.parametrize("everybody", [False, True])
def test_no_swap_is_told_where_only_the_absence_of_an_actor_passes(tmp_path, everybody):
    def appends(kernel, cache):
        fd = kernel.open(f"{cache}/z", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        kernel.write(fd, b"line\n")
        kernel.close(fd)

    def two_lines(cache, arena):
        with open(f"{cache}/z") as file:
            return ["two lines"] if len(file.readlines()) == 2 else []

    subject = ToySubject(tmp_path / "toys", {"left": appends, "right": appends}, two_lines)

    async def check():
        told = await explain_by_swap(subject, await subject.trial(0), everybody=everybody, limits=FREELY)
        assert (told.swaps, told.complete) == ((), True)
        assert told.sentence.startswith("no swap of steps was found without two lines")

    waits(check)


def test_a_kill_is_told_only_if_it_takes_it(tmp_path):
    def fails_or_half(cache, arena):
        half = os.path.isdir(f"{cache}/half") and not os.path.exists(f"{cache}/half/file")
        return (["half"] if half else []) + failed(cache, arena)

    def maker(kernel, cache):
        kernel.mkdir(f"{cache}/half")
        kernel.close(kernel.open(f"{cache}/half/file", os.O_CREAT | os.O_WRONLY))

    functions = {"maker": maker, "alice": checks_then_writes, "bob": checks_then_writes}
    subject = ToySubject(tmp_path / "toys", functions, fails_or_half)

    async def check():
        trial = await subject.trial(0, strategy=Replay("m:2x,b:1,a,b"))
        assert trial.signature == "half; FileExistsError"
        told = await explain_by_swap(subject, trial, keep=SameViolation("FileExistsError"), limits=FREELY)
        assert (len(told.swaps), told.kills) == (1, ())
        # The oracle has two things to say, and a kill is not all that it takes to have it say nothing.
        both = await explain_by_swap(subject, trial, keep=SameViolation("half"), limits=FREELY)
        assert both.kills == ()
        alone = await subject.trial(0, strategy=Replay("m:2x,a,b"))
        told = await explain_by_swap(subject, alone, limits=FREELY)
        assert told.sentence == (
            "if maker were not killed before its create of half/file, there would be no half, and the run would pass"
        )
        assert (told.found, told.swaps, told.replays) == (True, (), 1)
        assert told.document()["kills"][0]["actor"] == "maker"

    waits(check)


def test_if_nothing_does_it_that_is_said(tmp_path):
    def always(cache, arena):
        return ["broken"]

    subject = ToySubject(tmp_path / "toys", {"alice": checks_then_writes, "bob": checks_then_writes}, always)

    async def check():
        told = await explain_by_swap(subject, await subject.trial(0), limits=FREELY)
        assert told.swaps == ()
        assert told.complete
        assert told.sentence.startswith("no swap of steps was found without broken: everything that could be was tried")

    waits(check)


def test_the_replays_end_it(tmp_path):
    subject = ToySubject(
        tmp_path / "toys",
        {"alice": checks_then_writes, "bob": checks_then_writes, "carol": wanders},
        lambda cache, arena: ["broken"],
    )

    async def check():
        told = await explain_by_swap(subject, await subject.trial(0), limits=Limits(1, 1e9))
        assert not told.complete
        assert "not everything that could be was tried" in told.sentence

    waits(check)


def test_a_kill_that_is_one_of_the_two_is_told_as_one(tmp_path):
    def locks(kernel, cache):
        fd = kernel.open(f"{cache}/lock", os.O_CREAT | os.O_RDWR)
        kernel.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kernel.close(fd)

    functions = {"alice": locks, "bob": locks}
    subject = ToySubject(tmp_path / "toys", functions, lambda cache, arena: failed(cache, arena) or ["held"])
    steps = []

    async def check():
        trial = await subject.trial(0, strategy=Replay("a:3x,b"))
        steps.extend(trial.storm)

    waits(check)
    killed = next(step for step in steps if step[2] == "kill")
    locked = next(step for step in steps if step[:3:2] == ("bob", "flock"))
    assert told([Swap(killed, locked)]) == "bob's flock of lock had come before the kill of alice"
    line = line_of(steps, steps.index(killed), "", "")
    assert (line.text, line.result) == ("alice is killed here", "")
    row, note = columns([line], 100)[1]
    assert (row.split(maxsplit=1)[1], note) == ("alice is killed here", "")


@pytest.mark.parametrize(
    ("paths", "above"),
    [
        (["a/b/c", "a/b"], "a/"),
        (["a/b/c", "a/b/d"], "a/b/"),
        (["a/b", "c/d"], ""),
        (["ab/x", "a/x"], ""),
        (["x"], ""),
    ],
)
def test_paths_are_told_as_short_as_can_be(paths, above):
    assert common_directory(paths) == above
