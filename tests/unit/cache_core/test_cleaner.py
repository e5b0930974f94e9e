"""What may be cleaned, under which lock, and what the report says."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

import pytest

import cache_core
from cache_core import clean_sync
from cache_core.report import LOCK_HELD, LOCK_IGNORED, LOCK_UNAVAILABLE
from cache_core.surroundings import Surroundings

DOCUMENT = [
    "path",
    "empty",
    "files_removed",
    "directories_removed",
    "bytes_freed",
    "permissions_repaired",
    "left",
    "seconds",
    "lock",
    "lock_error",
    "dry_run",
    "residue_only",
]


def fill(root):
    entry = root / "wheels" / "entry"
    (entry / "build" / "bdist.linux" / "wheel" / "package").mkdir(parents=True)
    (entry / "whole").write_bytes(b"x" * 5000)
    (entry / "build" / "bdist.linux" / "wheel" / "package" / "file").write_bytes(b"x" * 100)
    (entry / "build" / "bdist.linux" / "wheel" / "package").chmod(0o200)


def state(root):
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in (root, *root.rglob("*"))}


# The report.


def test_empties_and_counts(cache):
    fill(cache)
    times = iter([10.0, 12.5])
    report = clean_sync(str(cache), clock=lambda: next(times))
    assert report.empty
    assert report.succeeded
    assert (report.files_removed, report.directories_removed, report.permissions_repaired) == (2, 6, 1)
    assert report.bytes_freed >= 5000
    assert (report.left, report.seconds, report.lock) == ((), 2.5, LOCK_HELD)
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]
    assert list(report.document()) == DOCUMENT


def test_an_empty_cache_stays_as_it_is(cache):
    (cache / ".gitignore").write_text("*\n")
    (cache / ".lock").touch()
    before = state(cache)
    report = clean_sync(str(cache))
    assert (report.empty, report.files_removed) == (True, 0)
    assert state(cache) == before


@pytest.mark.parametrize("name", ["CACHEDIR.TAG", ".gitignore", ".lock"])
def test_a_kept_name_with_much_in_it_is_content(cache, name):
    content = (cache / "CACHEDIR.TAG").read_bytes()
    (cache / name).write_bytes(content.ljust(4097, b"\n"))
    report = clean_sync(str(cache))
    assert (report.empty, report.files_removed) == (True, 1)
    # A lock that we hold does not go: there is an empty one instead.
    assert [path.name for path in cache.iterdir() if path.stat().st_size] == ["CACHEDIR.TAG"] * (name != "CACHEDIR.TAG")
    assert (cache / name).exists() == (name == ".lock")


@pytest.mark.parametrize("kind", ["directory", "link", "fifo"])
@pytest.mark.parametrize("name", [".gitignore", ".lock"])
def test_a_kept_name_that_is_no_file_is_content(cache, outside, name, kind):
    if kind == "directory":
        (cache / name).mkdir()
        (cache / name / "file").touch()
    elif kind == "link":
        os.symlink(outside / "plain", cache / name)
    else:
        os.mkfifo(cache / name)
    report = clean_sync(str(cache))
    assert (report.empty, report.lock) == (True, LOCK_HELD)


def test_what_is_left_is_named_once_and_the_root_mode_put_back(cache, watching):
    fill(cache)
    (cache / "bad").touch()
    cache.chmod(0o500)

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "unlink" and arguments[0] == "bad" else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert not report.empty
    assert [(left.path, left.errno) for left in report.left] == [("bad", "EPERM")]
    assert "immutable" in report.left[0].reason
    assert stat.S_IMODE(cache.stat().st_mode) == 0o500
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG", "bad"]


def test_what_appears_behind_the_walk_is_named(cache, watching):
    """Exit 0 means empty: the cache is read again, and what is in it is said."""

    def before(name, arguments):
        if name == "listdir":
            (cache / "late").touch()

    report = clean_sync(str(cache), kernel=watching(before=before), force=True)
    assert not report.empty
    assert [(left.path, left.errno) for left in report.left] == [("late", "ENOTEMPTY")]


def test_the_read_again_failing_is_not_empty(cache, watching):
    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "listdir" else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, [left.path for left in report.left]) == (False, ["."])


def test_undecodable_names_have_their_bytes_in_the_document(cache, watching):
    with open(os.fsencode(cache) + b"/\xff\n", "wb"):
        pass

    def refuse(name, arguments):
        return OSError(errno.EIO, "no") if name == "unlink" else None

    left = clean_sync(str(cache), kernel=watching(refuse=refuse)).document()["left"]
    assert left == [{"path": "\\xff\n", "path_hex": "ff0a", "errno": "EIO", "reason": "the device reports an error"}]


def test_cancelled(cache):
    fill(cache)
    report = clean_sync(str(cache), cancelled=lambda: True)
    assert (report.cancelled, report.empty, report.succeeded) == (True, False, False)
    assert [(left.path, left.errno) for left in report.left] == [("wheels", "ECANCELED")]


# Roots that are refused, and roots that are not.


def test_missing_is_success(place):
    report = clean_sync(str(place / "nothing"))
    assert (report.empty, report.files_removed) == (True, 0)
    assert clean_sync(str(place / "no" / "thing")).empty


@pytest.mark.parametrize("tag", [None, b"", b"Signature: 8a477f597d28d172789f06886806bc5", b"signature"])
@pytest.mark.parametrize("mode", [0o755, 0o000, 0o500])
def test_untagged_is_refused_and_unchanged(place, tag, mode):
    root = place / "data"
    (root / "d").mkdir(parents=True)
    if tag is not None:
        (root / "CACHEDIR.TAG").write_bytes(tag)
    root.chmod(mode)
    root_before = root.stat()
    with pytest.raises(cache_core.NotACacheError) as caught:
        clean_sync(str(root))
    assert str(root) in str(caught.value)
    assert root.stat()[:2] == root_before[:2]
    root.chmod(0o755)
    assert (root / "d").is_dir()
    assert not (root / ".lock").exists()
    assert clean_sync(str(root), untagged=True).empty


def test_a_tag_that_is_a_link_is_none(place, cache):
    root = place / "data"
    (root / "d").mkdir(parents=True)
    os.symlink(cache / "CACHEDIR.TAG", root / "CACHEDIR.TAG")
    with pytest.raises(cache_core.NotACacheError):
        clean_sync(str(root))


@pytest.mark.parametrize("names", [[], [".lock"], [".gitignore"], [".lock", ".gitignore"]])
def test_nothing_to_lose_needs_no_tag(place, names):
    root = place / "root"
    root.mkdir()
    for name in names:
        (root / name).touch()
    assert clean_sync(str(root)).empty


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600])
def test_a_shut_root_of_ours_is_cleaned_and_usable_after(cache, mode):
    fill(cache)
    cache.chmod(mode)
    report = clean_sync(str(cache))
    assert (report.empty, report.left, report.permissions_repaired) == (True, (), 2)
    assert stat.S_IMODE(cache.stat().st_mode) == mode | 0o700


@pytest.mark.parametrize("suffix", ["", "/", "/.", "//"])
def test_a_link_as_root_is_refused(place, cache, suffix):
    os.symlink(cache, place / "link")
    (cache / "file").touch()
    with pytest.raises(cache_core.NotADirectoryRootError, match="symbolic link"):
        clean_sync(f"{place}/link{suffix}")
    assert (cache / "file").exists()


def test_a_file_a_fifo_and_a_dangling_link_are_refused(place):
    (place / "file").touch()
    os.mkfifo(place / "fifo")
    os.symlink("nowhere", place / "dangling")
    for name in ("file", "fifo", "dangling", "file/below"):
        with pytest.raises(cache_core.NotADirectoryRootError):
            clean_sync(str(place / name), untagged=True)


def test_root_and_home_are_refused(cache, monkeypatch):
    below = cache / "a" / "b"
    below.mkdir(parents=True)
    refused = [("/", "root of the file system"), (os.path.expanduser("~"), "home")]
    for path, why in refused:
        with pytest.raises(cache_core.RefusedRootError, match=why):
            clean_sync(path, untagged=True, dry_run=True)
    monkeypatch.setenv("HOME", str(below))
    for path in (str(below), str(cache)):
        with pytest.raises(cache_core.RefusedRootError, match="home directory"):
            clean_sync(path, untagged=True)
    assert below.is_dir()


def test_a_refused_root_that_is_shut_stays_shut(cache):
    cache.chmod(0)
    status = cache.stat()
    with pytest.raises(cache_core.RefusedRootError):
        clean_sync(str(cache), surroundings=Surroundings({(status.st_dev, status.st_ino): "is dear to us"}))
    assert stat.S_IMODE(cache.stat().st_mode) == 0


def test_a_root_replaced_while_it_is_opened_is_not_followed(cache, place, outside, watching):
    fill(cache)
    cache.chmod(0)

    def before(name, arguments):
        if name == "chmod_descriptor" and not (place / "aside").exists():
            os.rename(cache, place / "aside")
            os.symlink(outside, cache)

    with pytest.raises(cache_core.NotADirectoryRootError, match="symbolic link"):
        clean_sync(str(cache), kernel=watching(before=before))
    assert stat.S_IMODE((place / "aside").stat().st_mode) == 0
    (place / "aside").chmod(0o700)
    assert (place / "aside" / "wheels").is_dir()


# Removing the root.


def test_remove_root(cache):
    fill(cache)
    report = clean_sync(str(cache), remove_root=True)
    assert (report.empty, report.left) == (True, ())
    assert not cache.exists()


def test_remove_root_of_a_directory_we_may_not_change(cache):
    cache.parent.chmod(0o555)
    report = clean_sync(str(cache), remove_root=True)
    cache.parent.chmod(0o755)
    assert not report.empty
    assert [(left.path, left.errno) for left in report.left] == [(".", "EACCES")]


def test_remove_root_keeps_it_when_something_stays(cache, watching):
    (cache / "bad").touch()

    def refuse(name, arguments):
        return OSError(errno.EPERM, "no") if name == "unlink" and arguments[0] == "bad" else None

    assert not clean_sync(str(cache), remove_root=True, kernel=watching(refuse=refuse)).empty
    assert (cache / "CACHEDIR.TAG").exists()


def test_the_lock_file_goes_last_and_while_held(cache, watching):
    kernel = watching()
    clean_sync(str(cache), remove_root=True, kernel=kernel)
    calls = [(name, arguments[0]) for name, arguments in kernel.calls]
    locked = next(number for number, (name, _) in enumerate(kernel.calls) if name == "flock")
    lock_fd = kernel.calls[locked][1][0]
    removed = calls.index(("unlink", ".lock"))
    assert calls[removed - 1][0] == "unlink"
    assert [call for call in calls[removed + 1 :] if call[0] in ("unlink", "rmdir")] == [("rmdir", "cache")]
    assert removed < len(calls) - 1 - calls[::-1].index(("close", lock_fd))


def test_a_mount_point_is_emptied_but_not_removed(cache, watching):
    """A real mount is in test_as_root.py."""

    def refuse(name, arguments):
        return OSError(errno.EXDEV, "mount") if name == "openat2" and arguments[0] == "cache" else None

    class Mounted(watching):
        def mount_id(self, fd):
            return 2 if os.readlink(f"/proc/self/fd/{fd}").endswith("cache") else 1

    (cache / "file").touch()
    with pytest.raises(cache_core.MountedRootError):
        clean_sync(str(cache), remove_root=True, kernel=Mounted(refuse=refuse))
    assert (cache / "file").exists()
    assert clean_sync(str(cache), kernel=Mounted(refuse=refuse)).empty


# Dry run and residue.


def unread(status):
    """A status without the time of the last look, which a look may change."""
    return status.st_ino, status.st_mode, status.st_uid, status.st_nlink, status.st_mtime_ns, status.st_ctime_ns


@pytest.mark.parametrize("mode", [0o755, 0o500, 0o000])
def test_dry_run_changes_nothing(cache, mode):
    fill(cache)
    cache.chmod(mode)
    before = unread(cache.stat())
    if mode == 0:
        with pytest.raises(cache_core.UnreadableRootError):
            clean_sync(str(cache), dry_run=True)
    else:
        report = clean_sync(str(cache), dry_run=True)
        assert (report.empty, report.files_removed, report.directories_removed) == (False, 1, 6)
        assert [(left.path, left.errno) for left in report.left] == [
            ("wheels/entry/build/bdist.linux/wheel/package", "EACCES")
        ]
    assert unread(cache.stat()) == before
    cache.chmod(0o755)
    assert not (cache / ".lock").exists()


def test_residue_only_keeps_whole_entries(cache):
    fill(cache)
    (cache / "wheels" / "poisoned").mkdir(mode=0o700)
    (cache / "wheels" / "poisoned" / "file").touch()
    (cache / "wheels" / "poisoned").chmod(0o300)
    report = clean_sync(str(cache), residue_only=True)
    assert (report.succeeded, report.empty, report.left) == (True, False, ())
    assert (report.files_removed, report.directories_removed) == (2, 4)
    assert [str(path.relative_to(cache)) for path in sorted(cache.glob("wheels/**/*"))] == [
        "wheels/entry",
        "wheels/entry/build",
        "wheels/entry/whole",
    ]


# The lock.


def holder(cache, operation=fcntl.LOCK_EX):
    fd = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, operation | fcntl.LOCK_NB)
    return fd


@pytest.mark.parametrize("operation", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_a_held_lock_is_waited_for(cache, operation):
    fill(cache)
    fd = holder(cache, operation)
    now = [0.0]
    waited = []

    def sleep(seconds):
        now[0] += seconds
        waited.append(seconds)
        if len(waited) == 10:
            os.close(fd)

    told = []
    report = clean_sync(
        str(cache), timeout=100, clock=lambda: now[0], sleep=sleep, on_wait=lambda _: told.append(len(waited))
    )
    assert (report.empty, told, len(waited)) == (True, [0], 10)
    assert report.seconds == pytest.approx(sum(waited))


def test_a_lock_held_too_long(cache):
    (cache / "file").touch()
    cache.chmod(0o500)
    with pytest.raises(PermissionError):
        holder(cache)
    cache.chmod(0o700)
    fd = holder(cache)
    cache.chmod(0o500)
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    with pytest.raises(cache_core.CacheInUseError) as caught:
        clean_sync(str(cache), timeout=5, clock=lambda: now[0], sleep=sleep)
    assert str(cache) in str(caught.value)
    assert now[0] == pytest.approx(5)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o500
    os.close(fd)


def test_cancelled_while_waiting_removes_nothing_not_even_an_empty_root(cache):
    fd = holder(cache)
    report = clean_sync(str(cache), remove_root=True, cancelled=lambda: True)
    os.close(fd)
    assert (report.cancelled, report.succeeded) == (True, False)
    assert sorted(os.listdir(cache)) == [".lock", "CACHEDIR.TAG"]


def test_force_ignores_the_lock_and_nothing_else(cache, place):
    (cache / "file").touch()
    fd = holder(cache)
    report = clean_sync(str(cache), force=True)
    assert (report.empty, report.lock) == (True, LOCK_IGNORED)
    os.close(fd)
    (place / "data" / "d").mkdir(parents=True)
    with pytest.raises(cache_core.NotACacheError):
        clean_sync(str(place / "data"), force=True)


def test_a_lock_that_cannot_be_opened_is_not_in_use(cache):
    (cache / "file").touch()
    (cache / ".lock").touch(0o000)
    report = clean_sync(str(cache), timeout=0)
    assert (report.empty, report.lock) == (True, LOCK_UNAVAILABLE)
    assert stat.S_IMODE((cache / ".lock").stat().st_mode) == 0


def test_a_full_disk_is_cleaned(cache, watching):
    fill(cache)

    def refuse(name, arguments):
        return OSError(errno.ENOSPC, "full") if name == "open" and arguments[1] & os.O_CREAT else None

    report = clean_sync(str(cache), kernel=watching(refuse=refuse))
    assert (report.empty, report.lock) == (True, LOCK_UNAVAILABLE)


def test_two_cleaners_without_lock_both_succeed(cache, watching):
    """The second runs whole at each call of the first."""
    for step in range(90):
        fill(cache)
        count = [0]

        def before(name, arguments, step=step, count=count):
            count[0] += 1
            if count[0] == step + 1:
                assert clean_sync(str(cache), force=True).empty

        assert clean_sync(str(cache), force=True, kernel=watching(before=before)).empty
    assert count[0] < 90


def test_no_descriptor_is_left_open(cache, place):
    start = sorted(os.listdir("/proc/self/fd"))
    fill(cache)
    clean_sync(str(cache))
    clean_sync(str(cache), remove_root=True)
    (place / "data" / "d").mkdir(parents=True)
    os.symlink(place / "data", place / "link")
    for path in (place / "data", place / "link", place / "nothing"):
        try:
            clean_sync(str(path))
        except cache_core.CacheError:
            continue
    assert sorted(os.listdir("/proc/self/fd")) == start
