"""Signatures: the same for the same kind of result, whoever had it and however often."""

from dataclasses import replace

import pytest

from simulator.running.outcome import (
    FAILED,
    KILLED,
    OK,
    BuildOutcome,
    CleanerOutcome,
    Failure,
    Poisoned,
    Residue,
    RunReport,
    Violation,
)
from simulator.running.signature import signature

NOT_EMPTY = Failure("OSError", "not-empty", 39, "rmdir", "a/b", "text", injected=False)


def build(number, outcome=OK, failure=None, phase="zip"):
    return BuildOutcome(f"build-{number}", outcome, phase, failure, 10 * number, number)


def cleaner(**changes):
    return replace(CleanerOutcome("hardened", True, True, None, None, 1, 1), **changes)


def report(*builds, residue=None, cleaners=(), violations=()):
    return RunReport(
        "small", 1, "t", "d", 10, 2, builds, residue or Residue(0, 0, (), ()), tuple(cleaners), True, tuple(violations)
    )


def test_it_says_what_came_of_everybody():
    left = Residue(3, 4, ("x",), (Poisoned("x/y", 0o200),))
    given = report(build(1, FAILED, NOT_EMPTY), build(2), residue=left, cleaners=[cleaner()])
    assert signature(given) == "ok, rmdir ENOTEMPTY; poisoned 0200, partial tree; hardened: empty"
    assert signature(report()) == "no builds; no residue"


def test_names_numbers_paths_and_phases_do_not_matter():
    one = report(build(1, FAILED, NOT_EMPTY), build(2), residue=Residue(1, 1, ("a", "b"), ()))
    elsewhere = replace(NOT_EMPTY, path="c", message="else")
    other = report(
        build(1), build(2), build(3, FAILED, elsewhere, "rmtree"), build(4, FAILED, NOT_EMPTY),
        residue=Residue(5, 2, ("c",), ()),
    )  # fmt: skip
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (build(1, KILLED), "killed"),
        (build(1, FAILED, replace(NOT_EMPTY, injected=True)), "rmdir ENOTEMPTY (injected)"),
        (build(1, FAILED, replace(NOT_EMPTY, errno=None)), "rmdir OSError"),
        (build(1, FAILED, replace(NOT_EMPTY, errno=None, operation=None, type="BadZipFile")), "BadZipFile"),
    ],
)
def test_ends_of_builds(end, told):
    assert signature(report(end)).split("; ")[0] == told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "empty"),
        ({"empty": None}, "done"),
        ({"empty": None, "reported_success": False, "errno": 39}, "failed ENOTEMPTY"),
        ({"empty": False, "reported_success": False, "errno": 13}, "not empty, failed EACCES"),
        ({"empty": False}, "not empty"),
        ({"reported_success": False}, "empty, failed"),
        ({"killed": True, "empty": None}, "killed"),
    ],
)
def test_ends_of_cleaners(changes, told):
    assert signature(report(cleaners=[cleaner(**changes)])) == f"no builds; no residue; hardened: {told}"


def test_violations_are_told_unless_an_end_tells_them():
    told = [
        Violation("build-hurt", "build-hurt:x:y", ""),
        Violation("wheel-whole", "wheel-whole:installed:missing", "b"),
        Violation("wheel-whole", "wheel-whole:installed:missing", "a"),
    ]
    assert signature(report(violations=told)) == "no builds; no residue; wheel-whole:installed:missing"
