"""The remover: safe, honest, beside others. Numbers of promises and races as in cache_core.removal."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from cache_core.kernel import REAL
from cache_core.outcome import Options
from cache_core.removal import remove_contents, remove_tree
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


# 1. Nothing outside changes.


def test_promise_1_hard_link_in_a_read_only_directory(tree, outside, kernel):
    fill(tree / "d")
    os.link(outside / "readonly", tree / "d" / "link")
    (tree / "d").chmod(0o500)
    removal = remove_tree(str(tree), kernel=kernel)
    assert removal.left == ()
    assert stat.S_IMODE(os.stat(outside / "readonly").st_mode) == 0o444


def test_promise_1_symbolic_links_are_removed_not_followed(tree, outside, kernel):
    d = tree / "d"
    d.mkdir()
    for number, target in enumerate((outside, outside / "readonly", "/nowhere", "..", outside / "d", "loop")):
        os.symlink(target, d / f"link{number}")
    os.symlink("loop", d / "loop")
    d.chmod(0o500)
    removal = remove_tree(str(tree), kernel=kernel)
    assert (removal.left, removal.files_removed) == ((), 7)


def test_promise_1_a_name_that_is_a_link_is_the_link(place, outside):
    os.symlink(outside, place / "link")
    assert remove_tree(str(place / "link")).files_removed == 1
    assert not os.path.lexists(place / "link")


@pytest.mark.parametrize("when", ["open", "scandir", "unlink", "rmdir"])
def test_promise_1_a_directory_swapped_for_a_link(tree, outside, watching, when):
    """The attack on every remover that goes by path, at every call of the walk."""
    swapped = []
    swaps = 0

    def swap_at(number):
        def before(name, arguments):
            if name.startswith(when) and not swapped:
                turn[0] += 1
                if turn[0] == number and os.path.isdir(tree / "d" / "sub"):
                    os.rename(tree / "d" / "sub", tree / "aside")
                    os.symlink(outside, tree / "d" / "sub")
                    swapped.append(number)

        return before

    for number in range(1, 12):
        swapped.clear()
        turn = [0]
        tree.mkdir(exist_ok=True)
        fill(tree / "d")
        (tree / "d" / "sub" / "readonly").write_bytes(b"")
        removal = remove_tree(str(tree), kernel=watching(before=swap_at(number)))
        swaps += len(swapped)
        assert removal.left == ()
        assert not os.path.lexists(tree)
    assert swaps


def test_promise_1_swapped_between_refusal_and_repair(tree, outside, watching):
    """Race 4: the directory that is unreadable is a link by the time it is repaired."""
    (tree / "d").mkdir()
    (tree / "d" / "file").touch()
    (tree / "d").chmod(0o200)
    refused = []

    def before(name, arguments):
        if name == "openat2" and arguments[0] == "d" and arguments[1] & os.O_PATH:
            refused.append(name)
            os.rename(tree / "d", tree / "aside")
            os.symlink(outside / "d", tree / "d")

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert refused
    assert removal.left == ()
    assert not os.path.lexists(tree)


def test_promise_1_a_directory_moved_out_is_not_climbed_out_of(tree, outside, watching):
    """Race 2: `..` of a moved directory leads outside; the walk never goes that way."""
    deep = tree
    for level in range(2 * HELD_MAX):
        deep /= f"l{level}"
    deep.mkdir(parents=True)
    (deep / "file").touch()
    moved = outside.parent / "moved"

    def before(name, arguments):
        if name == "unlink" and not moved.exists():
            os.rename(deep.parent, moved)

    kernel = watching(before=before)
    removal = remove_tree(str(tree), kernel=kernel)
    assert removal.left == ()
    assert not tree.exists()
    assert moved.is_dir()
    assert not any(".." in str(arguments[0]).split("/") for _, arguments in kernel.calls)


def test_promise_1_modes_are_put_back_where_something_stays(tree, watching):
    (tree / "d").mkdir()
    (tree / "d" / "stays").touch()
    (tree / "d").chmod(0o500)

    asked = []

    def refuse(name, arguments):
        # First as a directory without w refuses, so that it is repaired; then as an immutable file does.
        if name != "unlink":
            return None
        asked.append(stat.S_IMODE(os.stat(tree / "d").st_mode))
        return OSError(errno.EACCES if len(asked) == 1 else errno.EPERM, "no")

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert [(left.path, left.errno) for left in removal.left] == [("tree/d/stays", "EPERM")]
    assert asked == [0o500, 0o700]
    assert removal.permissions_repaired == 1
    assert stat.S_IMODE(os.stat(tree / "d").st_mode) == 0o500


def test_the_directory_that_the_tree_is_in_is_never_repaired(place):
    parent = place / "parent"
    fill(parent)
    parent.chmod(0o555)
    removal = remove_tree(str(parent / "sub"))
    assert [(left.path, left.errno) for left in removal.left] == [("sub", "EACCES")]
    assert stat.S_IMODE(os.stat(parent).st_mode) == 0o555
    assert os.listdir(parent / "sub") == []


# 2 and 3. Everything that can go goes, what stays is named once.


def test_promises_2_and_3_one_bad_entry_does_not_stop_it(tree, watching):
    for number in range(30):
        fill(tree / f"d{number}")

    def by_name(name, arguments):
        return OSError(errno.EIO, "no") if name == "unlink" and arguments[0] == "bad" else None

    (tree / "d7" / "sub" / "bad").touch()
    (tree / "d9" / "bad").touch()
    removal = remove_tree(str(tree), kernel=watching(refuse=by_name))
    assert [(left.path, left.errno) for left in removal.left] == [
        ("tree/d7/sub/bad", "EIO"),
        ("tree/d9/bad", "EIO"),
    ]
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == [
        "d7", "d7/sub", "d7/sub/bad", "d9", "d9/bad"
    ]  # fmt: skip


def test_promise_2_a_listing_that_fails_names_the_directory(tree, watching):
    fill(tree / "good")
    fill(tree / "bad")
    inode = os.stat(tree / "bad").st_ino

    def refuse(name, arguments):
        if name == "scandir" and os.fstat(arguments[0]).st_ino == inode:
            return OSError(errno.EIO, "no")
        return None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert [(left.path, left.errno) for left in removal.left] == [("tree/bad", "EIO")]
    assert not (tree / "good").exists()


def test_every_errno_at_every_call_is_reported_or_overcome(tree, outside, watching):
    """Each call fails once, with each error: nothing outside changes, a second run finishes."""
    for number in (errno.EIO, errno.EACCES, errno.ENOSPC, errno.EMFILE, errno.EINTR, errno.EBUSY, errno.ENOMEM):
        step = 0
        while True:
            tree.mkdir(exist_ok=True)
            fill(tree / "d")
            (tree / "d").chmod(0o200)
            count = [0]

            def refuse(name, arguments, step=step, count=count, number=number):
                count[0] += name != "close"
                return OSError(number, "injected") if name != "close" and count[0] == step + 1 else None

            kernel = watching(refuse=refuse)
            if step == 0:
                # The directory that the tree is in: without it there is nothing to report on.
                with pytest.raises(OSError, match="injected"):
                    remove_tree(str(tree), kernel=kernel)
            else:
                assert bool(remove_tree(str(tree), kernel=kernel).left) == tree.exists()
            remove_tree(str(tree))
            assert not tree.exists()
            if count[0] <= step:
                break
            step += 1
        assert step > 10


# 5. Beside others.


def test_promise_5_gone_is_done(tree, watching):
    """Another cleaner takes everything away under us, at every call."""
    step = 0
    while True:
        tree.mkdir(exist_ok=True)
        fill(tree / "d")
        count = [0]

        def before(name, arguments, step=step, count=count):
            count[0] += 1
            if count[0] == step + 1:
                remove_tree(str(tree))

        removal = remove_tree(str(tree), kernel=watching(before=before))
        assert removal.left == ()
        assert not tree.exists()
        if count[0] <= step:
            break
        step += 1


def test_promise_5_a_writer_that_stops(tree, watching):
    written = []

    def before(name, arguments):
        if name == "rmdir" and len(written) < 5:
            written.append((tree / f"new{len(written)}").touch())

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert (removal.left, removal.files_removed) == ((), 5)


def test_promise_5_a_writer_that_does_not_stop(tree, watching):
    fill(tree / "good")
    (tree / "busy").mkdir()
    written = []

    def before(name, arguments):
        if name == "rmdir" and arguments[0] == "busy":
            written.append((tree / "busy" / f"new{len(written)}").touch())

    removal = remove_tree(str(tree), kernel=watching(before=before), options=Options(rescans=4))
    assert [(left.path, left.errno) for left in removal.left] == [("tree/busy", "ENOTEMPTY")]
    assert len(written) == 5
    assert not (tree / "good").exists()


def test_promise_5_a_handler_that_poisons_again(tree, watching):
    """Race 4, as in astral-sh/uv#3515: a build sets 0200 whenever we have repaired it; it stops in the end."""
    fill(tree / "d")
    poisoned = []

    def before(name, arguments):
        if name in ("unlink", "scandir") and len(poisoned) < 2 and (tree / "d").exists():
            poisoned.append(os.chmod(tree / "d", 0o200))

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert (removal.left, len(poisoned)) == ((), 2)


