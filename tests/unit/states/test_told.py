"""What is told of each state: tables, reports and the command line depend on it."""

from __future__ import annotations

import re

import pytest

from scenarios.states import GROUPS, STATES
from scenarios.states.catalogue import ABSENT, CLASSES
from scenarios.states.state import CLEAN, NEEDS, REPORTED

# A column of the table of verdicts.
NAME_CHARACTERS_MAX = 26
SUMMARY_CHARACTERS_MAX = 200
MET = re.compile(r"CVE-\d{4}-\d{4,}|[\w.-]+/[\w.-]+(#[1-9]\d*)?")
LIMITS = {"nofile", "fsize"}

each_state = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


def paths_of(state):
    return {entry.path for entry in state.recipe().entries() if hasattr(entry, "path")}


def test_there_are_eleven_groups():
    assert [group.name for group in GROUPS] == [
        "modes",
        "depth",
        "names",
        "nodes",
        "links out",
        "root",
        "locks",
        "live",
        "quantity",
        "limits",
        "special",
    ]
    assert all(group.states for group in GROUPS)


def test_no_two_states_have_a_name():
    assert len(STATES) == sum(len(group.states) for group in GROUPS) >= 50


def test_states_are_found_by_name_and_know_their_group():
    assert [state for group in GROUPS for state in group.states] == list(STATES.values())
    assert all(STATES[name].name == name for name in STATES)
    assert all(state.group == group.name for group in GROUPS for state in group.states)


@each_state
def test_a_name_fits_its_column(state):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", state.name)
    assert len(state.name) <= NAME_CHARACTERS_MAX


@each_state
def test_a_summary_is_one_sentence(state):
    assert state.summary.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", state.summary)
    assert 0 < len(state.summary) <= SUMMARY_CHARACTERS_MAX
    assert "\n" not in state.summary + state.about


@each_state
def test_what_stays_is_reported_and_what_is_reported_stays(state):
    assert state.expect in (CLEAN, REPORTED)
    assert (state.expect == REPORTED) == bool(state.stays)


@each_state
def test_what_stays_is_there(state):
    assert set(state.stays) - {"."} <= paths_of(state)
    assert "." not in state.stays or state.stays == (".",)


@each_state
def test_a_cleaner_starts_where_there_is_something(state):
    assert state.inside is None or state.inside in paths_of(state)


@each_state
def test_where_a_state_was_met_is_a_reference(state):
    assert [source for source in state.met if not MET.fullmatch(source)] == []
    assert len(set(state.met)) == len(state.met)


@each_state
def test_what_a_state_takes_is_explained(state):
    assert state.recipe().needs <= NEEDS.keys()
    assert state.limits.keys() <= LIMITS
    assert state.copies >= 1


@each_state
def test_a_state_stands_for_rows_that_there_are(state):
    assert set(state.classes) <= CLASSES.keys()
    assert len(set(state.classes)) == len(state.classes)


def test_the_catalogue_has_49_rows():
    assert list(CLASSES) == list(range(1, 50))
    assert len(set(CLASSES.values())) == len(CLASSES)


@pytest.mark.parametrize("row", CLASSES)
def test_a_row_has_a_state_or_a_reason_for_none_and_never_both(row):
    stood_for = any(row in state.classes for state in STATES.values())
    assert stood_for != (row in ABSENT)


def test_reasons_are_for_rows_that_there_are():
    assert ABSENT.keys() <= CLASSES.keys()
    assert all(ABSENT.values())
