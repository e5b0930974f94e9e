"""Tokens: one line, checked, refused when damaged."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.engine.trace import Fingerprint
from simulator.errors import BadInputError
from simulator.token import Token, parse_token

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


def test_it_is_short_enough_to_paste():
    assert len(str(Token("issue-3515", "1f2e3d4c", 123_456, "", TRACE))) <= 80


@pytest.mark.parametrize(
    "text", ["", "x", "cs1", "cs1.a.b", "cs3.issue-3515.1f2e3d4c.s7.9a8b7c6d5e4f3a2b.k", "cs1.a.b.c.d.e"]
)
def test_what_is_no_token_is_refused_with_its_value(text):
    with pytest.raises(BadInputError, match=f"'{text}' is neither a file nor a token"):
        parse_token(text)


def test_a_damaged_token_says_so():
    with pytest.raises(BadInputError, match="check character"):
        parse_token("cs1.issue-3515.1f2e3d4c.s8.9a8b7c6d5e4f3a2b.habcdefgh.!")
