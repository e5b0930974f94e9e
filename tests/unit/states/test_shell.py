"""A path as a word of a command: bash reads what was meant, whatever bytes it has."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.states.shell import quoted

NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name and b"\0" not in name)
ODD = [
    b"plain", b" ", b"a b", b" both ", b"*", b"?", b"[a]", b"~", b"~root", b"$HOME", b"$(id)", b"`id`", b"!!", b"#",
    b"'", b'"', b"\\", b"\\n", b"a'b\"c\\d", b"$'\\n'", b"\n", b"\nf", b"\x1b[2J", b"\x01f", b"\x7fa", b"\xff0",
    b"caf\xe9", b"\xe2\x82\xac", b"\xe9'\\", b"{a,b}", b"a;id", b"a&", b"<a>", b"-rf", b"--", b"-", b"-\n", b"=", b"%s",
]  # fmt: skip


def read_by_bash(names):
    """What `printf %s` gets for each, quoted."""
    script = "".join(f"printf %s {quoted(os.fsdecode(name))}; printf '\\0'\n" for name in names)
    done = subprocess.run(["bash"], input=script.encode("ascii"), capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def as_a_path(name):
    """An option of no command: the same path, not the same word."""
    return b"./" + name if name.startswith(b"-") else name


def test_bash_reads_odd_names_as_they_are():
    assert [as_a_path(word) for word in read_by_bash(ODD)] == [as_a_path(name) for name in ODD]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=20))
def test_bash_reads_any_name_as_it_is(names):
    assert [as_a_path(word) for word in read_by_bash(names)] == [as_a_path(name) for name in names]


@given(NAMES)
def test_a_word_can_be_shown_on_any_terminal(name):
    assert quoted(os.fsdecode(name)).isascii()
    assert quoted(os.fsdecode(name)).isprintable()


@pytest.mark.parametrize("name", ["plain", "a-b.c_d", "http-v2/entry/0200"])
def test_a_plain_path_is_plain(name):
    assert quoted(name) == name
