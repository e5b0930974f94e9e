"""A removal that is stopped from inside, or fails half-way: modes go back, descriptors go, the exception comes out."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core.outcome import Options
from cache_core.pinned import Opener
from cache_core.removal import remove_contents, remove_tree
from cache_core.trail import HELD_MAX

# The last two are OSErrors, so a removal that is not careful takes them for its own.
EXCEPTIONS = [KeyboardInterrupt, BrokenPipeError, TimeoutError]


@pytest.fixture
def tree(place):
    directory = place / "tree"
    directory.mkdir()
    return directory


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def poison(directory, modes=(0o200, 0o000, 0o500)):
    """Nested directories with a file on each level, each keeping its owner out; the outermost first."""
    paths = []
    for number in range(len(modes)):
        directory = directory / f"d{number}"
        directory.mkdir(exist_ok=True)
        (directory / "file").touch()
        paths.append(directory)
    for path, bits in reversed(list(zip(paths, modes, strict=True))):
        path.chmod(bits)
    return paths


def surviving_modes(tree, paths, modes=(0o200, 0o000, 0o500)):
    """(is, was) of each that survives; opens them on the way, so the tree is another afterwards."""
    seen = []
    for path, bits in zip(paths, modes, strict=True):
        if not os.path.lexists(path):
            break
        seen.append((mode(path), bits))
        path.chmod(0o700)
    return seen


def open_descriptors():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("exception", EXCEPTIONS)
@pytest.mark.parametrize("callback", ["progress", "cancelled"])
def test_an_exception_from_a_callback_comes_out_and_modes_go_back(tree, callback, exception):
    start = open_descriptors()
    stopped = 0
    for turn in range(1, 60):
        paths = poison(tree)
        calls = []

        def raise_at(*_, turn=turn, calls=calls):
            calls.append(1)
            if len(calls) == turn:
                raise exception
            return False

        try:
            remove_tree(str(tree), options=Options(**{callback: raise_at}))
        except exception:
            stopped += 1
        else:
            break
        assert open_descriptors() == start
        assert all(now == was for now, was in surviving_modes(tree, paths))
        assert remove_tree(str(tree)).left == ()
        tree.mkdir()
    assert stopped > 5
    assert len(calls) < turn


def test_an_exception_puts_the_mode_of_the_top_back_too(tree):
    (tree / "file").touch()
    (tree / "d").mkdir()
    fd = os.open(tree, os.O_RDONLY)
    tree.chmod(0o500)

    def interrupt(how_far):
        assert mode(tree) == 0o700
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remove_contents(fd, options=Options(progress=interrupt))
    os.close(fd)
    assert (mode(tree), sorted(os.listdir(tree))) == (0o500, ["d"])


def test_an_interrupt_at_any_call_puts_modes_back(tree, watching):
    """As a signal's handler raises it: before any call at all."""
    start = open_descriptors()
    for turn in range(1, 200):
        paths = poison(tree)
        calls = []

        def raise_at(name, arguments, turn=turn, calls=calls):
            calls.append(name)
            if len(calls) == turn and name != "close":
                raise KeyboardInterrupt

        try:
            remove_tree(str(tree), kernel=watching(before=raise_at))
        except KeyboardInterrupt:
            assert open_descriptors() == start
            assert all(now == was for now, was in surviving_modes(tree, paths))
            assert remove_tree(str(tree)).left == ()
            tree.mkdir()
            continue
        if len(calls) < turn:
            break
        tree.mkdir()
    assert turn > 20


def test_deep_below_a_poisoned_directory(tree, dig):
    """The levels that must be reached again by name are put back as well."""
    os.close(dig(tree, "d", 3 * HELD_MAX))
    (tree / "d" / "d").chmod(0o200)
    deepest = []

    def interrupt(how_far):
        deepest.append(how_far)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remove_tree(str(tree), options=Options(progress=interrupt))
    assert deepest
    assert mode(tree / "d" / "d") == 0o200


@pytest.mark.parametrize("bits", [0o200, 0o500])
def test_stopped_while_a_directory_is_filled_again(tree, watching, bits):
    """Between two tries at the same directory we are not in it; its mode is its own then."""
    shut = tree / "d"
    shut.mkdir()
    (shut / "file").touch()
    shut.chmod(bits)
    filled = []

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "d" and mode(shut) == 0o700:
            filled.append((shut / f"new{len(filled)}").touch())

    removal = remove_tree(str(tree), kernel=watching(before=before), options=Options(cancelled=lambda: bool(filled)))
    assert (removal.cancelled, len(filled), removal.permissions_repaired) == (True, 1, 1)
    assert mode(shut) == bits


