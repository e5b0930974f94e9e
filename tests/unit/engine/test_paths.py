"""Paths as shown: relative to the cache, whatever way they were reached by."""

from __future__ import annotations

import pickle

import pytest

from simulator.engine.paths import OUTSIDE, Paths, Relative

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


def test_a_path_below_a_descriptor_remembers_where_it_began():
    path = PATHS.known.inside["a/b"]["../c"]
    assert path == "a/b/../c"
    assert ascii(path) == ascii("a/b/../c")
    for one in (path, pickle.loads(pickle.dumps(path))):
        assert (type(one), one.directory, one.name) == (Relative, "a/b", "../c")
    absolute = PATHS.known.inside["a/b"]["/dev/shm/sandbox/1/cache/c"]
    assert absolute == "c"
    assert not isinstance(absolute, Relative)
