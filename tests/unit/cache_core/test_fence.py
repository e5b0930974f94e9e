"""The fence: what the kernel refuses behind it, what goes on as before, and what happens where there is none.

A fence is for good, so each test goes behind it in a forked process, which tells the test what it saw.
"""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
import threading
import traceback
import warnings

import pytest

from cache_core import fence, janitor, landlock
from cache_core.fence import LandlockFence, NoFence
from cache_core.kernel import REAL

needs_landlock = pytest.mark.skipif(
    landlock.landlock_abi() < landlock.ABI_MIN, reason="this machine has no Landlock of ABI 2 or later"
)
REFUSED = {"EACCES", "EXDEV"}
# A process that a test forks is ended after so many seconds, instead of the test hanging.
LIMIT_SECONDS = 30


@pytest.fixture
def forked():
    """Call a function in a forked process; returns what it returns, raises what it failed with as text."""

    def run(work):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Newer interpreters warn of forks when another test has left a thread; the child needs none of them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(LIMIT_SECONDS)
                os.close(reading)
                try:
                    said = (True, work())
                except BaseException:  # noqa: BLE001 - the test raises it again
                    said = (False, traceback.format_exc())
                os.write(writing, pickle.dumps(said))
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as stream:
            heard = stream.read()
        os.waitpid(child, 0)
        assert heard, "the process ended without a word: too slow?"
        fine, value = pickle.loads(heard)
        assert fine, value
        return value

    return run


@pytest.fixture
def ground(place):
    """A root with something in it, and things beside it."""
    (place / "root/d/e").mkdir(parents=True)
    (place / "root/file").write_text("inside")
    (place / "root/d/file").write_text("inside")
    (place / "beside/d").mkdir(parents=True)
    (place / "beside/file").write_text("outside")
    (place / "beside/other").write_text("outside")
    os.symlink("file", place / "beside/link")
    return place


def opened(ground, name="root"):
    """The descriptors and the name that `enter` takes."""
    parent = os.open(ground, os.O_PATH | os.O_DIRECTORY)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent), parent, name


def state(directory):
    """Every path below, with type, links and length."""
    seen = {}
    for base, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(base, name)
            status = os.lstat(path)
            size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
            seen[os.path.relpath(path, directory)] = (stat.S_IFMT(status.st_mode), status.st_nlink, size)
    return seen


