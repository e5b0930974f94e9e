"""The gated kernel: each call is made once, recorded, and shown in a way that depends on the steps alone."""

from __future__ import annotations

import errno
import os
import pickle
import stat

import pytest

from simulator.engine.clock import LOGICAL_EPOCH
from simulator.engine.paths import Relative
from simulator.engine.trace import Step
from tests.support.arena import Arena


def record(tmp_path, function, **options):
    arena = Arena(tmp_path, {"build-1": function}, **options).run()
    if arena.parties[0].error is not None and not options:
        raise arena.parties[0].error
    return [Step(*step) for step in arena.steps]


def every_call(cache):
    def call(kernel):
        kernel.mkdir(f"{cache}/d", 0o755)
        top = kernel.open(f"{cache}/d", os.O_RDONLY | os.O_DIRECTORY)
        fd = kernel.open("f", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=top)
        kernel.write(fd, b"hello")
        kernel.fstat(fd)
        kernel.fchmod(fd, 0o600)
        kernel.fchown(fd, os.geteuid(), os.getegid())
        kernel.close(fd)
        fd = kernel.open(f"{cache}/d/f", os.O_RDWR | os.O_TRUNC)
        kernel.read(fd, 100)
        kernel.close(fd)
        kernel.link("f", "g", src_dir_fd=top, dst_dir_fd=top)
        kernel.symlink("f", "s", dir_fd=top)
        kernel.readlink(f"{cache}/d/s")
        kernel.stat(f"{cache}/d/s")
        kernel.lstat("s", dir_fd=top)
        kernel.chmod(f"{cache}/d/f", 0o640)
        kernel.utime(f"{cache}/d/f", (1, 2))
        kernel.rename("g", "h", src_dir_fd=top, dst_dir_fd=top)
        kernel.listdir(f"{cache}/d")
        with kernel.scandir(top) as listing:
            assert [(item.name, item.is_dir(), item.is_symlink()) for item in listing] == [
                ("f", False, False),
                ("h", False, False),
                ("s", False, True),
            ]
        pinned = kernel.open("..", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
        kernel.chmod_descriptor(pinned, 0o750)
        kernel.close(pinned)
        kernel.mount_id(top)
        kernel.unlink("h", dir_fd=top)
        kernel.unlink(f"{cache}/d/f")
        kernel.unlink("s", dir_fd=top)
        kernel.close(top)
        kernel.rmdir(f"{cache}/d")

    return call


EVERY_CALL = [
    "mkdir d", "opendir d", "create-excl d/f", "write d/f", "fstat d/f", "fchmod d/f", "fchown d/f", "close d/f",
    "open d/f", "read d/f", "close d/f", "link d/f", "symlink d/s", "readlink d/s", "stat d/s", "lstat d/s",
    "chmod d/f", "utime d/f", "rename d/g", "listdir d", "scandir d", "stat d/s", "opendir .", "chmod .", "close .",
    "mount-id d", "unlink d/h", "unlink d/f", "unlink d/s", "close d", "rmdir d",
]  # fmt: skip


def test_every_call_is_one_step(tmp_path):
    steps = record(tmp_path, every_call(tmp_path / "cache"))
    assert [f"{step.operation} {step.path}" for step in steps] == EVERY_CALL
    assert all(step.errno is None for step in steps)


def test_what_a_shown_path_does_not_say_is_in_the_step(tmp_path):
    def work(kernel):
        cache = f"{tmp_path}/cache"
        top = kernel.open(cache, os.O_PATH | os.O_DIRECTORY)
        kernel.symlink("a", f"{cache}/d/relative")
        kernel.symlink(f"{cache}/a", f"{cache}/d/absolute")
        kernel.chmod_descriptor(top, 0o755)
        kernel.chmod(cache, 0o755)
        kernel.close(kernel.open("file", os.O_WRONLY | os.O_TRUNC, dir_fd=top))
        kernel.close(kernel.open("file", os.O_WRONLY, dir_fd=top))

    (tmp_path / "cache/d").mkdir(parents=True)
    (tmp_path / "cache/file").write_text("content")
    _, relative, absolute, pinned, by_path, emptied, _, opened, *_ = record(tmp_path, work)
    assert (relative.target, relative.target.directory, relative.target.name) == ("a", "d", "a")
    assert (absolute.target, isinstance(absolute.target, Relative)) == ("a", False)
    assert (pinned.path, pinned.path.directory, pinned.path.name) == (".", ".", "")
    assert (by_path.path, isinstance(by_path.path, Relative)) == (".", False)
    assert (emptied.operation, emptied.detail) == ("open", "truncated")
    assert (opened.operation, opened.detail) == ("open", None)


def test_failures_are_recorded_and_raised(tmp_path):
    def fail(kernel):
        with pytest.raises(NotADirectoryError):
            kernel.rmdir(f"{tmp_path}/cache/f")
        with pytest.raises(FileNotFoundError):
            kernel.stat(f"{tmp_path}/cache/nothing")

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/f").touch()
    assert [step.errno for step in record(tmp_path, fail)] == [errno.ENOTDIR, errno.ENOENT]


def test_nothing_of_the_machine_gets_into_a_step(tmp_path):
    one = record(tmp_path / "one", every_call(tmp_path / "one/cache"))
    filler = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    other = record(tmp_path / "another-sandbox", every_call(tmp_path / "another-sandbox/cache"))
    for fd in filler:
        os.close(fd)
    assert one == other
    assert str(tmp_path) not in repr(one)


def test_now_is_a_logical_time_and_a_given_time_stays(tmp_path):
    shown = {}

    def touch(kernel):
        for name in ("a", "b"):
            kernel.close(kernel.open(f"{tmp_path}/cache/{name}", os.O_WRONLY | os.O_CREAT))
        shown["a"] = kernel.stat(f"{tmp_path}/cache/a").st_mtime
        shown["b"] = kernel.stat(f"{tmp_path}/cache/b").st_mtime
        kernel.utime(f"{tmp_path}/cache/a", (100, 200))
        shown["set"] = kernel.stat(f"{tmp_path}/cache/a").st_mtime

    record(tmp_path, touch)
    assert LOGICAL_EPOCH <= shown["a"] < shown["b"]
    assert shown["set"] == 200


@pytest.mark.parametrize("flags", [os.O_CREAT, os.O_CREAT | os.O_TRUNC, os.O_CREAT | os.O_APPEND])
def test_an_open_that_may_create_says_whether_it_kept_what_was_there(tmp_path, flags):
    times = []

    def open_twice(kernel):
        path = f"{tmp_path}/cache/f"
        for _ in range(2):
            kernel.close(kernel.open(path, os.O_WRONLY | flags))
            times.append(kernel.stat(path).st_mtime)
        with pytest.raises(FileNotFoundError):
            kernel.open(f"{tmp_path}/cache/missing/f", os.O_WRONLY | flags)

    keeps = not flags & os.O_TRUNC
    steps = [step for step in record(tmp_path, open_twice) if step[2] == "create"]
    assert [getattr(step[2], "kept", None) for step in steps[:2]] == ([False, True] if keeps else [None, None])
    assert [step[6] for step in steps] == [None, None, errno.ENOENT]
    # What was kept was not modified.
    assert (times[0] == times[1]) is keeps
    assert pickle.loads(pickle.dumps(steps[1][2])).kept is (True if keeps else None)


def writer(path, data=b"0123456789"):
    def write(kernel):
        fd = kernel.open(path, os.O_WRONLY | os.O_CREAT)
        done = 0
        while done < len(data):
            done += kernel.write(fd, data[done:])
        kernel.close(fd)

    return write


def test_an_errno_before_has_no_effect(tmp_path):
    steps = record(tmp_path, writer(f"{tmp_path}/cache/f"), faults=["build-1:1:ENOSPC"])
    assert (steps[0].operation, steps[0].errno, steps[0].injected) == ("create", errno.ENOSPC, "before")
    assert not (tmp_path / "cache/f").exists()


def test_an_errno_after_has_its_effect(tmp_path):
    before = os.listdir("/proc/self/fd")
    steps = record(tmp_path, writer(f"{tmp_path}/cache/f"), faults=["build-1:1:EIO:after"])
    assert (steps[0].operation, steps[0].errno, steps[0].injected) == ("create", errno.EIO, "after")
    assert (tmp_path / "cache/f").exists()
    assert os.listdir("/proc/self/fd") == before


def test_a_short_write_takes_half(tmp_path):
    steps = record(tmp_path, writer(f"{tmp_path}/cache/f"), faults=["build-1:1:ENOSPC:short"])
    assert [(step.operation, step.detail, step.injected) for step in steps if step.operation == "write"] == [
        ("write", 5, "short"),
        ("write", 5, None),
    ]
    assert (tmp_path / "cache/f").read_bytes() == b"0123456789"


def test_an_errno_waits_for_a_call_that_can_have_it(tmp_path):
    steps = record(tmp_path, every_call(tmp_path / "cache"), faults=["build-1:5:ENOSPC"])
    failed = [step for step in steps if step.injected]
    # Steps 5 to 10 read, close and change modes; the first to need space is the link.
    assert [(step.operation, step.errno) for step in failed] == [("link", errno.ENOSPC)]


def test_a_fault_at_a_phase_counts_from_its_first_step(tmp_path):
    def phases(kernel):
        for phase in ("look-up", "install_lib"):
            kernel._actor.phase = phase
            for number in range(3):
                kernel.mkdir(f"{tmp_path}/cache/{phase}-{number}")

    record(tmp_path, phases, faults=["build-1:install_lib+1:kill"])
    assert sorted(os.listdir(tmp_path / "cache")) == ["install_lib-0", "look-up-0", "look-up-1", "look-up-2"]


def test_modes_bite(tmp_path):
    def enter(kernel):
        kernel.mkdir(f"{tmp_path}/cache/d")
        kernel.chmod(f"{tmp_path}/cache/d", 0o200)
        with pytest.raises(PermissionError):
            kernel.listdir(f"{tmp_path}/cache/d")

    steps = record(tmp_path, enter)
    assert steps[-1].errno == errno.EACCES
    assert stat.filemode(os.lstat(tmp_path / "cache/d").st_mode) == "d-w-------"


def test_a_descriptor_of_somebody_else_is_none(tmp_path):
    cache = tmp_path / "cache"
    opened = []

    def owner(kernel):
        opened.append(kernel.open(f"{cache}/f", os.O_RDWR | os.O_CREAT))
        for _ in range(10):
            kernel.fstat(opened[0])
        kernel.close(opened[0])

    def stranger(kernel):
        kernel.mkdir(f"{cache}/d")
        for call in (kernel.close, kernel.fstat, kernel.listdir, lambda fd: kernel.unlink("f", dir_fd=fd)):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call(opened[0])

    arena = Arena(tmp_path, {"build-1": owner, "build-2": stranger}).run()
    assert [party.error for party in arena.parties] == [None, None]
    assert [step[2] for step in arena.steps if step[0] == "build-2"] == ["mkdir"]


def test_a_second_close_reaches_nobody(tmp_path):
    def careless(kernel):
        fd = kernel.open(f"{tmp_path}/cache/f", os.O_RDWR | os.O_CREAT)
        kernel.close(fd)
        with pytest.raises(OSError, match="Bad file descriptor"):
            kernel.close(fd)

    assert [step.operation for step in record(tmp_path, careless)] == ["create", "close"]


def test_an_absolute_path_beside_a_descriptor_is_shown_as_what_it_is(tmp_path):
    def look(kernel):
        kernel.mkdir(f"{tmp_path}/cache/d")
        fd = kernel.open(f"{tmp_path}/cache/d", os.O_RDONLY | os.O_DIRECTORY)
        kernel.stat(f"{tmp_path}/cache", dir_fd=fd)
        kernel.close(fd)

    assert [step.path for step in record(tmp_path, look)] == ["d", "d", ".", "d"]


def test_a_listed_entry_asks_for_its_status_once(tmp_path):
    def look(kernel):
        kernel.mkdir(f"{tmp_path}/cache/d")
        with kernel.scandir(f"{tmp_path}/cache") as listing:
            (entry,) = listing
        assert entry.stat() is entry.stat()
        assert entry.is_dir()
        assert not entry.is_file()

    assert [step.operation for step in record(tmp_path, look)] == ["mkdir", "listdir", "stat"]
