"""Shrinking: the same failure, never larger, and an end."""

from __future__ import annotations

import pytest

from simulator.errors import BadInputError
from simulator.schedule import codes_of, parse_segments, segments_of
from simulator.shrink.budget import Limits
from simulator.shrink.keep import Poisoned, SameViolation, keep_of, poisoned_in, signature_to_ask
from simulator.shrink.shrinking import shrink, size_of
from simulator.strategies.replay import Replay
from tests.support.toys import ToySubject, checks_then_writes, failed, waits, wanders

pytestmark = pytest.mark.slow
FREELY = Limits(replays=1000, budget_seconds=1e9)


async def poisoned_runs(subject, count):
    found, seed = [], 0
    while len(found) < count:
        trial = await subject.trial(seed)
        seed += 1
        if poisoned_in(trial):
            found.append(trial)
    return found


def test_a_poisoning_becomes_four_turns_of_two_builds(within):
    async def check(subject):
        for trial in await poisoned_runs(subject, 4):
            shrunk = await shrink(subject, trial, keep=Poisoned(), limits=FREELY)
            assert poisoned_in(shrunk.trial) == tuple(item.path for item in shrunk.trial.report.residue.poisoned) != ()
            assert (shrunk.after.turns, shrunk.after.actors) == (4, 2)
            assert shrunk.complete
            assert shrunk.before == size_of(trial)
            assert not size_of(trial).is_smaller_than(shrunk.after)
            assert len(shrunk.segments) <= 16
            assert shrunk.trial.seed == 0
            again = await subject.trial(0, strategy=Replay(shrunk.segments))
            assert again.storm == shrunk.trial.storm
            assert again.token == shrunk.trial.token
            assert shrunk.segments in again.token

    within(check)


def test_every_kind_of_violation_stays_what_it_is(within):
    async def check(subject):
        kinds = {}
        for seed in range(30):
            trial = await subject.trial(seed)
            for violation in trial.violations:
                kinds.setdefault(violation.signature, trial)
        assert len(kinds) >= 5
        for signature, trial in kinds.items():
            keep = SameViolation(signature)
            shrunk = await shrink(subject, trial, keep=keep, quick=subject.storm_alone(), limits=FREELY)
            assert signature in {violation.signature for violation in shrunk.trial.violations}
            assert shrunk.after.turns <= min(5, shrunk.before.turns)
            assert shrunk.complete

    within(check)


def test_shrinking_again_changes_nothing(within):
    async def check(subject):
        (trial,) = await poisoned_runs(subject, 1)
        once = await shrink(subject, trial, limits=FREELY)
        twice = await shrink(subject, once.trial, limits=FREELY)
        assert (twice.trial.token, twice.after) == (once.trial.token, once.after)
        assert twice.complete

    within(check)


def test_the_clock_ends_it(within):
    now = [0.0]

    def clock():
        now[0] += 1.0
        return now[0]

    async def check(subject):
        (trial,) = await poisoned_runs(subject, 1)
        shrunk = await shrink(subject, trial, keep=Poisoned(), limits=Limits(1000, 4.0), clock=clock)
        # Each look at the clock takes a second of it: at its beginning, and before each try.
        assert not shrunk.complete
        assert 1 <= shrunk.replays <= 6
        assert poisoned_in(shrunk.trial)

    within(check)


@pytest.mark.parametrize("replays", [1, 3, 6])
def test_the_replays_end_it_and_it_goes_on_from_there(within, replays):
    async def check(subject):
        trial = (await poisoned_runs(subject, 2))[-1]
        straight = await shrink(subject, trial, keep=Poisoned(), limits=FREELY)
        state, sizes = None, [size_of(trial)]
        for _ in range(60):
            part = await shrink(subject, trial, keep=Poisoned(), limits=Limits(replays, 1e9), state=state)
            # And one or two to write it down.
            assert part.replays <= replays + 2
            assert poisoned_in(part.trial)
            assert not sizes[-1].is_smaller_than(part.after)
            sizes.append(part.after)
            state = part.state
            if part.complete:
                break
        assert part.complete
        assert part.after == straight.after

    within(check)


def test_a_run_that_passes_is_refused(within):
    async def check(subject):
        trial = await subject.trial(0)
        while trial.violations:
            trial = await subject.trial(trial.seed + 1)
        with pytest.raises(BadInputError, match="the run passes"):
            await shrink(subject, trial)

    within(check)