def test_promise_5_a_handler_that_poisons_for_ever(tree, watching):
    fill(tree / "d")

    def before(name, arguments):
        if name in ("unlink", "rmdir", "openat2") and (tree / "d").exists():
            os.chmod(tree / "d", 0o200)

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert removal.left
    assert all(left.path.startswith("tree/d") for left in removal.left)
    assert remove_tree(str(tree)).left == ()


def test_race_3_the_way_back_is_lost(tree, watching, dig):
    """An ancestor whose descriptor was given up is shut while we are below it: begun again from above."""
    (tree / "side").mkdir()
    os.close(dig(tree, "d", 3 * HELD_MAX))
    shut = []

    def before(name, arguments):
        if name == "rmdir" and not shut:
            shut.append(os.chmod(tree / "d" / "d" / "d", 0o000))

    removal = remove_tree(str(tree), kernel=watching(before=before))
    assert shut
    assert removal.left == ()
    assert not tree.exists()


# What can be asked for.


def test_remove_contents_keeps_what_it_is_told_and_the_directory(tree, kernel):
    fill(tree / "d")
    (tree / "keep").touch()
    fd = os.open(tree, os.O_RDONLY)
    removal = remove_contents(fd, keep={"keep"}, kernel=kernel)
    os.close(fd)
    assert (removal.left, os.listdir(tree)) == ((), ["keep"])