def refusal(action):
    """The errno that an action fails with, None when it works."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def truncate_open(path):
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))


# What a bug could do to something outside, each with the working directory at the root's parent.
REACHES = {
    "unlink": lambda: os.unlink("beside/file"),
    "unlink of a link": lambda: os.unlink("beside/link"),
    "unlink by a way up": lambda: os.unlink("root/../beside/file"),
    "rmdir": lambda: os.rmdir("beside/d"),
    "rmdir by a way up": lambda: os.rmdir("root/d/e/../../../vacant"),
    "rename": lambda: os.rename("beside/file", "beside/renamed"),
    "rename over": lambda: os.rename("beside/file", "beside/other"),
    "rename of the root": lambda: os.rename("root", "moved"),
    "rename out": lambda: os.rename("root/file", "beside/in"),
    "rename in": lambda: os.rename("beside/file", "root/in"),
    "rename of a directory out": lambda: os.rename("root/d", "beside/in"),
    "rename of a directory in": lambda: os.rename("beside/d", "root/in"),
    "link": lambda: os.link("beside/file", "beside/linked"),
    "link out": lambda: os.link("root/file", "beside/in"),
    "link in": lambda: os.link("beside/file", "root/in"),
    "symlink": lambda: os.symlink("x", "beside/new"),
    "create": lambda: os.close(os.open("beside/new", os.O_CREAT | os.O_WRONLY)),
    "mkdir": lambda: os.mkdir("beside/new"),
    "mkfifo": lambda: os.mkfifo("beside/new"),
    "socket": lambda: os.mknod("beside/new", stat.S_IFSOCK | 0o600),
    # The one device that anybody may make: what overlayfs hides a file with.
    "whiteout": lambda: os.mknod("beside/new", stat.S_IFCHR, os.makedev(0, 0)),
    "truncate": lambda: os.truncate("beside/file", 1),
    "truncate as it is opened": lambda: truncate_open("beside/file"),
    "nameless file": lambda: os.close(os.open("beside", os.O_TMPFILE | os.O_WRONLY)),
}
LEAVES_NO_TRACE = {"nameless file"}


@needs_landlock
@pytest.mark.parametrize("reach", REACHES)
def test_what_is_outside_cannot_be_changed(ground, forked, reach):
    (ground / "vacant").mkdir()
    before = state(ground)

    def work():
        os.chdir(ground)
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        return refusal(REACHES[reach])

    assert forked(work) in REFUSED
    assert state(ground) == before


@pytest.mark.parametrize("reach", REACHES)
def test_without_a_fence_it_can(ground, forked, reach):
    """Or the test above would prove nothing."""
    (ground / "vacant").mkdir()
    before = state(ground)

    def work():
        os.chdir(ground)
        assert not NoFence(REAL).enter(*opened(ground))
        return refusal(REACHES[reach])

    assert forked(work) is None
    assert (state(ground) == before) == (reach in LEAVES_NO_TRACE)


@needs_landlock
def test_opening_for_writing_outside_is_refused_and_reading_is_not(ground, forked):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        assert os.listdir(ground / "beside")
        os.close(os.open(ground / "beside/file", os.O_RDONLY))
        return refusal(lambda: os.open(ground / "beside/file", os.O_WRONLY))

    assert forked(work) == "EACCES"


@needs_landlock
def test_inside_everything_works(ground, forked):
    def work():
        root, parent, name = opened(ground)
        assert LandlockFence(remove_root=False).enter(root, parent, name)
        os.mkdir("new", dir_fd=root)
        os.rename("file", "renamed", src_dir_fd=root, dst_dir_fd=root)
        os.rename("renamed", "new/moved", src_dir_fd=root, dst_dir_fd=root)
        os.rename("d", "new/d", src_dir_fd=root, dst_dir_fd=root)
        os.link("new/moved", "new/d/linked", src_dir_fd=root, dst_dir_fd=root)
        os.symlink("x", "link", dir_fd=root)
        os.mkfifo("fifo", dir_fd=root)
        fd = os.open("new/made", os.O_CREAT | os.O_RDWR, dir_fd=root)
        os.write(fd, b"text")
        os.ftruncate(fd, 1)
        os.truncate(ground / "root/new/made", 0)
        truncate_open(ground / "root/new/made")
        os.chmod(ground / "root/new", 0o500)
        os.chmod(ground / "root/new", 0o700)
        for path in ("new/d/linked", "new/d/file", "new/moved", "new/made", "link", "fifo"):
            os.unlink(path, dir_fd=root)
        for path in ("new/d/e", "new/d", "new"):
            os.rmdir(path, dir_fd=root)
        return os.listdir(root)

    assert forked(work) == []


@needs_landlock
def test_a_directory_that_was_moved_out_is_outside(ground, forked):
    """What an attacker would have us empty, and what no descriptor of ours protects."""

    def work():
        root, parent, name = opened(ground)
        inside = os.open("d", os.O_RDONLY, dir_fd=root)
        os.rename("d", "beside/d", src_dir_fd=root, dst_dir_fd=parent)
        assert LandlockFence(remove_root=False).enter(root, parent, name)
        return refusal(lambda: os.unlink("file", dir_fd=inside)), refusal(lambda: os.rmdir("e", dir_fd=inside))

    assert forked(work) == ("EACCES", "EACCES")


@needs_landlock
def test_modes_are_not_fenced(ground, forked):
    """As the documentation says. If this fails, it can say less."""

    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        os.chmod(ground / "beside/file", 0o600)

    forked(work)
    assert stat.S_IMODE(os.lstat(ground / "beside/file").st_mode) == 0o600


@needs_landlock
def test_what_is_forked_later_is_fenced(ground, forked):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        worker = os.fork()
        if worker == 0:
            os._exit(0 if refusal(lambda: os.unlink(ground / "beside/file")) == "EACCES" else 1)
        return os.waitpid(worker, 0)[1]

    assert forked(work) == 0
    assert (ground / "beside/file").exists()


@needs_landlock
def test_what_python_needs_goes_on(ground):
    """Imports (their caches are just not written), /dev/null, and the output that is open."""
    (ground / "late.py").write_text("import zipfile\nVALUE = 7")
    code = """
