"""Fingerprints say whether two runs are the same, and where they part; trace lines say what happened."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.engine.trace import as_document, fingerprint, json_lines, where_it_parts


def steps(count):
    return [("build-1", "zip", "read", f"file-{number}", None, None, None, number, None) for number in range(count)]


@given(st.integers(1, 200), st.data())
def test_the_part_where_two_runs_differ_is_named(count, data):
    recorded = fingerprint(steps(count))
    place = data.draw(st.integers(0, count - 1))
    other = steps(count)
    other[place] = (*other[place][:7], "something else", None)
    first, last = where_it_parts(other, recorded)
    # A mark is one of 32: with that chance the part that differs looks the same and the end is named instead.
    assert first <= place + 1 <= last or first == count + 1
    assert fingerprint(other).digest != recorded.digest


def test_every_place_of_a_run_is_in_the_part_that_is_named():
    recorded = fingerprint(steps(80))
    named = 0
    for place in range(80):
        other = steps(80)
        other[place] = (*other[place][:7], "something else", None)
        first, last = where_it_parts(other, recorded)
        named += first <= place + 1 <= last
    assert named >= 70


def test_a_run_that_is_longer_or_shorter_parts_at_the_end():
    recorded = fingerprint(steps(80))
    assert where_it_parts(steps(90), recorded) == (81, 90)
    first, last = where_it_parts(steps(75), recorded)
    assert (first, last) == (71, 80)


def test_a_result_is_part_of_a_step():
    one = [("build-1", "zip", "read", "file", None, None, None, 10, None)]
    other = [("build-1", "zip", "read", "file", None, None, None, 11, None)]
    assert fingerprint(one).digest != fingerprint(other).digest


def test_a_line_has_the_fields_of_the_contract():
    line = as_document(("build-1", "rmtree", "chmod", "a/b", None, 0o200, None, None, None), 7, 2)
    assert line == {
        "step": 7, "round": 2, "actor": "build-1", "phase": "rmtree", "operation": "chmod", "path": "a/b",
        "target": None, "mode": "0200", "errno": None,
    }  # fmt: skip


@pytest.mark.parametrize(("injected", "field"), [("before", {"injected": True}), ("after", {"fault": "after"})])
def test_an_injected_errno_says_so(injected, field):
    line = as_document(("build-1", "zip", "mkdir", "a", None, 0o777, 28, None, injected), 1, 1)
    assert line["errno"] == "ENOSPC"
    assert field.items() <= line.items()


def test_a_name_that_is_no_text_is_escaped_with_its_bytes_beside_it():
    line = json.loads(next(json_lines([[("build-1", "zip", "unlink", "a\udcff", None, None, None, None, None)]])))
    assert line["path"] == "a\\xff"
    assert line["path_hex"] == "61ff"


def test_steps_are_numbered_through_all_rounds():
    numbers = [(json.loads(line)["step"], json.loads(line)["round"]) for line in json_lines([steps(2), steps(1)])]
    assert numbers == [(1, 1), (2, 1), (3, 2)]


def test_a_lock_has_no_target():
    line = as_document(("cleaner", "hardened", "flock", ".lock", "exclusive", None, None, None, None), 1, 1)
    assert line["target"] is None
    assert line["lock"] == "exclusive"
