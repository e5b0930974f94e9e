"""Paths as shown: relative to the cache, whatever way they were reached by."""

from __future__ import annotations

import pytest

from simulator.engine.paths import OUTSIDE, Paths

PATHS = Paths("/dev/shm/sandbox/1", "cache")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/dev/shm/sandbox/1/cache", "."),
        ("/dev/shm/sandbox/1/cache/a/b", "a/b"),
        ("/dev/shm/sandbox/1/cached", "../cached"),
        ("/dev/shm/sandbox/1", ".."),
        ("/dev/shm/sandbox/1/environments/build-1", "../environments/build-1"),
        ("/etc/passwd", OUTSIDE),
        ("relative", "relative"),
    ],
)
def test_absolute_paths(path, shown):
    assert PATHS.shown(path) == shown


@pytest.mark.parametrize(
    ("directory", "name", "shown"),
    [
        (".", "a", "a"),
        ("a", "b", "a/b"),
        ("a/b", "..", "a"),
        ("a", "..", "."),
        (".", "..", ".."),
        ("..", "cache", "."),
        ("..", "cache/.lock", ".lock"),
        ("..", "neighbours", "../neighbours"),
        ("../neighbours", "..", ".."),
        ("a", ".", "a"),
        ("a", "/dev/shm/sandbox/1/cache/b", "b"),
    ],
)
def test_paths_below_a_descriptor(directory, name, shown):
    assert PATHS.below(directory, name) == shown
