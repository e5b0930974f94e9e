"""Schedules as text: what is written can be read, and what is read is followed."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import BadInputError, DivergenceError
from simulator.schedule import NOBODY_ELSE, Segment, codes_of, compact, format_segments, parse_segments, segments_of
from simulator.strategies.replay import Replay
from tests.support.arena import Arena

LENGTHS = st.integers(1, 10**6)
CODES = st.sampled_from(["b1", "b12", "c", "w3", "reader_2", "a_7"])
FAULTS = st.sampled_from(["ENOSPC", "EIO:after", "ENOSPC:short", "build-error", "stall"])
SEGMENTS = st.one_of(
    st.builds(Segment, CODES, st.none()),
    st.builds(Segment, CODES, LENGTHS, st.booleans()),
    st.builds(Segment, CODES, LENGTHS, st.just(False), FAULTS),
)


@given(st.lists(SEGMENTS, min_size=1), st.booleans())
def test_what_is_written_is_read(segments, alone):
    segments = [*segments, *[Segment(NOBODY_ELSE, None)] * alone]
    text = format_segments(segments)
    assert parse_segments(text) == segments
    assert not set(text) & set(" !*?[]{}()$&;|<>\"'`\\~#")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("b1:0", "b1:0"),
        ("b1:3,", ""),
        ("-", "-"),
        ("b1:3,-,b2", "-"),
        ("b1:3!", "b1:3!"),
        ("b1:3@ENOENT", "b1:3@ENOENT"),
        ("b1:3@kill", "b1:3@kill"),
        ("b1:3@ENOSPC:never", "b1:3@ENOSPC:never"),
        ("b1@EIO", "b1@EIO"),
        ("B1:3", "B1:3"),
    ],
)
def test_what_is_no_segment_is_named(text, part):
    with pytest.raises(BadInputError, match="schedule segment") as told:
        parse_segments(text)
    assert told.value.value == part


def test_codes_are_short_unless_two_would_share_one():
    assert codes_of(["build-1", "build-12", "cleaner", "cleaner-2", "worker-1"]) == {
        "build-1": "b1",
        "build-12": "b12",
        "cleaner": "c",
        "cleaner-2": "c2",
        "worker-1": "w1",
    }
    assert codes_of(["reader", "remover", "writer"]) == {"reader": "reader", "remover": "remover", "writer": "w"}
    assert codes_of(["a.b", "a-b", "3rd"]) == {"a.b": "a1", "a-b": "a2", "3rd": "a3"}


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
def test_every_actor_has_a_code_of_its_own_that_can_be_read(names):
    codes = codes_of(names)
    assert list(codes) == names
    assert len(set(codes.values())) == len(names)
    for code in codes.values():
        assert parse_segments(f"{code}:3") == [Segment(code, 3)]


def step(actor, operation="mkdir", *, injected=None, number=None):
    return (actor, "start", operation, "x", None, None, number, None, injected)


ACTORS = ["build-1", "build-2", "build-3"]


@pytest.mark.parametrize(
    ("movers", "text"),
    [
        # Whoever is left alone needs no telling, if it has begun.
        ("1 1 2 1", "b1:2,b2"),
        ("1 1 2 2 1 2", "b1:2,b2:2,b1"),
        ("1 2", "b1,b2"),
        ("1 1", "b1"),
        # Killed before it began, after all others: it takes no part.
        ("1 2 1 3x", "b1:1,b2,-"),
        ("1 2x 3x", "b1,-"),
        # Killed in the middle of it, or before others: it does.
        ("1 3 2 3x", "b1,b3:1,b2,b3:1x"),
        ("3x 1 2 1", "b3:1x,b1:1,b2"),
    ],
)
def test_a_run_as_the_shortest_schedule(movers, text):
    steps = [step(f"build-{mover[0]}", "kill" if mover.endswith("x") else "mkdir") for mover in movers.split()]
    assert format_segments(compact(steps, ACTORS)) == text


def test_what_was_injected_is_in_the_schedule():
    steps = [
        step("build-1"),
        step("build-1", injected="before", number=errno.ENOSPC),
        step("build-1", "exit"),
        step("build-2", "write", injected="short"),
        step("build-2", "build-error", injected="before"),
        step("build-2", "rmdir", injected="after", number=errno.EIO),
        step("build-2"),
    ]
    assert format_segments(segments_of(steps)) == "b1:2@ENOSPC,b2:1@ENOSPC:short,b2:1@build-error,b2:1@EIO:after,b2:1"


# Followed.


def walker(cache, name):
    def walk(kernel):
        for number in range(4):
            try:
                kernel.mkdir(f"{cache}/{name}{number}")
            except OSError as error:
                kernel.mkdir(f"{cache}/{name}-{error.errno}")
        kernel.stat(f"{cache}")

    return walk


def followed(tmp_path, text, **options):
    actors = {f"build-{number}": walker(tmp_path / "cache", number) for number in (1, 2, 3)}
    return Arena(tmp_path, actors, strategy=Replay(text), **options).run()


def movers(arena):
    return format_segments(segments_of(arena.steps))


def test_nobody_else_takes_part(tmp_path):
    arena = followed(tmp_path, "b3:2,b1:1,b3,-")
    assert movers(arena) == "b3:2,b1:1,b3:3,b1:4,b2:1x"
    assert arena.party("build-2").actor.killed
    assert format_segments(compact(arena.steps, ACTORS)) == "b3:2,b1:1,b3,-"


def test_a_failure_of_the_schedule_strikes_where_it_says(tmp_path):
    arena = followed(tmp_path, "b1:2@ENOSPC,b1:1,b2:1")
    assert [(item[3], item[6]) for item in arena.steps[:3]] == [("10", None), ("11", errno.ENOSPC), ("1-28", None)]
    assert movers(arena).startswith("b1:2@ENOSPC,b1:1,b2:5")


def test_what_the_scenario_injects_there_anyhow_is_not_injected_twice(tmp_path):
    arena = followed(tmp_path, "b1:2@ENOSPC,b1:1,b2", faults=["build-1:2:ENOSPC"])
    assert [step[6] for step in arena.steps].count(errno.ENOSPC) == 1


def test_a_failure_that_this_call_never_has_is_a_divergence(tmp_path):
    with pytest.raises(DivergenceError, match=r"build-1 moves, but it is about to stat, which never fails with ENOSPC"):
        followed(tmp_path, "b1:5@ENOSPC")


def test_a_divergence_names_the_call_that_waits(tmp_path):
    import fcntl
    import os

    def lock(kernel):
        fd = kernel.open(f"{tmp_path}/cache/lock", os.O_RDWR | os.O_CREAT)
        kernel.flock(fd, fcntl.LOCK_EX)
        kernel.close(fd)

    arena = Arena(tmp_path, {"build-1": lock, "build-2": lock}, strategy=Replay("b1:2,b2:3"))
    with pytest.raises(DivergenceError, match=r"build-2 moves, but it is blocked before its flock of lock"):
        arena.run()