import os, sys
from cache_core.fence import LandlockFence
parent = os.open(".", os.O_PATH)
root = os.open("root", os.O_RDONLY, dir_fd=parent)
assert LandlockFence(remove_root=False).enter(root, parent, "root")
sys.path.insert(0, os.getcwd())
import late
with open("/dev/null", "w") as null:
    print("nothing", file=null)
print(late.VALUE)
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.path.dirname(os.path.dirname(fence.__file__))
    with open(ground / "output", "w", encoding="ascii") as output:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ground,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment,
        )
    assert (done.returncode, done.stderr, (ground / "output").read_text()) == (0, "", "7\n")
    assert not (ground / "__pycache__").exists()


@needs_landlock
@pytest.mark.root
def test_root_is_fenced_too(ground, forked):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        return refusal(lambda: os.unlink(ground / "beside/file"))

    assert forked(work) == "EACCES"


# The root


@needs_landlock
def test_the_root_is_removed_from_outside_the_fence(ground, forked):
    (ground / "vacant").mkdir()
    (ground / "sibling").mkdir()

    def work():
        root, parent, name = opened(ground, "vacant")
        ours = LandlockFence(remove_root=True)
        assert ours.enter(root, parent, name)
        assert refusal(lambda: os.rmdir(name, dir_fd=parent)) == "EACCES"
        assert refusal(lambda: os.rmdir("sibling", dir_fd=parent)) == "EACCES"
        ours.remove_root()
        # The cleaner tells by this whether it was its own directory that went: ENOENT, not a refusal by the fence.
        made = refusal(lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=root))
        again = refusal(ours.remove_root)
        ours.close()
        return made, again

    assert forked(work) == ("ENOENT", "ENOENT")
    assert sorted(os.listdir(ground)) == ["beside", "root", "sibling"]


@needs_landlock
def test_a_full_root_stays_and_can_be_tried_again(ground, forked):
    (ground / "full").mkdir()
    (ground / "full/file").touch()

    def work():
        root, parent, name = opened(ground, "full")
        ours = LandlockFence(remove_root=True)
        assert ours.enter(root, parent, name)
        first = refusal(ours.remove_root)
        os.unlink("file", dir_fd=root)
        ours.remove_root()
        return first

    assert forked(work) == "ENOTEMPTY"
    assert not (ground / "full").exists()


@needs_landlock
def test_a_root_whose_name_is_no_utf8_is_removed(ground, forked):
    name = os.fsdecode(b"caf\xe9\n")
    (ground / name).mkdir()

    def work():
        ours = LandlockFence(remove_root=True)
        assert ours.enter(*opened(ground, name))
        ours.remove_root()

    forked(work)
    assert not (ground / name).exists()


@needs_landlock
def test_nobody_removes_the_root_unless_it_was_asked_for(ground, forked):
    (ground / "vacant").mkdir()

    def work():
        ours = LandlockFence(remove_root=False)
        assert ours.enter(*opened(ground, "vacant"))
        return refusal(ours.remove_root)

    assert forked(work) == "EACCES"
    assert (ground / "vacant").exists()


def test_without_a_fence_the_kernel_that_was_given_removes_the_root(ground, watching):
    (ground / "vacant").mkdir()
    kernel = watching()
    none = NoFence(kernel)
    root, parent, name = opened(ground, "vacant")
    assert none.enter(root, parent, name) is False
    none.remove_root()
    none.close()
    assert refusal(none.remove_root) == "ENOENT"
    os.close(root)
    os.close(parent)
    assert kernel.calls == [("rmdir", ("vacant",))] * 2


# Entered more than once


@needs_landlock
def test_entering_again_does_nothing(ground, forked):
    def work():
        root, parent, name = opened(ground)
        ours = LandlockFence(remove_root=True)
        assert ours.enter(root, parent, name)
        before = os.listdir("/proc/self/fd"), ours._janitor.pid
        assert ours.enter(root, parent, name)
        assert (os.listdir("/proc/self/fd"), ours._janitor.pid) == before
        # More layers than the kernel allows, if each were one.
        return [ours.enter(root, parent, name) for _ in range(20)]

    assert forked(work) == [True] * 20


@needs_landlock
def test_a_fence_cannot_be_moved_to_another_root(ground, forked):
    def work():
        ours = LandlockFence(remove_root=False)
        assert ours.enter(*opened(ground))
        try:
            ours.enter(*opened(ground, "beside"))
        except AssertionError as error:
            return str(error)
        return None

    assert forked(work) == "a fence is around one root, for good"


