"""What root makes in somebody else's cache is theirs: with an owner that is made up (`test_as_root` has real ones)."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from cache_core import layout, locks, owners
from cache_core.errors import LockUnavailableError, NotALockError, PrivilegeError
from cache_core.locks import lock_cache, lock_entry

OWNER = (12345, 54321)


@pytest.fixture
def foreign(watching, monkeypatch):
    """A kernel class for a process that may do everything, in which the directories given are somebody else's."""
    for module in (owners, locks):
        monkeypatch.setattr(module, "acts_for_others", lambda: True)

    class Foreign(watching):
        def __init__(self, *directories, **hooks):
            super().__init__(**hooks)
            self._foreign = {os.stat(directory).st_ino for directory in directories}

        def fstat(self, fd):
            status = self.__getattr__("fstat")(fd)
            if status.st_ino not in self._foreign:
                return status
            return SimpleNamespace(st_uid=OWNER[0], st_gid=OWNER[1], st_mode=status.st_mode)

        def fchown(self, fd, uid, gid):
            self.calls.append(("fchown", (os.readlink(f"/proc/self/fd/{fd}"), uid, gid)))

        def names(self):
            return [name for name, _ in self.calls]

        def given(self):
            return [arguments for name, arguments in self.calls if name == "fchown"]

    return Foreign


def test_who_has_no_such_capability_asks_for_nothing(place, watching):
    kernel = watching()
    fd = os.open(place, os.O_RDONLY)
    assert not owners.acts_for_others()
    assert owners.foreign_owner(fd, kernel) is None
    os.close(fd)
    assert kernel.calls == []


def test_where_the_system_does_not_tell_there_are_none(monkeypatch):
    def fail():
        raise PrivilegeError("capabilities", "cannot be read", "")

    monkeypatch.setattr(owners, "holds_override_capabilities", fail)
    assert not owners.acts_for_others()


def test_a_lock_that_we_make_is_the_owners_before_anybody_can_wait_for_it(place, foreign):
    kernel = foreign(place)
    lock_cache(str(place), shared=False, kernel=kernel).release()
    assert kernel.given() == [(f"{place}/.lock", *OWNER)]
    assert kernel.names().index("fchown") < kernel.names().index("flock")
    assert kernel.names().count("flock") == 1


def test_also_by_descriptor_and_for_an_entry(place, foreign):
    (place / "entry").mkdir()
    kernel = foreign(place, place / "entry")
    fd = os.open(place, os.O_RDONLY)
    with lock_cache(fd, shared=True, kernel=kernel), lock_entry("entry/lock", dir_fd=fd, kernel=kernel):
        pass
    lock_entry(f"{place}/entry/other", kernel=kernel).release()
    os.close(fd)
    assert [path for path, *_ in kernel.given()] == [
        f"{place}/{name}" for name in (".lock", "entry/lock", "entry/other")
    ]


def test_the_owner_is_that_of_the_directory_that_the_lock_is_in(place, foreign):
    (place / "ours").mkdir()
    kernel = foreign(place)
    lock_entry(f"{place}/ours/lock", kernel=kernel).release()
    assert kernel.given() == []


def test_a_relative_path_is_in_the_working_directory(place, foreign, monkeypatch):
    monkeypatch.chdir(place)
    kernel = foreign(place)
    lock_entry("lock", kernel=kernel).release()
    assert kernel.given() == [(f"{place}/lock", *OWNER)]


def test_a_lock_that_is_there_stays_whose_it_is(place, foreign):
    """It may be a hard link to something that its owner wants to be given."""
    (place / ".lock").touch()
    kernel = foreign(place)
    lock_cache(str(place), shared=False, kernel=kernel).release()
    assert kernel.given() == []
    assert [path for name, (path, *_) in kernel.calls if name == "open"] == [str(place), ".lock", f"{place}/.lock"]


def test_our_own_cache_is_asked_for_and_left(place, foreign):
    kernel = foreign()
    lock_cache(str(place), shared=False, kernel=kernel).release()
    assert kernel.given() == []
    assert (place / ".lock").exists()


def test_a_lock_that_goes_while_we_look_is_made_the_owners_too(place, foreign):
    """There when we would make it, gone when we open it: it must not be made as ours then."""
    (place / ".lock").touch()
    gone = []

    def before(name, arguments):
        if name == "open" and arguments[0] == f"{place}/.lock" and not gone:
            gone.append(name)
            os.unlink(place / ".lock")

    kernel = foreign(place, before=before)
    lock_cache(str(place), shared=False, kernel=kernel).release()
    assert gone
    assert kernel.given() == [(f"{place}/.lock", *OWNER)]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL, errno.EROFS, errno.EIO])
def test_who_may_not_give_it_away_has_a_lock_all_the_same(place, foreign, number):
    class Refusing(foreign):
        def fchown(self, fd, uid, gid):
            super().fchown(fd, uid, gid)
            raise OSError(number, "no")

    kernel = Refusing(place)
    lock_cache(str(place), shared=False, kernel=kernel).release()
    assert len(kernel.given()) == 1


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_what_is_no_lock_is_none_for_them_either(place, outside, foreign, kind):
    lock = place / ".lock"
    {"link": lambda: os.symlink(outside / "new", lock), "directory": lock.mkdir, "fifo": lambda: os.mkfifo(lock)}[
        kind
    ]()
    kernel = foreign(place)
    with pytest.raises(NotALockError):
        lock_cache(str(place), shared=False, kernel=kernel)
    assert kernel.given() == []
    assert not (outside / "new").exists()


def test_a_directory_that_is_not_there_is_the_error_of_the_lock(place, foreign):
    with pytest.raises(LockUnavailableError) as caught:
        lock_cache(f"{place}/nothing", shared=False, kernel=foreign(place))
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("call", ["open", "fstat"])
def test_no_descriptor_stays_open(place, foreign, call):
    start = len(os.listdir("/proc/self/fd"))
    lock_cache(str(place), shared=False, kernel=foreign(place)).release()
    lock_cache(str(place), shared=False, kernel=foreign(place)).release()

    def refuse(name, arguments):
        return OSError(errno.EIO, "injected") if name == call and arguments[0] != str(place) else None

    with pytest.raises(LockUnavailableError):
        lock_cache(str(place), shared=False, kernel=foreign(place, refuse=refuse))
    assert len(os.listdir("/proc/self/fd")) == start


def test_a_tag_that_we_make_is_the_owners(place, foreign):
    kernel = foreign(place)
    fd = os.open(place, os.O_RDONLY)
    assert layout.mark(fd, kernel=kernel)
    assert not layout.mark(fd, kernel=kernel)
    assert layout.is_tagged(fd)
    os.close(fd)
    assert kernel.given() == [(f"{place}/CACHEDIR.TAG", *OWNER)]
