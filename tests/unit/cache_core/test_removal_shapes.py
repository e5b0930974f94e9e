"""The remover, promise 4: any mode, depth, name, node and width. Numbers as in cache_core.removal."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from cache_core.removal import remove_tree
from cache_core.trail import HELD_MAX

MODES = [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600]


@pytest.fixture(params=["openat2", "steps"])
def kernel(request, kernels):
    return kernels[request.param]


@pytest.fixture
def tree(place):
    directory = place / "tree"
    directory.mkdir()
    return directory


def fill(directory):
    directory.mkdir(exist_ok=True)
    (directory / "file").write_bytes(b"x" * 100)
    (directory / "sub").mkdir()
    (directory / "sub" / "file").write_bytes(b"x")


# 4. Any mode.


@pytest.mark.parametrize("content", ["empty", "full"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode:03o}")
def test_promise_4_any_mode(tree, kernel, mode, content):
    shut = tree / "d"
    shut.mkdir()
    if content == "full":
        fill(shut)
    shut.chmod(mode)
    removal = remove_tree(str(tree), kernel=kernel)
    assert removal.left == ()
    assert not os.path.lexists(tree)
    assert removal.files_removed == (2 if content == "full" else 0)
    assert removal.directories_removed == (3 if content == "full" else 2)
    assert removal.permissions_repaired == (1 if content == "full" else 0)


def test_promise_4_nested_mixed_modes(tree, kernel):
    shut = [tree]
    for mode in MODES:
        shut.append(shut[-1] / f"m{mode:o}")
        fill(shut[-1])
    for directory in reversed(shut[1:]):
        (directory / "sub").chmod(0o500)
        directory.chmod(int(directory.name[1:], 8))
    removal = remove_tree(str(tree), kernel=kernel)
    assert removal.left == ()
    assert not tree.exists()
    assert removal.permissions_repaired == 2 * len(MODES)


@pytest.mark.parametrize("mode", [0o500, 0o000, 0o400, 0o100])
def test_promise_4_the_tree_itself_is_shut(tree, kernel, mode):
    fill(tree / "d")
    tree.chmod(mode)
    assert remove_tree(str(tree), kernel=kernel).left == ()
    assert not os.path.lexists(tree)


@pytest.mark.slow
def test_two_thousand_unreadable_directories(tree):
    for number in range(2000):
        fill(tree / f"d{number}")
        (tree / f"d{number}").chmod(0o200)
    removal = remove_tree(str(tree))
    assert (removal.left, removal.permissions_repaired) == ((), 2000)


# 4. Any depth, name, node, width; few descriptors.


@pytest.mark.parametrize(
    "depth", [3, HELD_MAX - 1, HELD_MAX, HELD_MAX + 1, 40, 300, pytest.param(3000, marks=pytest.mark.slow)]
)
def test_promise_4_deep(tree, kernel, dig, depth):
    os.close(dig(tree, "dd", depth))
    removal = remove_tree(str(tree), kernel=kernel)
    assert (removal.left, removal.directories_removed) == ((), depth + 1)


@pytest.mark.slow
def test_promise_4_thirty_thousand_deep_with_32_descriptors(tree, dig):
    os.close(dig(tree, "dd", 30_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + HELD_MAX + 4, hard))
    try:
        removal = remove_tree(str(tree))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (removal.left, removal.directories_removed) == ((), 30_001)


def test_promise_4_deep_with_content_on_every_level(tree, dig):
    fd = os.open(tree, os.O_RDONLY)
    for level in range(100):
        for name in ("a", "b", "next"):
            os.mkdir(name, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT, dir_fd=fd))
        below = os.open("next", os.O_RDONLY, dir_fd=fd)
        if level % 3 == 0:
            os.fchmod(fd, 0o200)
        os.close(fd)
        fd = below
    os.close(fd)
    removal = remove_tree(str(tree))
    assert (removal.left, removal.directories_removed, removal.files_removed) == ((), 301, 100)
    assert removal.permissions_repaired == 34


@pytest.mark.parametrize("character", ["n", "\N{SNOWMAN}", "\udcff"], ids=["ascii", "unicode", "bytes"])
def test_promise_4_paths_longer_than_path_max(tree, kernel, dig, character):
    name = character * (250 // len(os.fsencode(character)))
    os.close(dig(tree, name, 40))
    removal = remove_tree(str(tree), kernel=kernel)
    assert (removal.left, removal.directories_removed) == ((), 41)


def test_promise_4_any_name(tree):
    names = [b"-rf", b"a\nb", b"\x1b[31mred", b"\xff\xfe", b"n" * 255, b"*", b"~", b" ", b"...", b"a\tb", b"'\""]
    top = os.fsencode(tree)
    for name in names:
        os.mkdir(top + b"/" + name)
        with open(top + b"/" + name + b"/" + name, "wb"):
            pass
    removal = remove_tree(str(tree))
    assert (removal.left, removal.files_removed, removal.directories_removed) == ((), len(names), len(names) + 1)


def test_promise_4_any_node(tree):
    d = tree / "d"
    d.mkdir()
    os.mkfifo(d / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(d)
        try:
            listening.bind("socket")
        finally:
            os.chdir("/")
    (d / "zero").touch(0o000)
    removal = remove_tree(str(tree))
    assert (removal.left, removal.files_removed) == ((), 3)


@pytest.mark.slow
def test_promise_4_wide(tree):
    """More subdirectories than may wait to be entered, so the directory is listed in parts."""
    for number in range(20_000):
        os.mkdir(tree / f"d{number}")
    for number in range(1000):
        (tree / f"f{number}").touch()
    removal = remove_tree(str(tree))
    assert (removal.left, removal.directories_removed, removal.files_removed) == ((), 20_001, 1000)


@pytest.mark.parametrize("waiting", [2, 64, 300])
def test_promise_4_listed_in_parts(tree, monkeypatch, waiting):
    monkeypatch.setattr("cache_core.removal._WAITING_MAX", waiting)
    monkeypatch.setattr("cache_core.removal._WAITING_PER_LEVEL_MIN", 2)
    monkeypatch.setattr("cache_core.removal._BATCH", 16)
    for number in range(100):
        fill(tree / f"d{number}")
        (tree / f"f{number}").touch()
    removal = remove_tree(str(tree))
    assert (removal.left, removal.directories_removed, removal.files_removed) == ((), 201, 300)


def test_constant_descriptors(tree, watching, dig):
    os.close(dig(tree, "d", 200))
    start = len(os.listdir("/proc/self/fd"))
    most = []

    def before(name, arguments):
        most.append(len(os.listdir("/proc/self/fd")) - start)

    remove_tree(str(tree), kernel=watching(before=before))
    # The top's directory, the levels held, one that is being opened, and the listing's own.
    assert max(most) <= HELD_MAX + 3
    assert len(os.listdir("/proc/self/fd")) == start


def test_no_call_per_file_but_unlink(tree, watching):
    for number in range(50):
        (tree / f"f{number}").touch()
    kernel = watching()
    remove_tree(str(tree), kernel=kernel)
    names = [name for name, _ in kernel.calls]
    assert names.count("unlink") == 50
    assert len(names) == 50 + len(["open", "openat2", "scandir", "rmdir", "close", "close"])
