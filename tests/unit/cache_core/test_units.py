"""Dividing a tree: units cover it, none overlaps another, and it costs the same however large the tree is."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from cache_core.kernel import REAL
from cache_core.pinned import Opener
from cache_core.removal import remove_contents
from cache_core.units import Part, Unit, divide


def cut(path, keep=(), kernel=REAL, wanted=64, workers=8):
    fd = os.open(path, os.O_RDONLY)
    try:
        return divide(Opener(kernel, fd), fd, keep, kernel=kernel, workers=workers, wanted=wanted)
    finally:
        os.close(fd)


def test_a_cache_is_divided_by_its_directories(place):
    for bucket in ("archive", "wheels"):
        for number in range(50):
            (place / "cache" / bucket / f"{number}").mkdir(parents=True)
    units = cut(place / "cache")
    assert len(units) == 100
    assert set(units) == {Unit((bucket,), (f"{number}",)) for bucket in ("archive", "wheels") for number in range(50)}


def test_names_to_keep_are_in_no_unit(place):
    for name in ("keep", "go"):
        for number in range(70):
            (place / "cache" / name / f"{number}").mkdir(parents=True)
    assert {(*unit.names, *unit.below)[0] for unit in cut(place / "cache", keep=("keep",))} == {"go"}


@pytest.mark.parametrize("shape", ["empty", "small", "chain"])
def test_what_is_not_worth_it_is_not_divided(place, shape):
    tree = place / "cache"
    tree.mkdir()
    if shape == "small":
        for number in range(7):
            (tree / f"{number}" / "d").mkdir(parents=True)
    elif shape == "chain":
        (tree / "/".join("d" * 200)).mkdir(parents=True)
    assert cut(tree) == []


def test_a_directory_of_many_names_is_divided_by_name(place):
    tree = place / "cache" / "flat"
    tree.mkdir(parents=True)
    names = [f"file-{number}" for number in range(200)]
    for name in names:
        (tree / name).touch()
    units = cut(place / "cache")
    assert {unit.names for unit in units} == {("flat",)}
    parts = [Part(unit.part, unit.parts, ()) for unit in units]
    with os.scandir(tree) as listing:
        entries = list(listing)
    assert Counter(entry.name for part in parts for entry in part.of(entries)) == Counter(names)
    fd = os.open(tree, os.O_RDONLY)
    sizes = [remove_contents(fd, keep=part).files_removed for part in parts]
    os.close(fd)
    assert sum(sizes) == len(names)
    assert min(sizes) > 5


def test_a_part_leaves_alone_what_is_to_stay_and_what_has_failed():
    part = Part(0, 1, ("stays",))
    assert "stays" in part
    assert "other" not in part
    part.add("failed")
    assert "failed" in part


def test_a_directory_that_keeps_us_out_is_a_unit(place):
    for number in range(20):
        for below in range(3):
            (place / "cache" / f"{number}" / f"{below}").mkdir(parents=True)
    (place / "cache" / "3").chmod(0)
    assert Unit((), ("3",)) in cut(place / "cache", wanted=19 * 3 + 1)


def test_it_changes_nothing_and_looks_at_a_bounded_number_of_directories(place, watching):
    tree = place / "cache"
    for number in range(300):
        (tree / "a" / "/".join("d" * (number % 60)) / f"{number}").mkdir(parents=True)
    kernel = watching()
    cut(tree, kernel=kernel, wanted=10_000)
    calls = Counter(name for name, _ in kernel.calls)
    assert calls["scandir"] <= 64
    assert set(calls) <= {"scandir", "openat2", "open", "close", "mount_id", "fstat"}