def test_remove_contents_repairs_the_top_and_leaves_it_usable(tree):
    fill(tree / "d")
    fd = os.open(tree, os.O_RDONLY)
    tree.chmod(0o500)
    removal = remove_contents(fd)
    os.close(fd)
    assert (removal.left, os.listdir(tree), removal.permissions_repaired) == ((), [], 1)
    assert stat.S_IMODE(tree.stat().st_mode) == 0o700


def test_bytes_are_those_of_files_whose_last_link_went(tree, outside):
    size = 40_000
    (tree / "one").write_bytes(b"x" * size)
    (tree / "d").mkdir()
    os.link(tree / "one", tree / "d" / "two")
    os.link(outside / "plain", tree / "three")
    os.symlink("one", tree / "four")
    blocks = os.stat(tree / "one").st_blocks * 512 + os.lstat(tree / "four").st_blocks * 512
    removal = remove_tree(str(tree), options=Options(measure=True))
    assert removal.bytes_freed == blocks >= size


def test_bytes_are_counted_behind_a_repair(tree):
    (tree / "one").write_bytes(b"x" * 40_000)
    blocks = os.stat(tree / "one").st_blocks * 512
    tree.chmod(0o400)
    assert remove_tree(str(tree), options=Options(measure=True)).bytes_freed == blocks


def test_cancelled_puts_modes_back_and_says_what_it_did(tree, dig):
    for number in range(3):
        fill(tree / f"d{number}")
        os.close(dig(tree / f"d{number}", "deep", 2 * HELD_MAX))
        (tree / f"d{number}" / "deep" / "deep").chmod(0o200)
        (tree / f"d{number}").chmod(0o200)
    for stop_after in range(0, 100, 7):
        asked = []

        def cancelled(stop_after=stop_after, asked=asked):
            asked.append(1)
            return len(asked) > stop_after

        start = len(os.listdir("/proc/self/fd"))
        removal = remove_tree(str(tree), options=Options(cancelled=cancelled))
        assert len(os.listdir("/proc/self/fd")) == start
        if not removal.cancelled:
            # Nobody was asked so often.
            break
        for survivor in tree.iterdir():
            assert stat.S_IMODE(survivor.stat().st_mode) == 0o200
    assert stop_after > 60
    assert removal.left == ()
    assert not tree.exists()


def test_progress_grows(tree):
    for number in range(3):
        fill(tree / f"d{number}")
    told = []
    remove_tree(str(tree), options=Options(progress=told.append))
    files = [progress.files_removed for progress in told]
    assert files == sorted(files)
    assert (told[-1].files_removed, told[-1].directories_removed) == (6, 7)


def test_missing_is_done(place):
    assert remove_tree(str(place / "nothing")).left == ()


def test_a_file_and_trailing_slashes(place):
    (place / "file").touch()
    assert remove_tree(str(place / "file")).files_removed == 1
    fill(place / "d")
    assert remove_tree(f"{place}/d//").directories_removed == 2
    assert os.listdir(place) == []


def test_without_proc_and_openat2_nothing_is_entered(tree, watching):
    """Mounts cannot be told apart then, so it is safe before complete, and honest about it."""
    fill(tree / "d")

    def refuse(name, arguments):
        if name == "openat2":
            return OSError(errno.EPERM, "filtered")
        return FileNotFoundError(errno.ENOENT, "no /proc") if name == "mount_id" else None

    removal = remove_tree(str(tree), kernel=watching(refuse=refuse))
    assert [(left.path, left.errno) for left in removal.left] == [("tree", "EOPNOTSUPP")]


@pytest.mark.parametrize("how", ["openat2", "steps"])
def test_promise_1_a_mount_is_not_entered(tree, watching, how):
    """The same with a real bind mount is in test_as_root.py; here the kernel's two ways of telling are played."""
    fill(tree / "mounted")
    fill(tree / "good")

    def refuse(name, arguments):
        if name == "openat2":
            if how == "steps":
                return OSError(errno.ENOSYS, "unknown")
            return OSError(errno.EXDEV, "mount") if arguments[0] == "mounted" else None
        return None

    class Mounted(watching):
        def mount_id(self, fd):
            return 2 if os.readlink(f"/proc/self/fd/{fd}").endswith("mounted") else 1

    removal = remove_tree(str(tree), kernel=Mounted(refuse=refuse))
    assert [(left.path, left.errno) for left in removal.left] == [("tree/mounted", "EXDEV")]
    assert sorted(os.listdir(tree / "mounted")) == ["file", "sub"]
    assert not (tree / "good").exists()


def test_real_kernel_is_the_default():
    assert remove_tree.__kwdefaults__["kernel"] is REAL
