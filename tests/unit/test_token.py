"""Tokens: one line, checked, refused when damaged."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.engine.trace import Fingerprint
from simulator.errors import BadInputError
from simulator.token import CHARACTERS_MAX, LONG, SHORT, Token, parse_token, token_for

NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
DIGESTS = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
TRACES = st.builds(
    Fingerprint,
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    st.integers(0, 10**8),
    st.from_regex(r"[a-z2-7]{8}", fullmatch=True),
)
TRACE = Fingerprint("9a8b7c6d5e4f3a2b", 22_363, "abcdefgh")
SEGMENTS = st.sampled_from(["", "b4:10", "b4:10,c:11,b7:10,c"])


@given(NAMES, DIGESTS, st.integers(0, 10**6), SEGMENTS, TRACES)
def test_a_token_survives_the_round_trip(name, digest, seed, segments, trace):
    token = Token(name, digest, seed, segments, trace)
    assert parse_token(f" {token}\n") == token


@given(st.data())
def test_one_changed_character_is_noticed_or_is_another_run(data):
    token = str(Token("issue-3515", "1f2e3d4c", 7, "", TRACE))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_characters=token[place], categories=["L", "N"]))
    damaged = token[:place] + other + token[place + 1 :]
    with contextlib.suppress(BadInputError):
        # One check character catches 31 of 32 slips; the digests catch the rest before anything runs.
        assert str(parse_token(damaged)) == damaged


@given(
    NAMES, DIGESTS, st.integers(0, 10**6), st.sampled_from(["", "b1:2402,b2:2434@ENOSPC,b1,-", "s7", "s7,b1:3"]), TRACES
)
def test_the_form_that_is_shown_survives_it_too(name, digest, seed, segments, trace):
    token = token_for(name, digest, seed, segments, trace)
    assert parse_token(f" {token}\n") == token
    assert token.form == (SHORT if segments else LONG)
    assert (token.seed, token.segments) == (seed, segments)
    assert token.scenario_digest == token.digest_of(digest)
    assert token.has_trace(trace)


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200),
    DIGESTS,
    st.integers(0, 2**64),
    TRACES,
)
def test_a_seed_always_fits_a_line(name, digest, seed, trace):
    token = token_for(name, digest, seed, "", trace)
    assert len(str(token)) <= CHARACTERS_MAX
    assert token.fits
    again = parse_token(str(token))
    assert (again.seed, again.segments) == (seed, "")
    # A name that is cut is one of a file, which the replay line names.
    assert name.startswith(again.scenario)
    assert again.scenario == name or len(name) > 40


def test_a_shrunk_schedule_of_eight_builds_is_a_short_line():
    token = token_for("issue-3515", "1f2e3d4c", 0, "b1:2135,b3:806,b1,-", TRACE)
    assert len(str(token)) == 44
    assert str(token).startswith("cs2.issue-3515.")
    assert "b1:2135,b3:806,b1,-" in str(token)


def test_another_schedule_scenario_or_trace_has_another_token():
    def told(digest="1f2e3d4c", segments="b1:3,b2", trace=TRACE):
        return str(token_for("issue-3515", digest, 0, segments, trace)).split(".", 2)[2]

    other = Fingerprint("8a8b7c6d5e4f3a2b", 22_363, "abcdefgh")
    assert len({told(), told(digest="1f2e3d4d"), told(segments="b1:4,b2"), told(trace=other)}) == 4
    assert not token_for("x", "1f2e3d4c", 0, "b1", TRACE).has_trace(other)


def test_a_token_of_before_is_still_read():
    token = parse_token("cs1.issue-3515.1f2e3d4c.s7_b4:10,c.9a8b7c6d5e4f3a2b.h97abcdefgh.x")
    assert (token.seed, token.segments, token.form) == (7, "b4:10,c", LONG)


@pytest.mark.parametrize(
    "text", ["", "x", "cs1", "cs1.a.b", "cs3.issue-3515.1f2e3d4c.s7.9a8b7c6d5e4f3a2b.k", "cs1.a.b.c.d.e"]
)
def test_what_is_no_token_is_refused_with_its_value(text):
    with pytest.raises(BadInputError, match=f"'{text}' is neither a file nor a token"):
        parse_token(text)


@pytest.mark.parametrize(
    "text",
    [
        "cs1.issue-3515.1f2e3d4c.s8.9a8b7c6d5e4f3a2b.habcdefgh.!",
        "cs2.issue-3515.abcd.b1:3,b2,-.abc!",
        "cs2.issue-3515.abcd.s7.abc!",
    ],
)
def test_a_damaged_token_says_so(text):
    with pytest.raises(BadInputError, match="check character"):
        parse_token(text)


@pytest.mark.parametrize(
    "text",
    ["cs2", "cs2.a.b", "cs2.issue-3515.abcd.b1;rm.abcd", "cs2.issue-3515.abc.b1:3.abcd", "cs2..abcd.b1:3.abcdef"],
)
def test_what_is_no_short_token_is_refused_with_its_value(text):
    with pytest.raises(BadInputError, match=f"'{text}' is neither a file nor a token"):
        parse_token(text)