def test_what_is_kept(within):
    async def check(subject):
        (trial,) = await poisoned_runs(subject, 1)
        (path,) = poisoned_in(trial)
        assert keep_of(trial) == Poisoned()
        assert keep_of(trial, same_directory=True) == Poisoned(path)
        assert keep_of(trial, same_directory=True).told == f"poisoned directory {path}"
        signature = trial.violations[0].signature
        assert keep_of(trial, signature=signature) == SameViolation(signature)
        with pytest.raises(BadInputError, match="has no violation 'wheel-lost'; it has build-hurt:"):
            keep_of(trial, signature="wheel-lost")
        hurt = await subject.trial(2)
        assert keep_of(hurt) == SameViolation("build-hurt:chmod:ENOENT")
        with pytest.raises(BadInputError, match="no poisoned directory"):
            keep_of(hurt, same_directory=True)

    within(check)


def test_what_a_replay_has_to_be_asked_for(within):
    async def check(subject):
        trial = await subject.trial(0, strategy=Replay("b1:35,b2:43,b1:11,b2:3"))
        usual, other = (violation.signature for violation in trial.violations)
        for keep in (SameViolation(usual), SameViolation(other)):
            shrunk = await shrink(subject, trial, keep=keep, limits=FREELY)
            assert shrunk.signature == (None if keep_of(shrunk.trial) == keep else keep.signature)
        assert shrunk.signature == "wheel-whole:built:missing"
        assert signature_to_ask(Poisoned("x"), trial) is None

    within(check, "issue-3515-real")


# Subjects that are no scenarios.


def toys(tmp_path, **others):
    functions = {"alice": checks_then_writes, "bob": checks_then_writes, "carol": wanders, **others}
    return ToySubject(tmp_path / "toys", functions, failed)


async def failing(subject):
    for seed in range(100):
        trial = await subject.trial(seed)
        if trial.violations:
            return trial
    raise AssertionError("no seed fails")


def test_other_peoples_actors_shrink_too(tmp_path):
    subject = toys(tmp_path, dave=checks_then_writes, erin=wanders)

    async def check():
        trial = await failing(subject)
        shrunk = await shrink(subject, trial, limits=FREELY)
        assert shrunk.kept == "FileExistsError"
        assert shrunk.after.actors == 2
        assert shrunk.after.turns == 3
        assert [segment.code for segment in parse_segments(shrunk.segments)][-1] == "-"
        assert shrunk.trial.token == shrunk.segments
        assert shrunk.trial.signature == "FileExistsError"

    waits(check)


def test_everybody_takes_part_if_that_is_asked_for(tmp_path):
    def oracle(cache, arena):
        import os

        return failed(cache, arena) or (["nothing there"] if not os.path.exists(f"{cache}/entry") else [])

    functions = {"alice": checks_then_writes, "bob": checks_then_writes, "carol": wanders}
    subject = ToySubject(tmp_path / "toys", functions, oracle)

    async def check():
        trial = await failing(subject)
        shrunk = await shrink(subject, trial, everybody=True, limits=FREELY)
        assert (shrunk.kept, shrunk.after.actors, shrunk.after.turns) == ("FileExistsError", 3, 4)
        assert "-" not in shrunk.segments
        assert shrunk.complete

    waits(check)


def test_a_kill_that_is_not_needed_is_dropped_and_one_that_is_stays(tmp_path):
    from simulator.engine.faults import parse_fault

    def oracle(cache, arena):
        # Whoever is killed with the directory made and the file not.
        import os

        return ["half"] if os.path.isdir(f"{cache}/half") and not os.path.exists(f"{cache}/half/file") else []

    def maker(kernel, cache):
        import os

        kernel.mkdir(f"{cache}/half")
        kernel.close(kernel.open(f"{cache}/half/file", os.O_CREAT | os.O_WRONLY))

    subject = ToySubject(tmp_path / "toys", {"maker": maker, "one": wanders, "two": checks_then_writes}, oracle)

    async def check():
        kills = tuple(map(parse_fault, ("maker:2:kill", "one:3:kill")))
        trial = await subject.trial(0, kills=kills)
        assert size_of(trial).injected == 2
        shrunk = await shrink(subject, trial, limits=FREELY)
        assert shrunk.segments == "m:2x,-"
        assert shrunk.after.injected == 1
        assert codes_of(["maker", "one", "two"])["maker"] == "m"
        assert segments_of(shrunk.trial.storm)[0].killed

    waits(check)
