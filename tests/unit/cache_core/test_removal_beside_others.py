"""What others do while a tree is removed must neither be reported as an error nor keep us for ever."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core.kernel import REAL
from cache_core.outcome import Options
from cache_core.removal import remove_contents, remove_tree
from cache_core.trail import HELD_MAX


@pytest.fixture
def tree(place):
    directory = place / "tree"
    directory.mkdir()
    return directory


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# Another cleaner repairs what kept us out.


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_repaired_by_another_between_refusal_and_look(tree, watching, call):
    d = tree / "d"
    d.mkdir()
    if call == "unlink":
        (d / "file").touch()
    else:
        (d / "below").mkdir()
    d.chmod(0o500)

    class OtherCleaner(watching):
        """Whatever refuses us has been repaired by the time that we look."""

        def help(self, name, path, dir_fd):
            try:
                getattr(REAL, name)(path, dir_fd=dir_fd)
            except PermissionError:
                os.fchmod(dir_fd, 0o700)
                raise

        def unlink(self, path, *, dir_fd):
            self.help("unlink", path, dir_fd)

        def rmdir(self, path, *, dir_fd):
            if path == "below":
                self.help("rmdir", path, dir_fd)
            else:
                REAL.rmdir(path, dir_fd=dir_fd)

    removal = remove_tree(str(tree), kernel=OtherCleaner())
    assert (removal.left, removal.permissions_repaired) == ((), 0)
    assert not tree.exists()


def test_repaired_by_another_while_a_shut_directory_is_entered(tree, watching):
    """The parent lost its bits, and has them again by the time that we look."""
    d = tree / "d"
    (d / "below" / "deep").mkdir(parents=True)
    shut = []

    def before(name, arguments):
        if name == "openat2" and arguments[0] == "below" and not shut:
            shut.append(d.chmod(0))
        elif name == "fstat" and shut and mode(d) == 0:
            d.chmod(0o700)

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert shut
    assert removal.left == ()
    assert not tree.exists()


def test_shut_by_another_while_a_shut_directory_is_entered(tree, watching):
    """Race 4, one level up: the parent loses its bits between the refused rmdir and the pin."""
    below = tree / "d" / "below"
    (below / "deep").mkdir(parents=True)
    below.chmod(0)
    shut = []

    def before(name, arguments):
        if name == "openat2" and arguments[0] == "below" and arguments[1] & os.O_PATH and not shut:
            shut.append((tree / "d").chmod(0))

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert shut
    assert removal.left == ()
    assert not tree.exists()


def test_a_refusal_that_no_mode_explains_is_reported_after_few_tries(tree, watching):
    for number in range(50):
        (tree / f"f{number}").touch()

    def refuse(name, arguments):
        return OSError(errno.EACCES, "policy") if name == "unlink" else None

    kernel = watching(refuse=refuse)
    removal = remove_tree(str(tree), kernel=kernel)
    assert len(removal.left) == 50
    assert {left.errno for left in removal.left} == {"EACCES"}
    assert [name for name, _ in kernel.calls].count("unlink") <= 50 + 10


# Ways that are lost.


def test_race_3_a_way_that_others_removed_is_not_left(tree, place, watching, dig):
    """Many ways are lost at one level, because another cleaner is faster: nothing of it is ours to report."""
    ways = 4
    for number in range(ways):
        os.close(dig(tree, f"d{number}", 3 * HELD_MAX))
    gone = []

    def before(name, arguments):
        if name == "rmdir" and len(gone) < ways:
            for number in range(ways):
                if arguments[0] == f"d{number}" and f"d{number}" not in gone:
                    gone.append(f"d{number}")
                    # Below the top of the way, which is there to be begun again.
                    os.rename(tree / f"d{number}", place / f"aside{number}")

    removal = remove_tree(str(tree), kernel=watching(before=before), options=Options(rescans=0))
    assert len(gone) == ways
    assert removal.left == ()
    assert not tree.exists()


def test_race_3_what_stays_on_a_way_that_is_gone_is_not_left(tree, place, watching, dig):
    os.close(dig(tree, "d", 3 * HELD_MAX))
    bottom = os.path.join(tree, *["d"] * (3 * HELD_MAX), "bad")
    with open(bottom, "wb"):
        pass
    gone = []

    def before(name, arguments):
        if name == "rmdir" and not gone:
            gone.append(os.rename(tree / "d", place / "aside"))

    def refuse(name, arguments):
        if name == "unlink" and arguments[0] == "bad":
            # Its parents are not removed then, so the way back is lost at a look-up.
            if not gone:
                gone.append(os.rename(tree / "d", place / "aside"))
            return OSError(errno.EPERM, "immutable")
        return None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert gone
    assert removal.left == ()
    assert not tree.exists()


def test_race_3_a_way_lost_again_and_again_ends_and_names_what_is_there(tree, place, watching, dig, monkeypatch):
    """Somebody takes the way away at each look-up, and gives it back at once."""
    monkeypatch.setattr("cache_core.removal._WAYS_LOST_MAX", 5)
    os.close(dig(tree, "d", 12 * HELD_MAX))
    lost = []

    def refuse(name, arguments):
        if name == "openat2" and "/" in arguments[0]:
            lost.append(name)
            return OSError(errno.ENOENT, "gone")
        return None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse), options=Options(rescans=2))
    assert lost
    assert len(lost) < 200
    assert {left.errno for left in removal.left} == {"ENOTEMPTY"}
    assert all(os.path.lexists(place / left.path) for left in removal.left)


# Mount points, and what only looks like one.


@pytest.mark.parametrize("times", [1, 2, 3, 100])
def test_a_directory_that_left_during_look_up_is_no_mount_point(tree, watching, times):
    """openat2 says EXDEV for that as well; at last the mount itself is asked for."""
    (tree / "d").mkdir()
    (tree / "d" / "file").touch()
    refused = []

    def refuse(name, arguments):
        if name == "openat2" and arguments[0] == "d" and len(refused) < times:
            refused.append(name)
            return OSError(errno.EXDEV, "left")
        return None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert removal.left == ()
    assert not tree.exists()
    assert len(refused) <= 3 + 1


def test_a_directory_that_cannot_be_told_from_a_mount_point_is_one(tree, watching):
    (tree / "d" / "below").mkdir(parents=True)

    def refuse(name, arguments):
        if name == "openat2" and arguments[0] == "d":
            return OSError(errno.EXDEV, "mount")
        return FileNotFoundError(errno.ENOENT, "no /proc") if name == "mount_id" else None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert [(left.path, left.errno) for left in removal.left] == [("tree/d", "EXDEV")]
    assert (tree / "d" / "below").is_dir()


# Modes.


def test_a_mode_is_put_back_on_a_directory_that_was_moved_out(tree, place, watching):
    d = tree / "d"
    d.mkdir()
    (d / "file").touch()
    d.chmod(0o555)
    moved = place / "moved"

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "d" and not moved.exists():
            os.rename(d, moved)

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert removal.left == ()
    assert mode(moved) == 0o555


def test_a_mode_is_put_back_on_a_directory_whose_name_another_has(tree, place, watching):
    d = tree / "d"
    d.mkdir()
    (d / "file").touch()
    d.chmod(0o555)
    moved = place / "moved"

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "d" and not moved.exists():
            os.rename(d, moved)
            d.mkdir()

    assert remove_tree(str(tree), kernel=watching(before=before)).left == ()
    assert mode(moved) == 0o555


def test_a_mode_is_put_back_on_a_directory_that_was_filled_again_before_the_end(tree, watching):
    d = tree / "d"
    d.mkdir()
    (d / "file").touch()
    d.chmod(0o555)
    filled = []

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "d" and not filled:
            filled.append((d / "again").touch())

    removal = remove_tree(str(tree), kernel=watching(before=before), options=Options(cancelled=lambda: bool(filled)))
    assert removal.cancelled
    assert mode(d) == 0o555


@pytest.mark.parametrize("callback", ["progress", "cancelled"])
def test_a_mode_is_put_back_when_a_callback_raises(tree, callback):
    d = tree / "d"
    (d / "below").mkdir(parents=True)
    (d / "file").touch()
    d.chmod(0o555)

    def fail(*arguments):
        if mode(d) == 0o755:
            raise OSError(errno.ENOSPC, "the log is full")
        return False

    with pytest.raises(OSError, match="the log is full"):
        remove_tree(str(tree), options=Options(**{callback: fail}))
    assert mode(d) == 0o555


# Callbacks and endless writers.


def test_an_error_of_a_callback_is_no_error_of_the_device(tree):
    (tree / "d").mkdir()
    (tree / "d" / "file").touch()

    def progress(so_far):
        raise OSError(errno.ENOSPC, "the log is full")

    with pytest.raises(OSError, match="the log is full"):
        remove_tree(str(tree), options=Options(progress=progress))


@pytest.mark.parametrize("top", [False, True])
def test_a_writer_that_never_stops_is_given_up(tree, watching, monkeypatch, top):
    """As many new names as go, so that no listing ever ends: each is broken off where no more names may wait."""
    monkeypatch.setattr("cache_core.removal._WAITING_MAX", 16)
    monkeypatch.setattr("cache_core.removal._WAITING_PER_LEVEL_MIN", 4)
    monkeypatch.setattr("cache_core.removal._BATCH", 4)
    busy = tree / "busy"
    busy.mkdir()
    first = 50
    made = [0]

    def make():
        made[0] += 1
        (busy / f"a{made[0]}").mkdir()

    for _ in range(first):
        make()

    def before(name, arguments):
        if name == "rmdir" and arguments[0].startswith("a"):
            assert made[0] < 100 * first, "never ends"
            make()

    kernel = watching(before=before)
    if top:
        fd = os.open(busy, os.O_RDONLY)
        removal = remove_contents(fd, kernel=kernel)
        os.close(fd)
    else:
        (tree / "good").mkdir()
        removal = remove_tree(str(tree), kernel=kernel)
        assert [(left.path, left.errno) for left in removal.left] == [("tree/busy", "ENOTEMPTY")]
        assert not (tree / "good").exists()
    assert removal.directories_removed > 5 * first


@pytest.mark.parametrize("waiting", [4, 16])
def test_a_large_directory_is_no_endless_one(tree, monkeypatch, waiting):
    monkeypatch.setattr("cache_core.removal._WAITING_MAX", waiting)
    monkeypatch.setattr("cache_core.removal._WAITING_PER_LEVEL_MIN", 2)
    monkeypatch.setattr("cache_core.removal._BATCH", 2)
    for number in range(500):
        (tree / f"d{number}").mkdir()
    removal = remove_tree(str(tree))
    assert (removal.left, removal.directories_removed) == ((), 501)
