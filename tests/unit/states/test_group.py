"""A function becomes a state: its name, its docstring and what is said beside it."""

from __future__ import annotations

import os

from scenarios.states.state import CLEAN, REPORTED, Group


def names_in(state):
    return [entry.path for entry in state.recipe().entries() if hasattr(entry, "path")]


def test_the_name_and_the_docstring_of_a_function_are_the_states():
    group = Group("shapes")

    @group.state(classes=(1,), met=("owner/name#1",))
    def two_words(make):
        """What it is,
        on two lines.

        What is hard
        about it.
        """
        make.file("file")

    (state,) = group.states
    assert (state.name, state.group) == ("two-words", "shapes")
    assert (state.summary, state.about) == ("What it is, on two lines.", "What is hard about it.")
    assert (state.classes, state.met, state.expect) == ((1,), ("owner/name#1",), CLEAN)
    assert state.make is two_words


def test_what_stays_makes_it_a_reported_one():
    group = Group("shapes")
    group.add("some", lambda make: make.file("kept"), "Some.", stays=("kept",))
    group.add("all", lambda make: make.file("kept"), "All.", stays=(".",))
    some, whole = group.states
    assert (some.expect, whole.expect) == (REPORTED, REPORTED)
    assert (some.ordinary, whole.ordinary) == (True, False)


def test_something_ordinary_is_made_first_and_last_and_has_the_first_and_the_last_name():
    group = Group("shapes")
    group.add("usual", lambda make: make.file("http-v2/entry/file"), "Usual.")
    group.add("alone", lambda make: make.file("http-v2/entry/file"), "Alone.", ordinary=False)
    usual, alone = group.states
    files = [name for name in names_in(usual) if name.endswith("/file")]
    assert files == sorted(files)
    assert [os.path.dirname(name) for name in files] == [
        "http-v2/0-ordinary/a",
        "http-v2/entry",
        "http-v2/z-ordinary/b",
    ]
    assert names_in(alone) == ["http-v2", "http-v2/entry", "http-v2/entry/file", "CACHEDIR.TAG"]


def test_a_recipe_is_a_new_one_each_time():
    group = Group("shapes")
    group.add("usual", lambda make: make.file("file"), "Usual.")
    (state,) = group.states
    first = state.recipe()
    first.file("another")
    assert "another" not in names_in(state)