@needs_landlock
def test_behind_sixteen_fences_there_is_no_other(ground, forked):
    """The kernel's limit (E2BIG); what had been begun is undone."""

    def work():
        root = opened(ground)
        return [LandlockFence(remove_root=False).enter(*root) for _ in range(17)][-2:]

    assert forked(work) == [True, False]


# No fence


def no_fence_stands(ground, entered):
    """Whether the process is as it was, but for the answer: descriptors, children, and what it may do."""
    (ground / "vacant").mkdir()
    where = opened(ground, "vacant")
    before = os.listdir("/proc/self/fd")
    ours = LandlockFence(remove_root=True)
    assert ours.enter(*where) is entered
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, 0)
    os.unlink(ground / "beside/file")
    ours.remove_root()
    ours.close()
    return True


REAL_SYSCALL = landlock._syscall


def failing(number_of_call, error):
    """A `syscall` that refuses one call of Landlock's, looking for the version excepted."""

    def syscall(number, *arguments):
        asks_version = number == landlock._SYS_CREATE_RULESET and arguments[0] is None
        if number == number_of_call and not asks_version:
            landlock.ctypes.set_errno(error)
            return -1
        return REAL_SYSCALL(number, *arguments)

    return syscall


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP])
def test_a_system_without_landlock_has_no_fence(ground, forked, monkeypatch, error):
    def unknown(*arguments):
        landlock.ctypes.set_errno(error)
        return -1

    monkeypatch.setattr(landlock, "_syscall", unknown)
    assert landlock.landlock_abi() == 0
    assert forked(lambda: no_fence_stands(ground, False))
    assert not (ground / "vacant").exists()


@needs_landlock
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("call", ["_SYS_CREATE_RULESET", "_SYS_ADD_RULE", "_SYS_RESTRICT_SELF"])
def test_a_call_that_is_filtered_means_no_fence(ground, forked, monkeypatch, call, error):
    monkeypatch.setattr(landlock, "_syscall", failing(getattr(landlock, call), error))
    assert forked(lambda: no_fence_stands(ground, False))
    assert not (ground / "vacant").exists()


@needs_landlock
def test_without_no_new_privs_there_is_no_fence(ground, forked, monkeypatch):
    monkeypatch.setattr(landlock, "_prctl", lambda *arguments: -1)
    assert forked(lambda: no_fence_stands(ground, False))


def test_an_abi_without_renames_between_directories_is_not_used(ground, forked, monkeypatch):
    monkeypatch.setattr(fence, "landlock_abi", lambda: 1)
    assert forked(lambda: no_fence_stands(ground, False))


@needs_landlock
def test_an_abi_without_truncate_is_used(ground, forked, monkeypatch):
    """Linux 5.19 to 6.1: asking it for the right would be refused."""
    monkeypatch.setattr(landlock, "landlock_abi", lambda: 2)

    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        assert refusal(lambda: os.unlink(ground / "beside/file")) == "EACCES"
        truncate_open("/dev/null")
        return refusal(lambda: os.truncate(ground / "beside/file", 0))

    assert forked(work) is None


def test_a_process_with_threads_is_not_fenced(ground, forked):
    def work():
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        try:
            return no_fence_stands(ground, False)
        finally:
            stop.set()
            thread.join()

    assert forked(work)


def test_a_fork_that_is_refused_means_no_fence(ground, forked, monkeypatch):
    def refused():
        raise BlockingIOError(errno.EAGAIN, "no process to be had")

    def work():
        monkeypatch.setattr(janitor.os, "fork", refused)
        return no_fence_stands(ground, False)

    assert forked(work)


def test_a_janitor_that_cannot_let_go_of_our_locks_means_no_fence(ground, forked, monkeypatch):
    monkeypatch.setattr(janitor, "_syscall", lambda *arguments: -1)
    assert forked(lambda: no_fence_stands(ground, False))


@pytest.mark.parametrize("spare", range(5))
def test_too_few_descriptors_mean_no_fence(ground, forked, spare):
    def work():
        where = opened(ground)
        free = os.dup(where[0])
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, free + spare))
        entered = LandlockFence(remove_root=True).enter(*where)
        assert refusal(lambda: os.unlink(ground / "beside/file")) is None
        return entered

    assert forked(work) is False
