"""The fence: what the kernel refuses behind it, what goes on as before, and who removes the root."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from cache_core import fence
from cache_core.fence import LandlockFence, NoFence
from cache_core.kernel import REAL
from tests.support.fenced import make_ground, needs_landlock, opened, refusal, run_forked, state, truncate_open

REFUSED = {"EACCES", "EXDEV"}


@pytest.fixture
def ground(place):
    make_ground(place)
    return place


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
def test_what_is_outside_cannot_be_changed(ground, reach):
    (ground / "vacant").mkdir()
    before = state(ground)

    def work():
        os.chdir(ground)
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        return refusal(REACHES[reach])

    assert run_forked(work) in REFUSED
    assert state(ground) == before


@pytest.mark.parametrize("reach", REACHES)
def test_without_a_fence_it_can(ground, reach):
    """Or the test above would prove nothing."""
    (ground / "vacant").mkdir()
    before = state(ground)

    def work():
        os.chdir(ground)
        assert not NoFence(REAL).enter(*opened(ground))
        return refusal(REACHES[reach])

    assert run_forked(work) is None
    assert (state(ground) == before) == (reach in LEAVES_NO_TRACE)


@needs_landlock
def test_opening_for_writing_outside_is_refused_and_reading_is_not(ground):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        assert os.listdir(ground / "beside")
        os.close(os.open(ground / "beside/file", os.O_RDONLY))
        return refusal(lambda: os.open(ground / "beside/file", os.O_WRONLY))

    assert run_forked(work) == "EACCES"


@needs_landlock
def test_inside_everything_works(ground):
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

    assert run_forked(work) == []


@needs_landlock
def test_a_directory_that_was_moved_out_is_outside(ground):
    """What an attacker would have us empty, and what no descriptor of ours protects."""

    def work():
        root, parent, name = opened(ground)
        inside = os.open("d", os.O_RDONLY, dir_fd=root)
        os.rename("d", "beside/d", src_dir_fd=root, dst_dir_fd=parent)
        assert LandlockFence(remove_root=False).enter(root, parent, name)
        return refusal(lambda: os.unlink("file", dir_fd=inside)), refusal(lambda: os.rmdir("e", dir_fd=inside))

    assert run_forked(work) == ("EACCES", "EACCES")


@needs_landlock
def test_modes_are_not_fenced(ground):
    """As the documentation says. If this fails, it can say less."""

    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        os.chmod(ground / "beside/file", 0o600)

    run_forked(work)
    assert stat.S_IMODE(os.lstat(ground / "beside/file").st_mode) == 0o600


@needs_landlock
def test_what_is_forked_later_is_fenced(ground):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        worker = os.fork()
        if worker == 0:
            os._exit(0 if refusal(lambda: os.unlink(ground / "beside/file")) == "EACCES" else 1)
        return os.waitpid(worker, 0)[1]

    assert run_forked(work) == 0
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
def test_root_is_fenced_too(ground):
    def work():
        assert LandlockFence(remove_root=False).enter(*opened(ground))
        return refusal(lambda: os.unlink(ground / "beside/file"))

    assert run_forked(work) == "EACCES"


# The root


@needs_landlock
def test_the_root_is_removed_from_outside_the_fence(ground):
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

    assert run_forked(work) == ("ENOENT", "ENOENT")
    assert sorted(os.listdir(ground)) == ["beside", "root", "sibling"]


@needs_landlock
def test_a_full_root_stays_and_can_be_tried_again(ground):
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

    assert run_forked(work) == "ENOTEMPTY"
    assert not (ground / "full").exists()


@needs_landlock
def test_a_root_whose_name_is_no_utf8_is_removed(ground):
    name = os.fsdecode(b"caf\xe9\n")
    (ground / name).mkdir()

    def work():
        ours = LandlockFence(remove_root=True)
        assert ours.enter(*opened(ground, name))
        ours.remove_root()

    run_forked(work)
    assert not (ground / name).exists()


@needs_landlock
def test_nobody_removes_the_root_unless_it_was_asked_for(ground):
    (ground / "vacant").mkdir()

    def work():
        ours = LandlockFence(remove_root=False)
        assert ours.enter(*opened(ground, "vacant"))
        return refusal(ours.remove_root)

    assert run_forked(work) == "EACCES"
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
def test_entering_again_does_nothing(ground):
    def work():
        root, parent, name = opened(ground)
        ours = LandlockFence(remove_root=True)
        assert ours.enter(root, parent, name)
        before = os.listdir("/proc/self/fd"), ours._janitor.pid
        assert ours.enter(root, parent, name)
        assert (os.listdir("/proc/self/fd"), ours._janitor.pid) == before
        # More layers than the kernel allows, if each were one.
        return [ours.enter(root, parent, name) for _ in range(20)]

    assert run_forked(work) == [True] * 20


@needs_landlock
def test_a_fence_cannot_be_moved_to_another_root(ground):
    def work():
        ours = LandlockFence(remove_root=False)
        assert ours.enter(*opened(ground))
        try:
            ours.enter(*opened(ground, "beside"))
        except AssertionError as error:
            return str(error)
        return None

    assert run_forked(work) == "a fence is around one root, for good"


@needs_landlock
def test_behind_sixteen_fences_there_is_no_other(ground):
    """The kernel's limit (E2BIG); what had been begun is undone."""

    def work():
        root = opened(ground)
        return [LandlockFence(remove_root=False).enter(*root) for _ in range(17)][-2:]

    assert run_forked(work) == [True, False]