@pytest.mark.parametrize("bits", [0o200, 0o500])
def test_a_directory_filled_again_and_again_is_counted_once(tree, watching, bits):
    shut = tree / "d"
    shut.mkdir()
    (shut / "file").touch()
    shut.chmod(bits)
    filled = []

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "d" and mode(shut) == 0o700 and len(filled) < 8:
            filled.append((shut / f"new{len(filled)}").touch())

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert (removal.left, len(filled), removal.permissions_repaired) == ((), 8, 1)


@pytest.mark.parametrize("failures", [1, 2, 3, 1000])
def test_a_directory_that_cannot_be_opened_after_its_repair_keeps_its_mode(tree, watching, failures):
    """EMFILE, for a while or for good; and something in it that stays, so that the mode matters in both cases."""
    shut = tree / "d"
    shut.mkdir()
    (shut / "stays").touch()
    shut.chmod(0o200)
    failed = []

    def refuse(name, arguments):
        if name == "openat2" and arguments[0] == "." and len(failed) < failures:
            failed.append(mode(shut))
            return OSError(errno.EMFILE, "too many")
        return OSError(errno.EIO, "no") if name == "unlink" and arguments[0] == "stays" else None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert set(failed) == {0o700}
    assert [(left.path, left.errno) for left in removal.left] == [
        ("tree/d/stays", "EIO") if failures < 3 else ("tree/d", "EMFILE")
    ]
    assert mode(shut) == 0o200
    assert removal.permissions_repaired == (1 if failures < 3 else 0)


def test_a_mode_that_others_set_meanwhile_is_theirs(tree, watching):
    """A build that comes and opens its directory must not find it poisoned by us."""
    shut = tree / "d"
    shut.mkdir()
    (shut / "stays").touch()
    shut.chmod(0o200)

    def refuse(name, arguments):
        if name == "unlink" and arguments[0] == "stays":
            shut.chmod(0o755)
            return OSError(errno.EIO, "no")
        return None

    assert remove_tree(str(tree), kernel=watching(refuse=refuse)).left
    assert mode(shut) == 0o755


@pytest.mark.parametrize("number", [errno.EIO, errno.EINTR])
def test_close_has_nothing_to_say(tree, watching, number):
    """Linux frees the descriptor whatever close(2) says; the tree is gone, so that is the result."""
    paths = poison(tree)
    assert paths
    start = open_descriptors()

    class Closing(watching):
        def close(self, fd):
            os.close(fd)
            raise OSError(number, "no")

    assert remove_tree(str(tree), kernel=Closing()).left == ()
    assert (tree.exists(), open_descriptors()) == (False, start)


# Names that are none.


@pytest.mark.parametrize("name", ["", "/", ".", "..", "d/..", "d/.", "//"])
def test_what_ends_in_no_name_is_not_removed(tree, kernels, monkeypatch, name):
    """`..` leads out; without openat2 nothing else would have stopped it."""
    (tree / "d").mkdir()
    (tree / "file").touch()
    monkeypatch.chdir(tree / "d")
    (tree / "d" / "d").mkdir()
    for kernel in kernels.values():
        with pytest.raises(OSError, match="not the name") as caught:
            remove_tree(name, kernel=kernel)
        assert caught.value.errno == errno.EINVAL
    assert (tree / "file").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "d/x", "link/x", "d/"])
def test_with_a_directory_it_is_one_name(tree, outside, kernels, name):
    (tree / "d").mkdir()
    (tree / "d" / "x").touch()
    os.symlink(outside, tree / "link")
    (outside / "x").touch()
    fd = os.open(tree, os.O_RDONLY)
    for kernel in kernels.values():
        with pytest.raises(OSError, match="not the name"):
            remove_tree(name, dir_fd=fd, kernel=kernel)
    os.close(fd)
    assert (tree / "d" / "x").exists()
    (outside / "x").unlink()


def test_the_opener_goes_no_way_up(tree, kernels):
    (tree / "d").mkdir()
    fd = os.open(tree, os.O_RDONLY)
    for kernel in kernels.values():
        for path in ("..", "d/../.."):
            with pytest.raises(OSError, match="ross-device") as caught:
                Opener(kernel, fd).open(path, fd)
            assert caught.value.errno == errno.EXDEV
    os.close(fd)
