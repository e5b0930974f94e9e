"""Locks in caches of others, as only root can set them up."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from cache_core import layout
from cache_core.errors import CacheError
from cache_core.locks import Wait, lock_cache, lock_entry
from cache_core.removal import remove_tree

pytestmark = pytest.mark.root

UID, GID = 65534, 65533
AT_ONCE = Wait(timeout_seconds=0)

CLEAN = """
import json, sys
from cache_core import clean_sync, privileges
if "drop" in sys.argv[2:]:
    privileges.drop_override_capabilities()
print(json.dumps(clean_sync(sys.argv[1]).document()))
"""
# One process that holds the lock, and asks who does.
HOLDERS = """
import json, os, sys
from cache_core import CacheInUseError, Wait, lock_cache
held = lock_cache(sys.argv[1], shared=True)
try:
    lock_cache(sys.argv[1], shared=False, wait=Wait(timeout_seconds=0))
except CacheInUseError as error:
    here = os.stat(f"{sys.argv[1]}/.lock").st_dev
    with open("/proc/locks") as locks:
        listed = f"{os.major(here):02x}:{os.minor(here):02x}:" in locks.read()
    print(json.dumps([[holder.pid == os.getpid() for holder in error.holders], listed]))
"""


def clean(cache, *words):
    done = subprocess.run([sys.executable, "-c", CLEAN, str(cache), *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def as_them(directory, work):
    """Do something with the descriptor of a directory as its owner, in a process of its own: 0, or 1 if it fails."""
    fd = os.open(directory, os.O_RDONLY)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(GID, GID, GID)
        os.setresuid(UID, UID, UID)
        try:
            work(fd)
        except (OSError, CacheError):
            os._exit(1)
        os._exit(0)
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


@pytest.fixture
def theirs(tmp_path):
    """A tagged cache of somebody else, with something in it."""
    cache = tmp_path / "cache"
    (cache / "entry").mkdir(parents=True)
    (cache / "CACHEDIR.TAG").write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55")
    for path in (cache, cache / "entry", cache / "CACHEDIR.TAG"):
        os.chown(path, UID, GID)
    yield cache
    remove_tree(str(tmp_path))


def test_a_lock_that_root_makes_in_a_cache_of_another_is_theirs(theirs):
    assert clean(theirs)["lock"] == "exclusive"
    assert owner(theirs / ".lock") == (UID, GID)
    # And so they can go on using it, writable as uv opens it.
    assert as_them(theirs, lambda fd: os.close(os.open(".lock", os.O_RDWR, dir_fd=fd))) == 0
    assert as_them(theirs, lambda fd: lock_cache(fd, shared=False, wait=AT_ONCE)) == 0


def test_by_path_by_descriptor_and_of_an_entry(theirs):
    fd = os.open(theirs, os.O_RDONLY)
    with lock_cache(str(theirs), shared=True), lock_entry("entry/lock", dir_fd=fd):
        pass
    os.close(fd)
    assert owner(theirs / ".lock") == owner(theirs / "entry" / "lock") == (UID, GID)


def test_one_that_was_there_stays_whose_it_is(theirs):
    (theirs / ".lock").touch()
    assert clean(theirs)["empty"]
    assert owner(theirs / ".lock") == (0, 0)
    assert as_them(theirs, lambda fd: os.close(os.open(".lock", os.O_RDWR, dir_fd=fd))) == 1


def test_a_hard_link_to_something_of_roots_is_not_given_away(theirs, tmp_path):
    (tmp_path / "precious").touch(0o600)
    os.link(tmp_path / "precious", theirs / ".lock")
    lock_cache(str(theirs), shared=False).release()
    assert owner(tmp_path / "precious") == (0, 0)


def test_in_roots_own_cache_it_is_roots(theirs):
    os.chown(theirs, 0, GID)
    lock_cache(str(theirs), shared=False).release()
    assert owner(theirs / ".lock") == (0, os.getegid())


def test_a_tag_that_root_makes_in_a_cache_of_another_is_theirs(theirs):
    os.unlink(theirs / "CACHEDIR.TAG")
    fd = os.open(theirs, os.O_RDONLY)
    assert layout.mark(fd)
    os.close(fd)
    assert owner(theirs / "CACHEDIR.TAG") == (UID, GID)


def test_a_lock_of_another_that_we_may_not_open_stays_and_the_cache_is_cleaned_without(theirs):
    """Somebody cleans their own cache, in which root left a lock that is only root's."""
    (theirs / ".lock").touch(0o600)
    os.chown(theirs / ".lock", UID, GID)
    for path in (theirs, theirs / "entry", theirs / "CACHEDIR.TAG"):
        os.chown(path, 0, 0)
    document = clean(theirs, "drop")
    assert (document["lock"], document["empty"], document["left"]) == ("unavailable", True, [])
    assert (owner(theirs / ".lock"), stat.S_IMODE(os.lstat(theirs / ".lock").st_mode)) == ((UID, GID), 0o600)


def test_who_holds_a_lock_on_an_overlay_is_found(tmp_path):
    """Of two file systems: there, a file's device in stat(2) is not that of the lists of locks and mounts."""
    script = """
set -e
mkdir below above
mount -t tmpfs below below
mount -t tmpfs above above
mkdir above/upper above/work above/merged below/cache
touch below/cache/.lock
mount -t overlay overlay -o lowerdir=below,upperdir=above/upper,workdir=above/work above/merged
exec "$@" above/merged/cache
"""
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", HOLDERS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    # What is to be shown is only shown where the devices do differ.
    assert json.loads(done.stdout) == [[True], False]
