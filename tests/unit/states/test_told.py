"""What is told of each state: tables, reports and the command line depend on it."""

from __future__ import annotations

import re

from scenarios.states import GROUPS, STATES
from scenarios.states.catalogue import ABSENT, CLASSES
from scenarios.states.state import CLEAN, NEEDS, REPORTED

# A column of the table of verdicts.
NAME_CHARACTERS_MAX = 26
SUMMARY_CHARACTERS_MAX = 200
MET = re.compile(r"CVE-\d{4}-\d{4,}|[\w.-]+/[\w.-]+(#[1-9]\d*)?")
LIMITS = {"nofile", "fsize"}
GROUP_NAMES = [
    "control",
    "modes",
    "depth",
    "names",
    "nodes",
    "links-out",
    "root",
    "locks",
    "live",
    "quantity",
    "limits",
    "special",
]


def names_where(holds):
    return [state.name for state in STATES.values() if holds(state)]


def paths_of(state):
    return {entry.path for entry in state.recipe().entries() if hasattr(entry, "path")}


def test_there_are_eleven_groups_and_the_control():
    assert [group.name for group in GROUPS] == GROUP_NAMES
    assert all(group.states for group in GROUPS)


def test_no_two_states_have_a_name():
    assert len(STATES) == sum(len(group.states) for group in GROUPS)
    assert len(STATES) >= 50


def test_states_are_found_by_name_in_the_order_of_their_groups():
    assert list(STATES.values()) == [state for group in GROUPS for state in group.states]
    assert [state.group for state in STATES.values()] == [group.name for group in GROUPS for _ in group.states]
    assert all(STATES[name].name == name for name in STATES)


def test_names_are_words_with_dashes_that_fit_their_column():
    fits = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
    assert names_where(lambda state: not fits.fullmatch(state.name) or len(state.name) > NAME_CHARACTERS_MAX) == []


def test_a_summary_is_one_short_sentence():
    assert names_where(lambda state: not state.summary.endswith(".")) == []
    assert names_where(lambda state: re.search(r"[.!?] [A-Z]", state.summary)) == []
    assert names_where(lambda state: not 1 < len(state.summary) <= SUMMARY_CHARACTERS_MAX) == []


def test_summaries_and_what_is_hard_are_one_line_each():
    assert names_where(lambda state: "\n" in state.summary + state.about or "  " in state.summary + state.about) == []
    assert names_where(lambda state: state.about and not state.about.endswith(".")) == []


def test_a_state_of_which_something_stays_is_a_reported_one_and_no_other_is():
    assert names_where(lambda state: state.expect not in (CLEAN, REPORTED)) == []
    assert names_where(lambda state: (state.expect == REPORTED) != bool(state.stays)) == []


def test_what_stays_is_something_that_is_laid_or_the_whole_cache():
    whole = (".",)
    assert names_where(lambda state: state.stays != whole and not set(state.stays) <= paths_of(state)) == []


def test_a_cleaner_that_starts_inside_starts_where_there_is_a_directory():
    assert names_where(lambda state: state.inside is not None and state.inside not in paths_of(state)) == []


def test_where_a_state_was_met_is_an_issue_a_project_or_an_advisory():
    assert names_where(lambda state: not all(MET.fullmatch(source) for source in state.met)) == []
    assert names_where(lambda state: len(set(state.met)) < len(state.met)) == []


def test_what_a_state_takes_is_explained():
    assert names_where(lambda state: not state.recipe().needs <= NEEDS.keys()) == []
    assert {need for state in STATES.values() for need in state.recipe().needs} == NEEDS.keys()


def test_limits_are_known_ones_and_there_is_a_cleaner():
    assert names_where(lambda state: not state.limits.keys() <= LIMITS or state.copies < 1) == []


def test_the_catalogue_has_49_rows():
    assert list(CLASSES) == list(range(1, 50))
    assert len(set(CLASSES.values())) == len(CLASSES)


def test_a_row_has_a_state_or_a_reason_for_none_and_never_both():
    stood_for = {row for state in STATES.values() for row in state.classes}
    assert stood_for & ABSENT.keys() == set()
    assert stood_for | ABSENT.keys() == CLASSES.keys()
    assert all(ABSENT.values())


def test_a_state_names_a_row_once():
    assert names_where(lambda state: len(set(state.classes)) < len(state.classes)) == []
